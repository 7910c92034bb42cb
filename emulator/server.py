"""The HTTP server: one process, a thread a connection, on the loopback interface only."""

import errno
import functools
import importlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from emulator import accounts, request_log, settings
from emulator.overlay import AwsError

# Modules that answer AWS operations: imported for their @operation functions, once the settings are known.
SERVICES = [
    "emulator.iam",
    "emulator.s3",
    "emulator.s3_bodies",
    "emulator.rds",
    "emulator.rds_parameter_groups",
    "emulator.rds_subnet_groups",
    "emulator.glue_catalog",
    "emulator.glue_connections",
    "emulator.glue_definitions",
    "emulator.glue_jobs",
    "emulator.glue_crawlers",
    "emulator.glue_workflows",
    "emulator.schedules",
    "emulator.athena_definitions",
    "emulator.athena",
]

_log = logging.getLogger(__name__)


def listen(preferred_port: int) -> socket.socket:
    """A listening socket on loopback: on `preferred_port`, or on a free port when that is 0 or taken."""
    for port in (preferred_port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or port == 0:
                raise
            _log.warning("port %d is taken, choosing a free one", port)
        else:
            listener.listen(128)
            return listener
    raise AssertionError("a bind to port 0 succeeds or raises")


class Server:
    """Answers AWS calls on a listening socket until it is closed."""

    def __init__(self, listener: socket.socket) -> None:
        for module in SERVICES:
            importlib.import_module(module)
        application = Application(request_log.RequestLog(settings.current().data_dir / "requests.jsonl"))
        host, port = listener.getsockname()
        self._http: BaseWSGIServer = make_server(
            host, port, application, threaded=True, request_handler=_RequestHandler, fd=listener.fileno()
        )

    def start(self) -> None:
        """Serve from threads of its own."""
        threading.Thread(target=self._http.serve_forever, args=(0.1,), name="http", daemon=True).start()

    def close(self) -> None:
        """Stop accepting calls."""
        self._http.shutdown()
        self._http.server_close()


class _RequestHandler(MotoRequestHandler):
    # Headers and body are written one after the other: Nagle's algorithm would hold the body back for 40 ms.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: requests.jsonl is the log."""


StartResponse = Callable[..., Any]


class Application:
    """The WSGI application: `/_emulator/…` is about the emulator itself, everything else is AWS."""

    def __init__(self, log: request_log.RequestLog) -> None:
        self._log = log
        self._aws = DomainDispatcherApplication(_create_service)
        # moto lists its own directory at every request to find out which services it has.
        self._aws.get_backend_for_host = functools.cache(self._aws.get_backend_for_host)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/_emulator/"):
            return _administer(environ, start_response)
        return self._answer_aws(environ, start_response)

    def _answer_aws(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        signature = accounts.signature_of(environ.get("HTTP_AUTHORIZATION", ""), environ["QUERY_STRING"])
        service = signature.service if signature else None
        self._log.begin(signature.access_key if signature else None)
        statuses: list[int] = []

        def noting_start_response(status: str, *arguments: Any) -> Any:
            statuses.append(int(status.split(" ", 1)[0]))
            return start_response(status, *arguments)

        try:
            if signature is None:
                raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
            if accounts.account_of(signature.access_key) is None:
                raise AwsError(
                    "InvalidClientTokenId",
                    f"Access key {signature.access_key} is unknown. An administrator's is AKIA, four characters and "
                    "the account's twelve digits; a role session ends with the emulator that issued it.",
                    403,
                )
            return self._aws(environ, noting_start_response)
        except _UnknownService:
            refusal = AwsError("NotImplementedByEmulator", f"The emulator has no service {service}")
            return _refuse(environ, noting_start_response, service, refusal)
        except AwsError as error:
            return _refuse(environ, noting_start_response, service, error)
        except Exception as error:  # noqa: BLE001
            # A bug here or in moto. Not answered as a 500: SDKs would try again for minutes before they show it.
            _log.exception(
                "%s %s of %s in %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], service, signature.region
            )
            failure = AwsError("EmulatorFailure", f"{type(error).__name__}: {error} (see the emulator's log)")
            return _refuse(environ, noting_start_response, service, failure)
        finally:
            self._log.end(statuses[-1] if statuses else 0)


class _UnknownService(Exception):
    """Neither moto nor this emulator has the service that was called."""


def _create_service(name: str | None) -> Flask:
    if name is None:
        raise _UnknownService
    return create_backend_app(name)


def _refuse(
    environ: dict[str, Any], start_response: StartResponse, service: str | None, error: AwsError
) -> Iterable[bytes]:
    """Answer an error outside any moto service, in the format that the caller's SDK reads."""
    headers = {"Content-Type": "application/json", "X-Amzn-ErrorType": error.code}
    body = json.dumps({"__type": error.code, "message": error.message})
    if service == "s3" or environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        headers["Content-Type"] = "text/xml"
        detail = f"<Error><Code>{error.code}</Code><Message>{_xml_escape(error.message)}</Message></Error>"
        body = detail if service == "s3" else f"<ErrorResponse>{detail}</ErrorResponse>"
    return _respond(start_response, error.status, headers, body)


def _xml_escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _administer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """`GET|POST /_emulator/schedules`: whether scheduled crawlers and triggers fire, `{"enabled": true}`."""
    json_headers = {"Content-Type": "application/json"}
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path != "/_emulator/schedules" or method not in ("GET", "POST"):
        error = {"error": f"no {method} {path} here: GET or POST /_emulator/schedules"}
        return _respond(start_response, 404, json_headers, json.dumps(error))
    if method == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            enabled = json.loads(body)["enabled"]
        except (json.JSONDecodeError, KeyError, TypeError):
            enabled = None
        if not isinstance(enabled, bool):
            error = {"error": f'the body is {{"enabled": true}} or {{"enabled": false}}, not {body.decode()!r}'}
            return _respond(start_response, 400, json_headers, json.dumps(error))
        settings.current().schedules_enabled = enabled
    return _respond(start_response, 200, json_headers, json.dumps({"enabled": settings.current().schedules_enabled}))


def _respond(start_response: StartResponse, status: int, headers: dict[str, str], body: str) -> Iterable[bytes]:
    data = body.encode()
    start_response(
        f"{status} {'OK' if status < 400 else 'Error'}", [*headers.items(), ("Content-Length", str(len(data)))]
    )
    return [data]
