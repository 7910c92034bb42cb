"""Statements of the Redshift Data API: their states, and which there are. They last as long as the emulator (on AWS a
day)."""

import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_ENDED = ("FINISHED", "FAILED", "ABORTED")
_ROLE = re.compile(r"(\bIAM_ROLE\s+)'[^']*'", re.IGNORECASE)


@dataclass(frozen=True)
class Submission:
    """What ExecuteStatement was asked, checked."""

    account: str
    region: str
    owner: str  # `aws:userid` of who asked, which policies compare; an ARN where there is none
    owner_role: str  # ARN of the role or user, whatever the session
    workgroup: str
    database: str
    user: str  # in the database
    sql: str
    name: str | None
    secret_arn: str | None


@dataclass
class Result:
    """`columns` and `records` are the API's ColumnMetadata and rows of Fields."""

    columns: list[dict[str, Any]]
    records: list[list[dict[str, Any]]]


class Statement:
    """One statement. It goes SUBMITTED, PICKED, STARTED, and then to exactly one end, whoever comes first."""

    def __init__(self, submission: Submission) -> None:
        self.id = str(uuid.uuid4())
        self.submission = submission
        self.status = "SUBMITTED"
        self.error: str | None = None
        self.result: Result | None = None
        self.created = self.updated = datetime.now(UTC)
        self._lock = threading.Lock()
        self._stop_engine: Callable[[], None] | None = None

    def start(self, stop_engine: Callable[[], None] | None = None) -> bool:
        """It runs; `stop_engine` stops it. False when it was cancelled before."""
        with self._lock:
            if self.status in _ENDED:
                return False
            self._move_to("STARTED")
            self._stop_engine = stop_engine
            return True

    def finish(self, result: Result | None) -> None:
        with self._lock:
            if self.status not in _ENDED:
                self.result = result
                self._move_to("FINISHED")

    def fail(self, error: str) -> None:
        with self._lock:
            if self.status not in _ENDED:
                self.error = error
                self._move_to("FAILED")

    def cancel(self) -> bool:
        """End it as ABORTED; False when it has ended."""
        with self._lock:
            if self.status in _ENDED:
                return False
            self._move_to("ABORTED")
        if self._stop_engine is not None:
            self._stop_engine()
        return True

    def describe(self) -> dict[str, Any]:
        """The API's description. As AWS does, it tells the statement without the ARN of a role in it: who compares the
        two texts finds a difference.
        """
        submission = self.submission
        rows = len(self.result.records) if self.result else -1
        described = {
            "Id": self.id,
            "QueryString": _ROLE.sub(r"\1''", submission.sql),
            "Status": self.status,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Duration": round((self.updated - self.created).total_seconds() * 1e9),
            "Database": submission.database,
            "WorkgroupName": submission.workgroup,
            "HasResultSet": self.result is not None,
            "ResultRows": rows,
            "ResultSize": len(json.dumps(self.result.records, default=len)) if self.result else -1,  # about, in bytes
            "RedshiftPid": 0,
            "RedshiftQueryId": 0,
            "SecretArn": submission.secret_arn,
            "DbUser": submission.user,
            "Error": self.error,
        }
        return {key: value for key, value in described.items() if value is not None}

    def _move_to(self, status: str) -> None:
        self.status = status
        self.updated = datetime.now(UTC)


@dataclass
class _Account:
    statements: dict[str, Statement] = field(default_factory=dict)  # oldest first
    by_token: dict[str, Statement] = field(default_factory=dict)


_accounts: dict[tuple[str, str], _Account] = {}
_lock = threading.Lock()


def add(statement: Statement, token: str) -> Statement:
    """Keep a new statement; when its ClientToken came before, return the statement of then instead."""
    account, region = statement.submission.account, statement.submission.region
    with _lock:
        kept = _accounts.setdefault((account, region), _Account())
        if token in kept.by_token:
            return kept.by_token[token]
        kept.statements[statement.id] = kept.by_token[token] = statement
        return statement


def find(account: str, region: str, statement_id: str) -> Statement | None:
    """A statement of this account and region."""
    kept = _accounts.get((account, region))
    return kept.statements.get(statement_id) if kept else None


def newest_first(account: str, region: str) -> list[Statement]:
    with _lock:
        kept = _accounts.get((account, region))
        return list(reversed(kept.statements.values())) if kept else []
