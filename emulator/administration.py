"""What is about the emulator itself.

- `GET` and `POST /_emulator/schedules`: whether scheduled crawlers and triggers fire, `{"enabled": true}`
- `GET` and `POST /_emulator/faults`: the requests to AWS that are to fail (see emulator.faults),
  `[{"requests": "s3 PUT", "times": 2, "status": 503, "code": "SlowDown"}]`
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from emulator import faults, settings

PREFIX = "/_emulator/"


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request whose path begins with PREFIX (WSGI)."""
    status, result = _answer(environ)
    body = json.dumps(result).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _answer(environ: dict[str, Any]) -> tuple[str, Any]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    name = path.removeprefix(PREFIX)
    if name not in _SETTINGS or method not in ("GET", "POST"):
        known = ", ".join(PREFIX + each for each in _SETTINGS)
        return "404 Not Found", {"error": f"no {method} {path} here: GET or POST {known}"}
    read, write = _SETTINGS[name]
    if method == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        try:
            write(json.loads(body))
        except ValueError as error:  # JSON's own is one, too
            return "400 Bad Request", {"error": f"{error}; the body was {body}"}
    return "200 OK", read()


def _schedules() -> dict[str, bool]:
    return {"enabled": settings.current().schedules_enabled}


def _switch_schedules(content: Any) -> None:
    match content:
        case {"enabled": bool(enabled)}:
            settings.current().schedules_enabled = enabled
        case _:
            raise ValueError('the body is {"enabled": true} or {"enabled": false}')


_SETTINGS = {"schedules": (_schedules, _switch_schedules), "faults": (faults.ordered, faults.order)}
