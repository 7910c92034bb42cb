"""A crawl: one run of a crawler, in a thread of its own, with the rights of the crawler's role."""

import functools
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from emulator import glue_classifiers, glue_crawl_s3, glue_crawl_source, glue_network, glue_security
from emulator.glue_crawl_catalog import CatalogWriter, Changes, Table
from emulator.glue_crawl_found import CrawlError, FoundTable
from emulator.glue_crawl_source import ClientFactory
from emulator.glue_events import emit
from emulator.glue_logs import LogStream
from emulator.glue_network import NetworkError
from emulator.glue_roles import assume
from emulator.overlay import AwsError

if TYPE_CHECKING:
    from emulator.glue_crawlers import Crawler

# The API names the same states in three ways; here they are called as in a workflow's graph.
_HISTORY_STATES = {
    "RUNNING": "RUNNING",
    "CANCELLING": "RUNNING",
    "CANCELLED": "STOPPED",
    "SUCCEEDED": "COMPLETED",
    "FAILED": "FAILED",
}

_log = logging.getLogger(__name__)


class _Cancelled(Exception):
    """StopCrawler was called."""


class Crawl:
    """One run of a crawler: RUNNING, CANCELLING, then CANCELLED, SUCCEEDED or FAILED; in workflows also ERROR."""

    def __init__(self, crawler: "Crawler", on_end: Callable[["Crawl"], None] = lambda crawl: None) -> None:
        self.id = str(uuid.uuid4())
        self.crawler = crawler
        self.state = "RUNNING"
        self.error_message: str | None = None
        self.changes = Changes()
        self.started_on = datetime.now(UTC)
        self.completed_on: datetime | None = None
        self._on_end = on_end
        self._stop_requested = threading.Event()

    @property
    def is_live(self) -> bool:
        return self.completed_on is None

    @property
    def log_group(self) -> str:
        """The group that it is logged to."""
        crawler = self.crawler
        return glue_security.crawler_log_group(
            crawler.account, crawler.region, crawler.role, crawler.crawler_security_configuration
        )

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return ((self.completed_on or datetime.now(UTC)) - self.started_on).total_seconds()

    def launch(self) -> None:
        """Start crawling."""
        threading.Thread(target=self._execute, name=f"crawl {self.id}", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end; it is CANCELLED when it has."""
        self.state = "CANCELLING"
        self._stop_requested.set()

    def refuse(self, message: str) -> None:
        """Make it a crawl that a workflow could not start: it is in the workflow's graph only."""
        self.state = "ERROR"
        self.error_message = message
        self.completed_on = datetime.now(UTC)

    def as_node(self) -> dict[str, Any]:
        """The crawl as a workflow's graph has it."""
        return _without_nones(
            {
                "State": self.state,
                "StartedOn": self.started_on,
                "CompletedOn": self.completed_on,
                "ErrorMessage": self.error_message,
                "LogGroup": self.log_group,
                "LogStream": self.crawler.name,
            }
        )

    def as_last_crawl(self) -> dict[str, Any]:
        """The crawl, which has ended, as GetCrawler has it."""
        return _without_nones(
            {
                "Status": self.state,
                "ErrorMessage": self.error_message,
                "LogGroup": self.log_group,
                "LogStream": self.crawler.name,
                "MessagePrefix": self.id,
                "StartTime": self.started_on,
            }
        )

    @property
    def history_state(self) -> str:
        """The state as ListCrawls names it."""
        return _HISTORY_STATES[self.state]

    def as_history(self) -> dict[str, Any]:
        """The crawl as ListCrawls has it."""
        return _without_nones(
            {
                "CrawlId": self.id,
                "State": self.history_state,
                "StartTime": self.started_on,
                "EndTime": self.completed_on,
                "Summary": self._summary(),
                "ErrorMessage": self.error_message,
                "LogGroup": self.log_group,
                "LogStream": self.crawler.name,
                "MessagePrefix": self.id,
            }
        )

    def _summary(self) -> str:
        named = {"Add": self.changes.created, "Update": self.changes.updated, "Delete": self.changes.deleted}
        tables = {kind: {"Count": len(names), "Details": {"names": names}} for kind, names in named.items() if names}
        return json.dumps({"TABLE": tables} if tables else {})

    def _execute(self) -> None:
        self._emit("Started", startTime=_timestamp(self.started_on))
        # What an unforeseen error leaves; the emulator's log has its traceback.
        state, message = "FAILED", "Internal Service Exception"
        try:
            self._crawl()
            state, message = "SUCCEEDED", None
        except _Cancelled:
            pass  # said below, as when the stop came during a wait for the source
        except (CrawlError, ClientError) as error:
            message = str(error)
        except AwsError as error:
            message = error.message
        finally:
            if self._stop_requested.is_set() and state != "SUCCEEDED":
                state, message = "CANCELLED", None
            self._end(state, message)

    def _crawl(self) -> None:
        credentials = assume(self.crawler.account, self.crawler.role, "AWS-Crawler")
        client = functools.cache(functools.partial(credentials.client, region=self.crawler.region))
        log = self._logger(client)
        log(f"BENCHMARK : Running Start Crawl for Crawler {self.crawler.name}")
        try:
            read = self._read(client, log)
            self._write(client("glue"), log, read)
            if read.failures:
                raise CrawlError("; ".join(read.failures.values()))
        except ClientError as error:
            log(f"ERROR : {error}")
            raise
        finally:
            log("BENCHMARK : Crawler has finished running and is in state READY")

    def _read(self, client: ClientFactory, log: Callable[[str], None]) -> "_Read":
        """The tables of all targets, each once, before any is written. A store that fails keeps none of the others."""
        account, region = self.crawler.account, self.crawler.region
        classifiers = [glue_classifiers.find(account, region, name) for name in self.crawler.classifiers or []]
        read = _Read()
        for target in self.crawler.jdbc_targets:
            connection = target["ConnectionName"]
            with self._noting_failure(read, connection, log), glue_network.entered([connection], client):
                read.add(glue_crawl_source.read_tables(target, client))
        for target in self.crawler.s3_targets:
            through = [target["ConnectionName"]] if target.get("ConnectionName") else []
            with self._noting_failure(read, target["Path"], log), glue_network.entered(through, client):
                read.add(glue_crawl_s3.read_tables(target, classifiers, client))
        return read

    @contextmanager
    def _noting_failure(self, read: "_Read", store: str, log: Callable[[str], None]) -> Iterator[None]:
        self._stop_if_asked()
        read.stores.add(store)
        try:
            yield
        except (CrawlError, NetworkError, ClientError) as error:
            log(f"ERROR : {error}")
            read.failures[store] = str(error)

    def _write(self, glue: Any, log: Callable[[str], None], read: "_Read") -> None:
        self._stop_if_asked()
        if len(read.failures) == len(read.stores):
            return
        policy = self.crawler.schema_change_policy or {}
        writer = CatalogWriter(
            glue=glue,
            crawler_name=self.crawler.name,
            database=self.crawler.database_name,
            prefix=self.crawler.table_prefix or "",
            update_behavior=policy.get("UpdateBehavior", "UPDATE_IN_DATABASE"),
            delete_behavior=policy.get("DeleteBehavior", "DEPRECATE_IN_DATABASE"),
            log=log,
        )
        writer.write(read.found.values(), read.was_crawled, self.changes)
        log("BENCHMARK : Finished writing to Catalog")

    def _stop_if_asked(self) -> None:
        if self._stop_requested.is_set():
            raise _Cancelled

    def _logger(self, client: ClientFactory) -> Callable[[str], None]:
        crawler = self.crawler
        key = glue_security.logs_key(crawler.account, crawler.region, crawler.crawler_security_configuration)
        stream = LogStream(client("logs"), self.log_group, crawler.name, key)
        return lambda message: stream.write([f"[{self.id}] {message}"])

    def _end(self, state: str, message: str | None) -> None:
        self.state = state
        self.error_message = message
        self.completed_on = datetime.now(UTC)
        _log.info("crawl of %s: %s%s", self.crawler.name, state, f" ({message})" if message else "")
        if state == "SUCCEEDED":
            self._emit(
                "Succeeded",
                completionDate=_timestamp(self.completed_on),
                tablesCreated=str(len(self.changes.created)),
                tablesUpdated=str(len(self.changes.updated)),
                tablesDeleted=str(len(self.changes.deleted)),
                partitionsCreated=str(self.changes.partitions_created),
                partitionsUpdated="0",
                partitionsDeleted=str(self.changes.partitions_deleted),
                warningMessage="N/A",
                **{"runningTime (sec)": str(round(self.seconds))},
            )
        elif state == "FAILED":
            self._emit("Failed", errorMessage=message)
        self._on_end(self)

    def _emit(self, state: str, **detail: Any) -> None:
        common = {
            "accountId": self.crawler.account,
            "crawlerName": self.crawler.name,
            "state": state,
            "message": f"Crawler {state}",
        }
        emit(self.crawler.account, self.crawler.region, "Glue Crawler State Change", {**common, **detail})


@dataclass
class _Read:
    """What the targets of a crawl gave."""

    found: dict[tuple[str | None, str], FoundTable] = field(default_factory=dict)
    stores: set[str] = field(default_factory=set)  # connections and S3 paths
    failures: dict[str, str] = field(default_factory=dict)  # messages by store

    def add(self, tables: Iterable[FoundTable]) -> None:
        self.found |= {(table.connection, table.location): table for table in tables}

    def was_crawled(self, table: Table) -> bool:
        """Whether a table of the catalog lies in a store that was crawled."""
        location = table.get("StorageDescriptor", {}).get("Location", "")
        connection = table.get("Parameters", {}).get("connectionName")
        return any(
            store == connection or (store.startswith("s3://") and location.startswith(f"{store.rstrip('/')}/"))
            for store in self.stores - self.failures.keys()
        )


def _without_nones(description: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in description.items() if value is not None}


def _timestamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
