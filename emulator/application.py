"""The WSGI application: `/_emulator/…` is about the emulator itself, everything else is AWS."""

import functools
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

from flask import Flask
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from emulator import accounts, administration, faults, request_log, web_identity
from emulator.overlay import AwsError

StartResponse = Callable[..., Any]
Environ = dict[str, Any]

_log = logging.getLogger(__name__)


class Application:
    """Answers every call; whatever goes wrong, the caller's SDK gets an error that it can show at once."""

    def __init__(self) -> None:
        self._aws = DomainDispatcherApplication(_create_service)
        # moto lists its own directory at every request to find out which services it has.
        self._aws.get_backend_for_host = functools.cache(self._aws.get_backend_for_host)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(administration.PREFIX):
            return administration.answer(environ, start_response)
        signature = accounts.signature_of(environ.get("HTTP_AUTHORIZATION", ""), environ["QUERY_STRING"])
        request_log.begin(signature.access_key if signature else None)
        statuses: list[int] = []

        def noting_start_response(status: str, *arguments: Any) -> Any:
            statuses.append(int(status.split(" ", 1)[0]))
            return start_response(status, *arguments)

        try:
            return self._answer_aws(environ, noting_start_response, signature)
        finally:
            request_log.end(statuses[-1] if statuses else 0)

    def _answer_aws(
        self, environ: Environ, start_response: StartResponse, signature: accounts.Signature | None
    ) -> Iterable[bytes]:
        try:
            if signature is None and (form := web_identity.asked(environ)) is not None:
                return web_identity.answer(form, start_response)
            _check_signature(signature)
            if (fault := faults.happening_to(environ, signature.service)) is not None:
                if fault.executed:
                    faults.lose(self._aws(environ, lambda *_: None))
                else:
                    faults.take_in(environ)
                raise fault.error
            return self._aws(environ, start_response)
        except _UnknownService:
            error = AwsError("NotImplementedByEmulator", f"The emulator has no service {signature.service}")
        except AwsError as refusal:
            error = refusal
        except Exception as bug:  # noqa: BLE001
            # A bug here or in moto. Not answered as a 500: SDKs would try again for minutes before they show it.
            _log.exception("%s %s, signed as %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], signature)
            error = AwsError("EmulatorFailure", f"{type(bug).__name__}: {bug} (see the emulator's log)")
        return _refuse(environ, start_response, signature, error)


class _UnknownService(Exception):
    """Neither moto nor this emulator has the service that was called."""


def _create_service(name: str | None) -> Flask:
    if name is None:
        raise _UnknownService
    return create_backend_app(name)


def _check_signature(signature: accounts.Signature | None) -> None:
    if signature is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    if accounts.account_of(signature.access_key) is None:
        raise AwsError(
            "InvalidClientTokenId",
            f"Access key {signature.access_key} is unknown. An administrator's is AKIA, four characters and the "
            "account's twelve digits; a role session ends with the emulator that issued it.",
            403,
        )


def _refuse(
    environ: Environ, start_response: StartResponse, signature: accounts.Signature | None, error: AwsError
) -> Iterable[bytes]:
    """Answer an error outside any service, in the format that the caller's SDK reads."""
    is_s3 = signature is not None and signature.service == "s3"
    if is_s3 or environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        content_type = "text/xml"
        body = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        body = body if is_s3 else f"<ErrorResponse>{body}</ErrorResponse>"
    else:
        content_type = "application/json"
        body = json.dumps({"__type": error.code, "message": error.message})
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body.encode()))),
        ("X-Amzn-ErrorType", error.code),
    ]
    start_response(f"{error.status} Refused", headers)
    return [body.encode()]
