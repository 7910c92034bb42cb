"""Query executions: their states, and which there are. They last as long as the emulator (on AWS 45 days)."""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emulator.athena_sql import Statement

_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Submission:
    """What StartQueryExecution was asked, checked and complete."""

    account: str
    region: str
    access_key: str
    workgroup: str
    query: str
    statement: Statement
    parameters: Sequence[str] | None
    context: Mapping[str, str]  # QueryExecutionContext as given
    database: str
    result_configuration: Mapping[str, Any]  # with the folder as OutputLocation
    engine_version: Mapping[str, str]


@dataclass
class Measurements:
    """What the engine told of one execution; times are in milliseconds, sizes in bytes."""

    started: datetime | None = None  # when the engine took it
    ended: datetime | None = None
    planning: int = 0
    scanned: int = 0
    input_rows: int = 0
    output_rows: int = 0
    output_bytes: int = 0


class Execution:
    """One execution. It goes QUEUED, RUNNING, and then to exactly one end, whoever comes first."""

    def __init__(self, submission: Submission) -> None:
        self.id = str(uuid.uuid4())
        self.submission = submission
        self.state = "QUEUED"
        self.reason: str | None = None
        self.error_category: int | None = None
        self.submitted = datetime.now(UTC)
        self.completed: datetime | None = None
        self.measurements = Measurements()
        self.columns: list[dict[str, Any]] = []
        self.update_count: int | None = None
        self._lock = threading.Lock()
        self._stop_engine: Callable[[], None] | None = None

    @property
    def output_location(self) -> str:
        """The S3 URL of its result."""
        suffix = "csv" if self.submission.statement.kind.statement_type == "DML" else "txt"
        return f"{self.submission.result_configuration['OutputLocation'].rstrip('/')}/{self.id}.{suffix}"

    def run(self, stop_engine: Callable[[], None]) -> bool:
        """The engine took it; `stop_engine` stops it there. False when it was cancelled before."""
        with self._lock:
            if self.state != "QUEUED":
                return False
            self.state = "RUNNING"
            self.measurements.started = datetime.now(UTC)
            self._stop_engine = stop_engine
            return True

    def succeed(self) -> None:
        """Its result is in S3."""
        self._end("SUCCEEDED")

    def fail(self, reason: str, category: int) -> None:
        """`category` is AthenaError's: 1 system, 2 user, 3 other."""
        self._end("FAILED", reason, category)

    def cancel(self) -> None:
        """End it as CANCELLED unless it has ended."""
        if self._end("CANCELLED", "Query cancelled by user") and self._stop_engine:
            self._stop_engine()

    def _end(self, state: str, reason: str | None = None, category: int | None = None) -> bool:
        with self._lock:
            if self.state in _ENDED:
                return False
            self.state, self.reason, self.error_category = state, reason, category
            self.completed = datetime.now(UTC)
            return True


@dataclass
class _Account:
    executions: dict[str, Execution] = field(default_factory=dict)  # oldest first
    by_token: dict[str, Execution] = field(default_factory=dict)


_accounts: dict[tuple[str, str], _Account] = {}
_lock = threading.Lock()


def add(execution: Execution, token: str | None) -> Execution:
    """Keep a new execution; when its ClientRequestToken came before, return the execution of then instead."""
    account, region = execution.submission.account, execution.submission.region
    with _lock:
        kept = _accounts.setdefault((account, region), _Account())
        if token is not None and token in kept.by_token:
            return kept.by_token[token]
        kept.executions[execution.id] = execution
        if token is not None:
            kept.by_token[token] = execution
        return execution


def find(account: str, region: str, execution_id: str) -> Execution | None:
    """An execution of this account and region."""
    kept = _accounts.get((account, region))
    return kept.executions.get(execution_id) if kept else None


def of_workgroup(account: str, region: str, workgroup: str) -> list[Execution]:
    """The executions of a workgroup, newest first."""
    with _lock:
        kept = _accounts.get((account, region))
        executions = list(kept.executions.values()) if kept else []
    return [execution for execution in reversed(executions) if execution.submission.workgroup == workgroup]
