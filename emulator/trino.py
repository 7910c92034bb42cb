"""Trino, the engine behind Athena: one server process, started when it is first needed and again after it died.

It listens on the loopback interface only. Each caller has a catalog of its own in it, whose Glue and S3 calls carry the
caller's access key: so IAM decides inside queries as it does outside. (The emulator checks no signatures, therefore a
role session needs no token here.)
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from emulator import processes, settings
from emulator.athena_sql import CATALOG

_log = logging.getLogger(__name__)
_START_SECONDS = 120
_REQUEST_SECONDS = 60
_MAX_CATALOGS = 16  # each holds a few megabytes; those of sessions that are gone are dropped, the longest unused first

_JVM_OPTIONS = [
    "-Xmx1500M",
    "-XX:+UseSerialGC",  # one small heap on two shared cores: the smallest and the quickest to start
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Duser.timezone=UTC",
]


class TrinoError(Exception):
    """The engine could not be started or did not answer; not the fault of a query."""


class QueryFailed(Exception):
    """A query failed; `error` is Trino's QueryError object (message, errorName, errorType, failureInfo)."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error


class Query:
    """A submitted query, as its client sees it: page after page until there is no next one."""

    def __init__(self, url: str, sql: str, headers: dict[str, str]) -> None:
        self._http = requests.Session()
        self._next: str | None = None
        self.stats: dict[str, Any] = {}
        self._receive("POST", f"{url}/v1/statement", data=sql.encode(), headers=headers)

    def pages(self) -> Iterator[dict[str, Any]]:
        """Every page, with `columns` and `data` where it has them; raises QueryFailed when the query fails."""
        while True:
            yield self._page
            if self._next is None:
                return
            self._receive("GET", self._next)

    def cancel(self) -> None:
        """Stop it, from any thread; its pages then end in QueryFailed. Does nothing when it has ended."""
        if address := self._next:
            requests.delete(address, timeout=_REQUEST_SECONDS)

    def _receive(self, method: str, address: str, **request: Any) -> None:
        try:
            response = self._http.request(method, address, timeout=_REQUEST_SECONDS, **request)
            response.raise_for_status()
        except requests.RequestException as error:
            raise TrinoError(f"Trino did not answer: {error}") from error
        self._page = response.json()
        self._next = self._page.get("nextUri")
        self.stats = self._page["stats"]
        if "error" in self._page:
            raise QueryFailed(self._page["error"])


