"""sts:AssumeRoleWithWebIdentity as GitHub's workflows use it."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import Role, allow

ISSUER = "https://token.actions.example"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.example"
SUBJECT = "repo:o/r:environment:prod"
OTHER_ACCOUNT = "222222222222"


def token(**claims: Any) -> str:
    """A JSON Web Token; nobody here looks at its signature."""
    # Parameters of tests are made when pytest collects them, many minutes before the tests run.
    every = {"iss": ISSUER, "aud": "sts.amazonaws.com", "sub": SUBJECT, "exp": time.time() + 3600, **claims}
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, every))


@pytest.fixture(scope="module")
def role(emulator: Emulator) -> Role:
    emulator.client("iam").create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"token.actions.example:aud": "sts.amazonaws.com", "token.actions.example:sub": SUBJECT}
            },
        }
    }
    return Role(emulator, "web-deploy", allow("glue:GetDatabases"), AssumeRolePolicyDocument=json.dumps(trust))


@pytest.fixture(scope="module")
def assume(emulator: Emulator, role: Role) -> Callable[..., dict[str, Any]]:
    """Assumes the role as somebody without any credentials: by a token."""
    sts = boto3.client(
        "sts", endpoint_url=emulator.endpoint, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )

    def by_token(web_identity_token: str, **options: Any) -> dict[str, Any]:
        return sts.assume_role_with_web_identity(
            **{"RoleArn": role.arn, "RoleSessionName": "run", "WebIdentityToken": web_identity_token, **options}
        )

    return by_token


def client(emulator: Emulator, service: str, credentials: dict[str, str]) -> BaseClient:
    return boto3.client(
        service,
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def test_a_trusted_job_gets_what_the_role_may(emulator: Emulator, assume: Callable[..., dict[str, Any]]) -> None:
    assumed = assume(token())
    assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-deploy/run"
    assert (assumed["Provider"], assumed["SubjectFromWebIdentityToken"]) == (PROVIDER, SUBJECT)
    credentials = assumed["Credentials"]
    assert client(emulator, "sts", credentials).get_caller_identity()["Arn"] == assumed["AssumedRoleUser"]["Arn"]
    assert client(emulator, "glue", credentials).get_databases()["DatabaseList"] is not None
    with pytest.raises(ClientError, match="not authorized to perform: glue:CreateDatabase"):
        client(emulator, "glue", credentials).create_database(DatabaseInput={"Name": "web"})


@pytest.mark.parametrize(
    ("web_identity_token", "code", "message"),
    [
        (token(sub="repo:o/r:pull_request"), "AccessDenied", "Not authorized to perform"),
        (token(sub=f"{SUBJECT}2"), "AccessDenied", "Not authorized to perform"),
        (token(aud="someone.else"), "InvalidIdentityToken", "Incorrect token audience"),
        (token(iss="https://other.example"), "InvalidIdentityToken", "No OpenIDConnect provider found"),
        (token(exp=1), "ExpiredTokenException", "Token expired"),
        ("nonsense", "InvalidIdentityToken", "not a valid JWT"),
    ],
)
def test_others_are_refused(
    assume: Callable[..., dict[str, Any]], web_identity_token: str, code: str, message: str
) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        assume(web_identity_token)
    assert refused.value.response["Error"]["Code"] == code


def test_only_roles_that_trust_the_provider_are_given(
    emulator: Emulator, assume: Callable[..., dict[str, Any]]
) -> None:
    unrelated = Role(emulator, "web-unrelated", allow("*"))
    missing = f"arn:aws:iam::{ACCOUNT}:role/web-none"
    for arn in (unrelated.arn, missing):
        with pytest.raises(ClientError, match="Not authorized to perform"):
            assume(token(), RoleArn=arn)
    with pytest.raises(ClientError, match="No OpenIDConnect provider found"):
        assume(token(), RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/web-deploy")


def test_a_session_lasts_no_longer_than_the_role_allows(assume: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ClientError, match="MaxSessionDuration"):
        assume(token(), DurationSeconds=7200)


def test_every_attempt_is_in_the_request_log(emulator: Emulator, assume: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ClientError):
        assume(token(sub="repo:o/r:logged"))
    assume(token())
    refused, allowed = [each for each in emulator.requests() if each["action"] == "sts:AssumeRoleWithWebIdentity"][-2:]
    assert (refused["principal"], refused["decision"]) == (f"{PROVIDER} repo:o/r:logged", "deny")
    assert (allowed["principal"], allowed["decision"]) == (f"{PROVIDER} {SUBJECT}", "allow")


def test_other_calls_still_need_a_signature(emulator: Emulator) -> None:
    sts = boto3.client(
        "sts", endpoint_url=emulator.endpoint, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )
    with pytest.raises(ClientError, match="missing Authentication Token"):
        sts.get_session_token()
