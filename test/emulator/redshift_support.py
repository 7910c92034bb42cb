"""What tests of Redshift share: a network, namespaces with workgroups, and somebody who submits statements."""

import json
import time
from collections.abc import Sequence
from typing import Any

from botocore.client import BaseClient
from conftest import ACCOUNT, Emulator
from roles import Role

TRUST_REDSHIFT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def subnets_by_zone(emulator: Emulator) -> list[str]:
    """A subnet of the default VPC in each zone."""
    subnets = emulator.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    return [subnet["SubnetId"] for subnet in subnets["Subnets"]]


def spectrum_role(emulator: Emulator, name: str, *statements: dict[str, Any], trust: str = TRUST_REDSHIFT) -> Role:
    return Role(emulator, name, *statements, AssumeRolePolicyDocument=trust)


def create_warehouse(serverless: BaseClient, name: str, **namespace: Any) -> dict[str, Any]:
    """A namespace whose administrator Redshift manages, with a workgroup of the same name; returns the namespace."""
    options = {"manageAdminPassword": True, "dbName": "trackman", **namespace}
    created = serverless.create_namespace(namespaceName=name, **options)["namespace"]
    serverless.create_workgroup(namespaceName=name, workgroupName=name, baseCapacity=8)
    return created


class Submitter:
    """Somebody with a client of the Data API; with a secret they are the user in it."""

    def __init__(self, data: BaseClient, workgroup: str, secret_arn: str | None = None) -> None:
        self.data = data
        self._target = {"WorkgroupName": workgroup, "Database": "trackman"}
        if secret_arn is not None:
            self._target["SecretArn"] = secret_arn

    def start(self, sql: str, **options: Any) -> str:
        return self.data.execute_statement(Sql=sql, **{**self._target, **options})["Id"]

    def wait(self, statement_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            described = self.data.describe_statement(Id=statement_id)
            if described["Status"] not in ("SUBMITTED", "PICKED", "STARTED"):
                return described
            time.sleep(0.05)
        raise TimeoutError(f"statement {statement_id} did not end")

    def run(self, sql: str, **options: Any) -> dict[str, Any]:
        """Run to the end, which must be FINISHED."""
        described = self.wait(self.start(sql, **options))
        assert described["Status"] == "FINISHED", described
        return described

    def rows(self, sql: str) -> list[Sequence[Any]]:
        result = self.data.get_statement_result(Id=self.run(sql)["Id"])
        return [tuple(_value(field) for field in record) for record in result["Records"]]

    def failure(self, sql: str, **options: Any) -> str:
        """Error of a statement that must fail."""
        described = self.wait(self.start(sql, **options))
        assert described["Status"] == "FAILED", described
        return described["Error"]


def _value(field: dict[str, Any]) -> Any:
    kind, value = next(iter(field.items()))
    return None if kind == "isNull" else value


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"
