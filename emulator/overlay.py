"""AWS operations written here stand in front of moto's own.

    @operation("glue", "StartJobRun")
    def start_job_run(ctx: Context, params: dict) -> dict | None: ...

`params` and the result are as in the AWS API's model, names included (as boto3 takes and returns them). The function
raises AwsError to refuse, and returns FALL_THROUGH to have moto's method answer.
"""

import functools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import moto.backend_index
import moto.backends
from botocore.model import OperationNotFoundError
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class
from werkzeug.exceptions import HTTPException

from emulator import request_log, validation

FALL_THROUGH = object()  # what an operation returns for moto's own method to run


class AwsError(ServiceException):
    """A refusal, as the caller's SDK shows it. `status` is the HTTP status; SDKs retry from 500."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


@dataclass(frozen=True)
class Context:
    """The call being answered."""

    account: str  # twelve digits
    region: str
    access_key: str
    action: str  # the operation's name
    response: BaseResponse  # moto's object for this request: its headers, body and backend


Operation = Callable[[Context, dict[str, Any]], Any]

_operations: dict[tuple[str, str], Operation] = {}


def operation(service: str, *names: str) -> Callable[[Operation], Operation]:
    """Answer the named operations of a service (its boto3 name) by the decorated function."""

    def register(function: Operation) -> Operation:
        for name in names:
            if (service, name) in _operations:
                raise ValueError(f"{service}:{name} is answered twice: {_operations[service, name]} and {function}")
            _operations[service, name] = function
        return function

    return register


def new_service(service: str, url_pattern: str) -> None:
    """Add a service that moto does not have; `url_pattern` matches the URL of its endpoint in AWS.

    Its operations are those registered by `operation`.
    """

    class Response(BaseResponse):
        def __init__(self) -> None:
            super().__init__(service_name=service)

    class Backend(BaseBackend):
        __module__ = f"moto.{service}.models"  # moto reads the service's name there
        flask_paths: ClassVar = {"/": Response.dispatch, "/<path:path>": Response.dispatch}

    backends = BackendDict(Backend, service, use_boto3_regions=False, additional_regions=["us-east-1"])
    get_backend = moto.backends.get_backend
    moto.backends.get_backend = lambda name: backends if name == service else get_backend(name)
    moto.backend_index.backend_url_patterns.append((service, re.compile(url_pattern)))


def _call_action(response: BaseResponse) -> tuple[int, dict[str, Any], str | bytes]:
    """Authorize a call, answer it by the operation registered here or else by moto's method."""
    # moto changes this for one answer on the class, where other threads' answers are being written.
    response.RESPONSE_KEY_PATH_TO_TRANSFORMER = dict(response.RESPONSE_KEY_PATH_TO_TRANSFORMER)
    try:
        outcome = _authorize_and_answer(response)
    except ServiceException as error:
        outcome = ActionResult(error)
    except HTTPException as error:
        outcome = error.description, {**dict(error.get_headers() or []), "status": error.code}

    if isinstance(outcome, ActionResult):
        status, headers, body = response.serialized(outcome)
        status = getattr(outcome.result, "status", status) if isinstance(outcome.result, AwsError) else status
    elif isinstance(outcome, str):
        status, headers, body = 200, response.response_headers, outcome
    else:
        status, headers, body = response._transform_response(response.response_headers, outcome)
    headers["status"] = str(status)
    headers, body = response._enrich_response(headers, body)
    return status, headers, body


def _authorize_and_answer(response: BaseResponse) -> Any:
    service, action = response.boto3_service_name, response._get_action()
    if not action:
        raise AwsError("UnknownOperationException", f"{response.method} {response.path} is no operation of {service}")
    request_log.annotate(action=f"{service}:{action}")
    resource = response._determine_resource() if hasattr(response, "_determine_resource") else "*"
    response._authenticate_and_authorize_normal_action(resource)

    parameters = _parameters(response, service, action)
    result: Any = FALL_THROUGH
    if (service, action) in _operations:
        context = Context(response.current_account, response.region, response.access_key, action, response)
        result = _operations[service, action](context, parameters)
    if result is not FALL_THROUGH:
        return ActionResult(result if result is not None else {})

    method = camelcase_to_underscores(action)
    if method not in _method_names(type(response)):
        raise not_emulated(service, action)
    try:
        return getattr(response, method)()
    except NotImplementedError as error:
        raise not_emulated(service, action, str(error)) from error


def not_emulated(service: str, action: str, detail: str = "") -> AwsError:
    """The refusal of an operation that nothing here answers. Not a 5xx: SDKs would try that again and again."""
    message = f"The emulator has no {service}:{action}" + (f" ({detail})" if detail else "")
    return AwsError("NotImplementedByEmulator", message)


def _parameters(response: BaseResponse, service: str, action: str) -> dict[str, Any]:
    """The request's parameters, named and typed as in the API's model, and checked against it."""
    model = get_service_model(service)
    try:
        operation_model = model.operation_model(action)
    except OperationNotFoundError as error:
        raise not_emulated(service, action) from error
    request = response.normalized_request
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)]
    parameters = parser(operation_model, map_type=dict).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": response.uri_match,
        }
    )
    refusal = validation.refusal(service, operation_model.input_shape, parameters)
    if refusal is not None:
        raise AwsError(*refusal)
    return parameters


def _create_instance(model: type, *_arguments: Any, **_options: Any) -> Any:
    return object.__new__(model)


BaseResponse.call_action = _call_action
BaseModel.__new__ = _create_instance  # moto's keeps every object it ever made, deleted ones too, for a dashboard
_method_names = functools.cache(method_names_from_class)

# moto warns of every error code that the service's model does not list; ours are AWS's, and the models are incomplete.
warnings.filterwarnings("ignore", message=r".*does not match an error shape in service models")
