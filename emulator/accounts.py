"""Whose call it is. The account is told by the access key alone: of an administrator, a role session or an IAM user.

An administrator's key is `AKIA`, four characters and the account's twelve digits, with any secret:
`AKIAADMN111111111111` administers account 111111111111. It needs no registration, so it survives a restart.
"""

import re
import threading
from dataclasses import dataclass

import boto3
import moto.iam.models
from botocore.client import BaseClient
from moto.core.responses import BaseResponse
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, sts_backends

from emulator import settings
from emulator.overlay import AwsError

# In a header (with slashes) or in the query of a presigned URL (with slashes encoded).
_CREDENTIAL = re.compile(r"Credential=([A-Z0-9]+)(?:/|%2F)\d{8}(?:/|%2F)([^/%]+)(?:/|%2F)([^/%]+)")
_ADMIN_KEY = re.compile(r"AKIA[A-Z0-9]{4}(\d{12})")
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(.+)")
_SESSION_SECONDS = 12 * 60 * 60

# One for all clients: it keeps the services' models, which take up to 0.3 s to read. Not safe for threads.
_sdk = boto3.session.Session()
_making_client = threading.Lock()


@dataclass(frozen=True)
class Signature:
    """What a request says that it was signed with and for; nothing here verifies it."""

    access_key: str
    region: str
    service: str


def signature_of(authorization: str, query: str) -> Signature | None:
    """The signature (version 4) in a request's Authorization header or query string, None when it has none."""
    match = _CREDENTIAL.search(authorization) or _CREDENTIAL.search(query)
    return Signature(*match.groups()) if match else None


def account_of(access_key: str) -> str | None:
    """The account (12 digits) that an access key belongs to, None when nobody was given that key."""
    if admin := _ADMIN_KEY.fullmatch(access_key):
        return admin[1]
    for account, partitions in list(iam_backends.items()):
        if access_key in partitions["aws"].access_keys:
            return account
    return None


def _access_key(response: BaseResponse) -> str:
    return signature_of(response.headers.get("Authorization", ""), response.parsed_url.query).access_key


# The server refuses unsigned calls and unknown keys itself, so moto asks for known keys only. Its own way to find the
# key does not see presigned URLs.
moto.iam.models.get_account_id_from = account_of
BaseResponse.get_access_key = _access_key


def session_of(account: str, access_key: str) -> AssumedRole | None:
    """The role session that an access key was issued to, None for an administrator's or a user's key."""
    return sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)


@dataclass(frozen=True)
class Credentials:
    """A role session, as an AWS service gets one to act for its customer."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    role_arn: str

    def as_environment(self) -> dict[str, str]:
        """The environment variables in which AWS SDKs look for credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }

    def client(self, service: str, region: str) -> BaseClient:
        """A boto3 client for this emulator: its calls are authorized and logged as the role's."""
        with _making_client:
            return _sdk.client(
                service,
                region_name=region,
                endpoint_url=settings.current().endpoint,
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                aws_session_token=self.session_token,
            )


def role_session(account: str, role_name_or_arn: str, session_name: str) -> Credentials:
    """Assume a role of `account` as an AWS service does; the session lasts twelve hours."""
    if role_name_or_arn.startswith("arn:"):
        match = _ROLE_ARN.fullmatch(role_name_or_arn)
        if match is None or match[1] != account:
            raise AwsError("InvalidInputException", f"{role_name_or_arn} is not the ARN of a role of account {account}")
        role_name = match[2].rsplit("/", 1)[-1]
    else:
        role_name = role_name_or_arn
    role = next((role for role in iam_backends[account]["aws"].roles.values() if role.name == role_name), None)
    if role is None:
        raise AwsError("InvalidInputException", f"Role {role_name} of account {account} does not exist")
    session = sts_backends[account]["aws"].assume_role(
        region_name="aws-global",
        role_session_name=session_name,
        role_arn=role.arn,
        policy=None,
        duration=_SESSION_SECONDS,
        external_id=None,
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token, role.arn)
