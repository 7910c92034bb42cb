"""What is about the emulator itself: `GET` and `POST /_emulator/schedules`.

The body says whether scheduled crawlers and triggers fire: `{"enabled": true}`.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from emulator import settings

PREFIX = "/_emulator/"
_SCHEDULES = PREFIX + "schedules"


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request whose path begins with PREFIX (WSGI)."""
    status, result = _answer(environ)
    body = json.dumps(result).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _answer(environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path != _SCHEDULES or method not in ("GET", "POST"):
        return "404 Not Found", {"error": f"no {method} {path} here: GET or POST {_SCHEDULES}"}
    if method == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        enabled = _parse(body)
        if enabled is None:
            return "400 Bad Request", {
                "error": f'the body is {{"enabled": true}} or {{"enabled": false}}, not {body!r}'
            }
        settings.current().schedules_enabled = enabled
    return "200 OK", {"enabled": settings.current().schedules_enabled}


def _parse(body: str) -> bool | None:
    """The value of `enabled`; None when the body is something else."""
    try:
        content = json.loads(body)
    except json.JSONDecodeError:
        return None
    match content:
        case {"enabled": bool(enabled)}:
            return enabled
    return None
