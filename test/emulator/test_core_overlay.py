"""Operations written for the emulator, in front of moto's and for services that moto does not have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from emulator import overlay, request_log, settings
from emulator.application import Application
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation
from emulator.settings import Settings

# pytest resets the filter by which the emulator keeps moto from warning of error codes that models do not list.
pytestmark = pytest.mark.filterwarnings("ignore:.*does not match an error shape")

SIGNATURE = "AWS4-HMAC-SHA256 Credential=AKIATEST123456789012/20260101/eu-central-1/{service}/aws4_request, Signature=x"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The emulator's WSGI application without any of its services."""
    data_dir = tmp_path_factory.mktemp("overlay")
    settings.configure(Settings(port=0, data_dir=data_dir, toolchain=None))
    overlay.new_service("redshift-serverless", r"https?://redshift-serverless\.(.+)\.amazonaws\.com")
    request_log.open_in(data_dir)
    yield Client(Application())


def call(application: Client, service: str, target: str, **parameters: Any) -> tuple[int, dict[str, Any]]:
    response = application.post(
        "/",
        headers={"Authorization": SIGNATURE.format(service=service), "X-Amz-Target": target},
        content_type="application/x-amz-json-1.1",
        data=json.dumps(parameters),
    )
    return response.status_code, json.loads(response.data)


def refusal(application: Client, service: str, target: str, **parameters: Any) -> tuple[int, str, str]:
    """Status, code and message of a refused call."""
    status, error = call(application, service, target, **parameters)
    return status, error["__type"], error.get("Message") or error["message"]  # services write it one way or the other


def test_service_that_moto_does_not_have(application):
    @operation("redshift-serverless", "GetNamespace")
    def get_namespace(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
        assert (ctx.account, ctx.region, ctx.action) == ("123456789012", "eu-central-1", "GetNamespace")
        return {"namespace": {"namespaceName": params["namespaceName"], "status": "AVAILABLE"}}

    answer = call(application, "redshift-serverless", "RedshiftServerless.GetNamespace", namespaceName="warehouse")
    assert answer == (200, {"namespace": {"namespaceName": "warehouse", "status": "AVAILABLE"}})
    answer = refusal(application, "redshift-serverless", "RedshiftServerless.ListNamespaces")
    assert answer == (400, "NotImplementedByEmulator", "The emulator has no redshift-serverless:ListNamespaces")


def test_refusal_has_the_given_status(application):
    @operation("ssm", "GetParameter")
    def get_parameter(ctx: Context, params: dict[str, Any]) -> None:
        raise AwsError("ThrottlingException", "Rate exceeded", 429)

    answer = refusal(application, "ssm", "AmazonSSM.GetParameter", Name="n")
    assert answer == (429, "ThrottlingException", "Rate exceeded")


def test_falling_through_reaches_moto(application):
    seen = []

    @operation("ssm", "PutParameter")
    def put_parameter(ctx: Context, params: dict[str, Any]) -> Any:
        seen.append(params)
        return FALL_THROUGH

    status, answer = call(application, "ssm", "AmazonSSM.PutParameter", Name="n", Value="v", Type="String")
    assert (status, answer["Version"]) == (200, 1)
    assert seen == [{"Name": "n", "Value": "v", "Type": "String"}]


def test_bug_is_answered_without_inviting_retries(application):
    @operation("ssm", "DeleteParameter")
    def delete_parameter(ctx: Context, params: dict[str, Any]) -> None:
        raise LookupError("forgotten")

    status, code, message = refusal(application, "ssm", "AmazonSSM.DeleteParameter", Name="n")
    assert (status, code) == (400, "EmulatorFailure")
    assert message.startswith("LookupError: forgotten")


def test_operation_is_registered_once():
    def answer(ctx: Context, params: dict[str, Any]) -> None:
        raise NotImplementedError

    operation("ssm", "DescribeParameters")(answer)
    with pytest.raises(ValueError, match="ssm:DescribeParameters is answered twice"):
        operation("ssm", "DescribeParameters")(answer)


def test_unsigned_call_is_refused(application):
    answer = application.get("/bucket/key")
    assert answer.status_code == 403
    assert b"MissingAuthenticationToken" in answer.data


def test_toolchain_names_what_is_missing(tmp_path: Path):
    file = tmp_path / "toolchain.json"
    file.write_text(json.dumps({"gluePython": "/python", "java17": "/java"}))
    with pytest.raises(settings.SettingsError, match="lacks pythonShellPython, java25, sparkJars, trino"):
        settings.Toolchain.load(file)
