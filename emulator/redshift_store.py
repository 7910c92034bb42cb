"""What Redshift Serverless keeps of an account and region: namespaces, workgroups, usage limits, and their tags."""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.secretsmanager.models import FakeSecret

from emulator.overlay import AwsError, new_service
from emulator.redshift_database import Database

SERVICE = "redshift-serverless"

new_service(SERVICE, r"https?://redshift-serverless\.(.+)\.amazonaws\.com")


@dataclass
class Namespace:
    """Database and users. `settings` are those of its API fields that are told as they were given."""

    name: str
    id: str
    arn: str
    database: Database
    settings: dict[str, Any]
    admin_password: str | None = None
    secret: FakeSecret | None = None  # in which Redshift keeps the administrator's password, when it manages it
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def default_role(self) -> str | None:
        return self.settings.get("defaultIamRoleArn") or None

    def describe(self, status: str = "AVAILABLE") -> dict[str, Any]:
        """The API's Namespace."""
        described = {
            **self.settings,
            "namespaceName": self.name,
            "namespaceId": self.id,
            "namespaceArn": self.arn,
            "dbName": self.database.name,
            "adminUsername": self.database.administrator,
            "iamRoles": [f"IamRole(applyStatus=in-sync, iamRoleArn={arn})" for arn in self.settings["iamRoles"]],
            "creationDate": self.created,
            "status": status,
        }
        return described if self.secret is None else {**described, "adminPasswordSecretArn": self.secret.arn}


@dataclass
class Workgroup:
    """Compute for one namespace. `settings` are its API fields as they are told."""

    name: str
    id: str
    arn: str
    namespace: Namespace
    settings: dict[str, Any]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def describe(self, status: str = "AVAILABLE") -> dict[str, Any]:
        """The API's Workgroup."""
        return {
            **self.settings,
            "workgroupName": self.name,
            "workgroupId": self.id,
            "workgroupArn": self.arn,
            "namespaceName": self.namespace.name,
            "creationDate": self.created,
            "status": status,
        }


@dataclass
class Store:
    """By name; usage limits by id, tags by ARN."""

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    workgroups: dict[str, Workgroup] = field(default_factory=dict)
    usage_limits: dict[str, dict[str, Any]] = field(default_factory=dict)
    final_snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name; refused when there is none."""
        if name not in self.namespaces:
            raise not_found("Namespace", name)
        return self.namespaces[name]

    def workgroup(self, name: str) -> Workgroup:
        """The workgroup of that name; refused when there is none."""
        if name not in self.workgroups:
            raise not_found("Workgroup", name)
        return self.workgroups[name]

    def usage_limit(self, limit_id: str) -> dict[str, Any]:
        """The usage limit of that id; refused when there is none."""
        if limit_id not in self.usage_limits:
            raise not_found("Usage limit", limit_id)
        return self.usage_limits[limit_id]


_stores: dict[tuple[str, str], Store] = defaultdict(Store)


def store(account: str, region: str) -> Store:
    return _stores[account, region]


def new_id_and_arn(account: str, region: str, kind: str) -> tuple[str, str]:
    """Of a namespace, a workgroup or a usagelimit."""
    new_id = str(uuid.uuid4())
    return new_id, f"arn:aws:{SERVICE}:{region}:{account}:{kind}/{new_id}"


def not_found(kind: str, name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"{kind} {name} not found.")


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def page(kind: str, items: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
    """A page of a listing; its token is the number of the item that the next page begins with."""
    token = params.get("nextToken", "00000000")
    if not token.isdecimal():
        raise invalid(f"Invalid nextToken {token}: it was expected as an earlier page gave it")
    first, last = int(token), int(token) + params.get("maxResults", 100)
    answer: dict[str, Any] = {kind: items[first:last]}
    return {**answer, "nextToken": f"{last:08}"} if last < len(items) else answer
