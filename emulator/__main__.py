"""`python -m emulator`: start the emulator, say where it listens, run until told to stop."""

import argparse
import fcntl
import json
import logging
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from emulator import settings
from emulator.settings import Settings, SettingsError, Toolchain

_SIGNAL_SECONDS = 0.5


def main() -> None:
    try:
        _run(_parse_arguments())
    except SettingsError as error:
        sys.exit(f"emulator: {error}")


def _run(arguments: argparse.Namespace) -> None:
    _claim(arguments.data_dir)
    toolchain = Toolchain.load(arguments.toolchain)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[logging.StreamHandler(sys.stderr), logging.FileHandler(arguments.data_dir / "emulator.log")],
    )

    threading.excepthook = _log_dying_thread

    # These import moto, which takes a second: not before the arguments are known to be good.
    from emulator import processes, server

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if arguments.lifeline:
        threading.Thread(target=_follow_lifeline, args=(stop,), daemon=True).start()

    listener = server.listen(arguments.port)
    port = listener.getsockname()[1]
    settings.configure(
        Settings(
            port,
            arguments.data_dir,
            toolchain,
            arguments.schedules,
            minute_seconds=arguments.minute_seconds,
            trusted=arguments.trust,
        )
    )
    http = server.Server(listener)
    http.start()
    ready = {
        "endpoint": settings.current().endpoint,
        "pid": os.getpid(),
        "caFile": str(arguments.data_dir / "rds-ca.pem"),
    }
    if arguments.postgres is not None:
        from emulator.rds_instance import start_proxy

        proxy = start_proxy("postgres-tls", 0, arguments.postgres, "required")
        ready["postgresPort"] = int(proxy.stdout.readline())
    print(json.dumps(ready), flush=True)

    # Never for good: a signal that another thread receives does not wake this one, which alone runs the handler.
    while not stop.wait(timeout=_SIGNAL_SECONDS):
        pass
    http.close()
    processes.stop_all()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="a free one is chosen when it is taken, or 0")
    parser.add_argument("--data-dir", type=_absolute_path, required=True, help="its own directory, emptied at start")
    parser.add_argument("--toolchain", type=_absolute_path, default=Path(".local/toolchain.json").absolute())
    parser.add_argument("--schedules", action="store_true", help="scheduled crawlers and triggers fire")
    parser.add_argument(
        "--minute-seconds",
        type=float,
        default=60.0,
        help="how long Glue's and CloudWatch's minutes last; less only for tests",
    )
    parser.add_argument(
        "--lifeline", action="store_true", help="stop when stdin ends, unless it brought the line `keep` before"
    )
    parser.add_argument(
        "--postgres",
        type=_host_and_port,
        metavar="HOST:PORT",
        help="a server without TLS that is to be reached by TLS, as if RDS ran it; `postgresPort` says where",
    )
    parser.add_argument(
        "--trust", type=_absolute_path, metavar="FILE", help="authorities (PEM) that Glue takes for public ones"
    )
    return parser.parse_args()


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _absolute_path(text: str) -> Path:
    return Path(text).absolute()


_claimed = None  # the lock is held for as long as this file is open


def _claim(data_dir: Path) -> None:
    """Take the data directory for this process and empty it: every start is fresh."""
    global _claimed
    marker = data_dir / "emulator.lock"
    if data_dir.exists() and any(data_dir.iterdir()) and not marker.exists():
        raise SettingsError(f"{data_dir} holds files of somebody else: --data-dir wants an empty or missing directory")
    data_dir.mkdir(parents=True, exist_ok=True)
    _claimed = marker.open("a")
    try:
        fcntl.flock(_claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(f"another emulator runs on {data_dir}: stop it or give another --data-dir") from None
    for path in data_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != marker:
            path.unlink()


def _log_dying_thread(arguments: threading.ExceptHookArgs) -> None:
    """Have the log, too, say why a thread ended; Python itself tells stderr only."""
    error = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    logging.getLogger(__name__).critical("thread %s died", arguments.thread.name, exc_info=error)


def _follow_lifeline(stop: threading.Event) -> None:
    """Set `stop` when stdin ends, unless the line `keep` came first."""
    received = b""
    while chunk := os.read(sys.stdin.fileno(), 4096):
        received += chunk
        if b"keep" in received.splitlines():
            return
    stop.set()


if __name__ == "__main__":
    main()
