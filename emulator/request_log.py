"""The log of every AWS call: one JSON object a line in `<data-dir>/requests.jsonl`.

Fields:

- time: UTC, ISO 8601
- principal: the caller's ARN, or an AWS service's name (`logs.eu-central-1.amazonaws.com`)
- role: ARN of the role whose policies decided, null for everybody else
- action (`glue:GetTable`), resource, decision (`allow`, `deny`): the first refused, else the last that was needed
- permissions: every decision of the call, as {action, resource, allowed}
- via: the service that made the call in the caller's name (S3 uses a key), null for the caller's own
- status (HTTP), ms: null for what was no request of its own

Who answers a request adds what it knows by `annotate`; what nobody knew is null.
"""

import json
import threading
import time
from datetime import UTC, datetime
from io import TextIOBase
from pathlib import Path
from typing import Any

_FIELDS = ("time", "principal", "role", "action", "resource", "decision", "permissions", "via", "status", "ms")

_request = threading.local()
_file: TextIOBase | None = None
_lock = threading.Lock()


def open_in(data_dir: Path) -> None:
    """Write to this directory from now on."""
    global _file
    _file = (data_dir / "requests.jsonl").open("a", buffering=1)


def begin(principal: str | None) -> None:
    """Start the record of the request that this thread now answers."""
    _request.started = time.monotonic()
    _request.record = {"time": _now(), "principal": principal}


def annotate(**fields: Any) -> None:
    """Set fields of the record of the request that this thread answers."""
    _request.record.update(fields)


def end(status: int) -> None:
    """Write the record of this thread's request."""
    milliseconds = round((time.monotonic() - _request.started) * 1000, 1)
    _write({**_request.record, "status": status, "ms": milliseconds})


def note(**fields: Any) -> None:
    """Write a record of its own about what a service does by itself or in a caller's name."""
    _write({"time": _now(), **fields})


def _write(record: dict[str, Any]) -> None:
    line = json.dumps({field: record.get(field) for field in _FIELDS}) + "\n"
    with _lock:
        _file.write(line)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