class Engine:
    """The server process and the catalogs in it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: processes.Process | None = None
        self._url = ""
        self._catalogs: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._in_use: dict[str, int] = {}

    def start_in_background(self) -> None:
        """Begin to start, so that the first query needs not wait for it."""
        threading.Thread(target=self._start_and_warm_up, name="trino-start", daemon=True).start()

    def query(self, sql: str, *, catalog: str = "", schema: str = "", prepared: str | None = None) -> Query:
        """Submit a statement. `prepared` is the text of a statement that `sql` executes under the name `prepared`."""
        headers = {
            "X-Trino-User": "athena",
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Catalog": catalog,
            "X-Trino-Schema": schema,
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",  # timestamps with all their digits
        }
        if prepared is not None:
            headers["X-Trino-Prepared-Statement"] = f"prepared={quote(prepared, safe='')}"
        return Query(self._ensure_started(), sql, headers)

    @contextmanager
    def catalog(self, access_key: str, region: str) -> Iterator[str]:
        """The name of the catalog whose calls are made with this access key, kept for the duration of the context."""
        with self._lock:
            self._ensure_started()
            name = self._catalogs.get((access_key, region)) or self._create_catalog(access_key, region)
            self._catalogs.move_to_end((access_key, region))
            self._in_use[name] = self._in_use.get(name, 0) + 1
        try:
            yield name
        finally:
            with self._lock:
                if name in self._in_use:  # unless the server died meanwhile
                    self._in_use[name] -= 1

    def _create_catalog(self, access_key: str, region: str) -> str:
        """A name as long as Athena's own, see athena_sql; not to be guessed by other callers."""
        self._drop_unused_catalogs()
        name = f"athena{uuid.uuid4().hex}"[: len(CATALOG)]
        endpoint = settings.current().endpoint
        properties = {
            "iceberg.catalog.type": "glue",
            "hive.metastore.glue.region": region,
            "hive.metastore.glue.endpoint-url": endpoint,
            "hive.metastore.glue.aws-access-key": access_key,
            "hive.metastore.glue.aws-secret-key": "unchecked",
            "fs.native-s3.enabled": "true",
            "s3.endpoint": endpoint,
            "s3.region": region,
            "s3.path-style-access": "true",
            "s3.aws-access-key": access_key,
            "s3.aws-secret-key": "unchecked",
        }
        listed = ", ".join(f"\"{key}\" = '{value}'" for key, value in properties.items())
        self._run(f"CREATE CATALOG {name} USING iceberg WITH ({listed})")
        self._catalogs[access_key, region] = name
        return name

    def _drop_unused_catalogs(self) -> None:
        for key, name in list(self._catalogs.items()):
            if len(self._catalogs) < _MAX_CATALOGS:
                return
            if not self._in_use.get(name):
                self._run(f"DROP CATALOG {name}")
                del self._catalogs[key]

    def _run(self, sql: str) -> None:
        for _ in self.query(sql).pages():
            pass

    def _start_and_warm_up(self) -> None:
        """The first catalog takes seconds, in which classes are loaded; the others a fraction of one."""
        try:
            with self.catalog("warm-up", "us-east-1"):
                self._run("SELECT 1")
        except (TrinoError, QueryFailed, processes.ProcessError) as error:
            _log.error("Trino did not start: %s (the next query tries again)", error)

    def _ensure_started(self) -> str:
        """Start the server unless it runs; return its URL when it accepts queries."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return self._url
            if self._process is not None:
                _log.warning("Trino ended with exit code %s, starting it again", self._process.poll())
            self._catalogs.clear()
            self._in_use.clear()
            started = time.monotonic()
            port = _free_port()
            self._url = f"http://127.0.0.1:{port}"
            self._process = processes.spawn(_command(port), name="trino", env={"PATH": os.environ["PATH"]})
            self._wait_until_ready()
            _log.info("Trino answers on %s after %.1f s", self._url, time.monotonic() - started)
            return self._url

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if (status := self._process.poll()) is not None:
                raise TrinoError(f"Trino ended with exit code {status} while starting: see {_log_file()}")
            if self._is_ready():
                return
            time.sleep(0.2)
        self._process.kill()
        raise TrinoError(f"Trino was not ready after {_START_SECONDS} s and was stopped: see {_log_file()}")

    def _is_ready(self) -> bool:
        try:
            return not requests.get(f"{self._url}/v1/info", timeout=_REQUEST_SECONDS).json()["starting"]
        except requests.ConnectionError:
            return False


def _command(port: int) -> list[str | Path]:
    toolchain = settings.current().toolchain
    directory = settings.current().directory("trino")
    (directory / "config.properties").write_text(
        "\n".join(
            [
                "coordinator=true",
                "node-scheduler.include-coordinator=true",
                f"http-server.http.port={port}",
                "http-server.log.enabled=false",  # requests.jsonl has the calls
                "http-server.max-request-header-size=1MB",  # a query with parameters travels in a header
                f"discovery.uri=http://127.0.0.1:{port}",
                "catalog.management=dynamic",
                "catalog.store=memory",
                f"plugin.dir={toolchain.trino / 'plugin'}",
                "",
            ]
        )
    )
    (directory / "log.properties").write_text(
        "io.trino=WARN\nio.airlift=WARN\norg.eclipse.jetty=WARN\nBootstrap=WARN\n"
    )
    return [
        toolchain.java25 / "bin" / "java",
        *_JVM_OPTIONS,
        "-Dnode.environment=emulator",
        "-Dnode.id=athena",
        "-Dnode.bind-ip=127.0.0.1",
        "-Dnode.internal-address=127.0.0.1",
        f"-Dnode.data-dir={directory / 'data'}",
        f"-Dconfig={directory / 'config.properties'}",
        f"-Dlog.levels-file={directory / 'log.properties'}",
        "-cp",
        f"{toolchain.trino / 'lib'}/*",
        "io.trino.server.TrinoServer",
    ]


def _log_file() -> Path:
    return settings.current().directory("logs") / "trino.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


engine = Engine()
