"""Faults on order: requests that fail as they sometimes do on AWS.

A request is told by the line `<service> <operation> <path>`, as in `glue UpdateTable /`; S3's operations are HTTP
methods, as in `s3 PUT /bucket/key`.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from werkzeug.wsgi import get_input_stream

from emulator.overlay import AwsError


@dataclass
class Fault:
    """The next requests that match, in the order in which faults were given."""

    requests: str
    """Regular expression that is searched for in a request's line."""
    times: int
    """How many requests are still to fail."""
    status: int
    code: str
    executed: bool = False
    """The request takes effect, and only its answer is lost."""

    @property
    def error(self) -> AwsError:
        return AwsError(self.code, f"{self.code} was ordered", self.status)


_faults: list[Fault] = []
_lock = threading.Lock()


def order(content: Any) -> None:
    """Replace all faults. Raises ValueError when `content` is no list of objects with the fields of a fault."""
    types = {field.name: field.type for field in fields(Fault)}
    if not isinstance(content, list):
        raise ValueError(f"expected a list of faults, not {content!r}")
    for each in content:
        if not isinstance(each, dict) or any(type(each[name]) is not types.get(name) for name in each):
            raise ValueError(f"expected a fault with {', '.join(types)}, not {each!r}")
    try:
        faults = [Fault(**each) for each in content]
        for fault in faults:
            re.compile(fault.requests)
    except (TypeError, re.error) as error:
        raise ValueError(f"expected faults with {', '.join(types)}: {error}") from None
    with _lock:
        _faults[:] = faults


def ordered() -> list[dict[str, Any]]:
    """The faults that are still to happen."""
    with _lock:
        return [asdict(fault) for fault in _faults if fault.times > 0]


def happening_to(environ: dict[str, Any], service: str) -> Fault | None:
    """The fault that this request meets, which is counted."""
    if not _faults:
        return None
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or environ["REQUEST_METHOD"]
    line = f"{service} {operation} {environ['PATH_INFO']}"
    with _lock:
        found = next((fault for fault in _faults if fault.times > 0 and re.search(fault.requests, line)), None)
        if found is not None:
            found.times -= 1
    return found


def take_in(environ: dict[str, Any]) -> None:
    """Read a request that nobody answers to its end: another may follow on its connection."""
    get_input_stream(environ).read()


def lose(answer: Iterable[bytes]) -> None:
    """Have a request take effect, and forget what it was answered."""
    for _ in answer:
        pass
