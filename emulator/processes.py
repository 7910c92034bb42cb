"""The engines: child processes that never outlive the emulator, not even when it is killed with -9.

Each engine is started by a guardian (see guardian.py) which holds a pipe to the emulator. The operating system closes
that pipe when the emulator ends, and the guardian then ends the engine.
"""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from emulator import settings

_GUARDIAN = Path(__file__).with_name("guardian.py")
_GRACE_SECONDS = 5

_running: set["Process"] = set()
_running_lock = threading.Lock()
_starting = threading.Lock()
_stopped = threading.Event()


class ProcessError(Exception):
    """An engine could not be started; the message names it and says why."""


class Process:
    """A running engine. `pid` is the engine's own, which is also the id of its process group."""

    def __init__(self, name: str, pid: int, guardian: subprocess.Popen, control: int, stop_signal: int) -> None:
        self.name = name
        self.pid = pid
        self.stdout: IO[bytes] | None = guardian.stdout
        self.stderr: IO[bytes] | None = guardian.stderr
        self._guardian = guardian
        self._control = control
        self._stop_signal = stop_signal

    def poll(self) -> int | None:
        """The exit code (negative: the signal it died by), or None while it runs."""
        status = self._guardian.poll()
        if status is not None:
            self._forget()
        return status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code; subprocess.TimeoutExpired after `timeout` seconds."""
        status = self._guardian.wait(timeout)
        self._forget()
        return status

    def send_signal(self, number: int) -> None:
        """Signal the engine and its children; does nothing when it has ended."""
        # The pipe is broken when the guardian, and so the engine, has just ended.
        with _running_lock, contextlib.suppress(BrokenPipeError):
            if self in _running:
                os.write(self._control, bytes([number]))

    def stop(self, grace_seconds: float = _GRACE_SECONDS) -> int:
        """Ask the engine to end with its stop signal, kill it after `grace_seconds`; return its exit code."""
        self.send_signal(self._stop_signal)
        try:
            return self.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the engine at once and return its exit code."""
        self.send_signal(signal.SIGKILL)
        return self.wait()

    def _forget(self) -> None:
        with _running_lock:
            if self in _running:
                _running.remove(self)
                os.close(self._control)


def spawn(
    argv: Sequence[str | Path],
    *,
    name: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | IO | None = None,
    stderr: int | IO | None = None,
    stop_signal: int = signal.SIGTERM,
    as_unprivileged: bool = False,
) -> Process:
    """Start an engine in a process group of its own.

    `env` is its whole environment (None: the emulator's). `stdout` and `stderr` are as for subprocess.Popen, except
    that None appends to `<data-dir>/logs/<name>.log`. `as_unprivileged` is for programs that refuse to run as root.
    """
    command = [*(unprivileged_prefix(name) if as_unprivileged else []), *map(str, argv)]
    with _starting:
        if _stopped.is_set():
            raise ProcessError(f"{name}: the emulator is about to end and starts nothing any more")
        process = _start(command, name, env, cwd, stdout, stderr, stop_signal)
        with _running_lock:
            _running.add(process)
    return process


def _start(
    command: Sequence[str],
    name: str,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    stdout: int | IO | None,
    stderr: int | IO | None,
    stop_signal: int,
) -> Process:
    with (settings.current().directory("logs") / f"{name}.log").open("ab") as log:
        control_read, control_write = os.pipe()
        report_read, report_write = os.pipe()
        guardian_arguments = map(str, (control_read, report_write, int(stop_signal), _GRACE_SECONDS))
        guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", _GUARDIAN, *guardian_arguments, "--", *command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=log if stderr is None else stderr,
            pass_fds=(control_read, report_write),
            start_new_session=True,
        )
    os.close(control_read)
    os.close(report_write)
    with os.fdopen(report_read) as report:
        outcome = report.read()
    if not outcome.isdigit():
        os.close(control_write)
        guardian.wait()
        raise ProcessError(f"{name}: {outcome or 'its guardian ended before it started'}")
    return Process(name, int(outcome), guardian, control_write, stop_signal)


def stop_all() -> None:
    """Stop every engine, all at the same time; none is started afterwards."""
    with _starting:  # what is just being started is on the list before it is read
        _stopped.set()
    with _running_lock:
        processes = list(_running)
    stoppers = [threading.Thread(target=process.stop) for process in processes]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join()


def unprivileged_prefix(name: str) -> list[str]:
    """What to put before a command that refuses to run as root: nothing, unless the emulator runs as root."""
    if os.geteuid() != 0:
        return []
    if not _user_namespaces_work():
        raise ProcessError(
            f"{name} refuses to run as root, and this machine allows no user namespaces: "
            "run the emulator as an ordinary user"
        )
    return _USER_NAMESPACE


_USER_NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


@functools.cache
def _user_namespaces_work() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_USER_NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
