"""Runs one engine and ends it when the emulator that asked for it is gone, however it went.

Usage: `python guardian.py CONTROL_FD REPORT_FD STOP_SIGNAL GRACE_SECONDS -- ARGV...`

The emulator holds the other end of the control pipe. Every byte it writes is the number of a signal for the engine's
process group. End of file means that the emulator no longer runs, be it by `kill -9`: the engine gets STOP_SIGNAL and,
GRACE_SECONDS later, SIGKILL. On the report pipe the guardian writes the engine's process id, or why it did not start.
It ends as the engine ended: with the same exit code, or killed by the same signal.

It is run by file name and imports the standard library only, so that it starts in a few milliseconds.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time


def main() -> None:
    control, report, stop_signal, grace_seconds = (int(argument) for argument in sys.argv[1:5])
    argv = sys.argv[6:]
    try:
        engine = subprocess.Popen(argv, start_new_session=True)
    except OSError as error:
        os.write(report, f"cannot run {argv[0]}: {error.strerror}".encode())
        sys.exit(127)
    os.write(report, str(engine.pid).encode())
    os.close(report)

    threading.Thread(target=obey, args=(control, engine.pid, stop_signal, grace_seconds), daemon=True).start()
    status = engine.wait()
    signal_group(engine.pid, signal.SIGKILL)  # what the engine left behind ends with it
    end_like(status)


def obey(control: int, group: int, stop_signal: int, grace_seconds: int) -> None:
    """Pass the emulator's signals on; end the engine when there is no emulator any more."""
    while command := os.read(control, 1):
        signal_group(group, command[0])
    signal_group(group, stop_signal)
    time.sleep(grace_seconds)
    signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # when every process of the group has ended by itself
        os.killpg(group, number)


def end_like(status: int) -> None:
    """Exit with the engine's exit code, or die by the signal that it died by (a negative status)."""
    if status >= 0:
        sys.exit(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


if __name__ == "__main__":
    main()
