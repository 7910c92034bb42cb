"""Roles for tests: made by an administrator, assumed through STS as anybody would."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.client import BaseClient
from conftest import ACCOUNT, REGION, Emulator

TRUST_ACCOUNT = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


def allow(action: str | Sequence[str], resource: str | Sequence[str] = "*", **elements: Any) -> dict[str, Any]:
    """An Allow statement; further elements by name: `Condition={…}`."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


def policy(*statements: Mapping[str, Any]) -> str:
    """The JSON text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Role:
    """A role of the test account with one inline policy."""

    def __init__(self, emulator: Emulator, name: str, *statements: Mapping[str, Any], **options: Any) -> None:
        self.name = name
        self.arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        self._emulator = emulator
        iam = emulator.client("iam")
        iam.create_role(RoleName=name, **{"AssumeRolePolicyDocument": json.dumps(TRUST_ACCOUNT), **options})
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=policy(*statements))

    def session(self, session_name: str = "test", **options: Any) -> boto3.session.Session:
        """Assume the role; `Policy` in the options is a session policy."""
        sts = self._emulator.client("sts")
        credentials = sts.assume_role(RoleArn=self.arn, RoleSessionName=session_name, **options)["Credentials"]
        return boto3.session.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=REGION,
        )

    def client(self, service: str, **options: Any) -> BaseClient:
        """A client of a new session."""
        return self.session(**options).client(service, endpoint_url=self._emulator.endpoint)
