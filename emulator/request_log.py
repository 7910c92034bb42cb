"""The log of every AWS call: one JSON object a line in `<data-dir>/requests.jsonl`.

Fields: time (UTC, ISO 8601), principal, action (`glue:GetTable`), resource, decision, status (HTTP), ms. Who answers
the request adds what it knows by `annotate`; what nobody knew is null.
"""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

_request = threading.local()


class RequestLog:
    """The file; one record is written when a call has been answered."""

    current: ClassVar["RequestLog"]
    """The process's one."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)
        self._lock = threading.Lock()
        RequestLog.current = self

    def begin(self, principal: str | None) -> None:
        """Start the record of the request that this thread now answers."""
        _request.started = time.monotonic()
        _request.record = _record(principal)

    def end(self, status: int) -> None:
        """Write the record of this thread's request."""
        milliseconds = round((time.monotonic() - _request.started) * 1000, 1)
        self._write({**_request.record, "status": status, "ms": milliseconds})

    def append(self, principal: str, status: int, **fields: Any) -> None:
        """Write the record of what an AWS service did in a principal's name without a request to this emulator."""
        self._write({**_record(principal), **fields, "status": status, "ms": 0})

    def _write(self, record: dict[str, Any]) -> None:
        line = json.dumps(record) + "\n"
        with self._lock:
            self._file.write(line)


def _record(principal: str | None) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "principal": principal,
        "action": None,
        "resource": None,
        "decision": None,
    }


def annotate(**fields: Any) -> None:
    """Set fields of the record of the request that this thread answers."""
    _request.record.update(fields)
