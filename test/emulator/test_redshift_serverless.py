"""Redshift Serverless through boto3: namespaces, workgroups, usage limits, and what AWS refuses of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from redshift_support import create_warehouse, role_arn, spectrum_role, subnets_by_zone
from roles import Role, allow

ARN = f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def serverless(emulator: Emulator) -> BaseClient:
    return emulator.client("redshift-serverless")


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


# --- Namespaces


def test_namespace_from_creation_to_deletion(emulator: Emulator, serverless: BaseClient) -> None:
    spectrum_role(emulator, "redshift-life")
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = role_arn("redshift-life")
    created = serverless.create_namespace(
        namespaceName="life",
        dbName="trackman",
        adminUsername="admin",
        manageAdminPassword=True,
        adminPasswordSecretKmsKeyId=key,
        kmsKeyId=key,
        iamRoles=[role],
        defaultIamRoleArn=role,
        logExports=["userlog"],
        tags=[{"key": "owner", "value": "data"}],
    )["namespace"]
    assert created["namespaceArn"] == f"{ARN}:namespace/{created['namespaceId']}"
    assert (created["dbName"], created["kmsKeyId"], created["logExports"]) == ("trackman", key, ["userlog"])
    assert created["iamRoles"] == [f"IamRole(applyStatus=in-sync, iamRoleArn={role})"]
    assert serverless.get_namespace(namespaceName="life")["namespace"] == {**created, "status": "AVAILABLE"}
    assert "life" in [each["namespaceName"] for each in serverless.list_namespaces()["namespaces"]]

    changed = serverless.update_namespace(namespaceName="life", logExports=["connectionlog"])["namespace"]
    assert (changed["status"], changed["logExports"]) == ("MODIFYING", ["connectionlog"])
    serverless.tag_resource(resourceArn=created["namespaceArn"], tags=[{"key": "stage", "value": "dev"}])
    serverless.untag_resource(resourceArn=created["namespaceArn"], tagKeys=["owner"])
    tags = serverless.list_tags_for_resource(resourceArn=created["namespaceArn"])["tags"]
    assert tags == [{"key": "stage", "value": "dev"}]

    deleted = serverless.delete_namespace(namespaceName="life", finalSnapshotName="life-final")["namespace"]
    assert deleted["status"] == "DELETING"
    assert refusal(serverless.get_namespace, namespaceName="life")[0] == "ResourceNotFoundException"
    assert serverless.get_snapshot(snapshotName="life-final")["snapshot"]["namespaceName"] == "life"


def test_managed_password_is_a_secret_of_its_own_that_goes_with_the_namespace(
    emulator: Emulator, serverless: BaseClient
) -> None:
    secrets = emulator.client("secretsmanager")
    values = []
    for name in ("managed-1", "managed-2"):
        arn = serverless.create_namespace(namespaceName=name, manageAdminPassword=True)["namespace"][
            "adminPasswordSecretArn"
        ]
        described = secrets.describe_secret(SecretId=arn)
        assert described["Name"] == f"redshift!{name}-admin"
        assert described["OwningService"] == "redshift"
        values.append(json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"]))
        serverless.delete_namespace(namespaceName=name)
        assert refusal(secrets.describe_secret, SecretId=arn)[0] == "ResourceNotFoundException"
    assert [value["username"] for value in values] == ["admin", "admin"]
    assert values[0]["password"] != values[1]["password"]


def test_password_can_be_given_and_then_managed(emulator: Emulator, serverless: BaseClient) -> None:
    given = serverless.create_namespace(namespaceName="given", adminUsername="me", adminUserPassword="Passw0rd-x")
    assert "adminPasswordSecretArn" not in given["namespace"]
    managed = serverless.update_namespace(namespaceName="given", manageAdminPassword=True)["namespace"]
    assert ":secret:redshift!given-me-" in managed["adminPasswordSecretArn"]
    back = {"namespaceName": "given", "manageAdminPassword": False}
    assert "You must specify adminUserPassword" in refusal(serverless.update_namespace, **back)[1]
    given = serverless.update_namespace(**back, adminUserPassword="Passw0rd-y")["namespace"]
    assert "adminPasswordSecretArn" not in given


WRONG_NAMESPACES = [
    ({"namespaceName": "no_underscore"}, "^[a-z0-9-]+$"),
    ({"dbName": "1st"}, "dbName 1st is not a name"),
    ({"adminUserPassword": "short1A"}, "8 to 64 printable"),
    ({"adminUserPassword": "Passw0rd", "manageAdminPassword": True}, "can't specify adminUserPassword"),
    ({"iamRoles": [f"arn:aws:iam::{ACCOUNT}:role/nobody"]}, "role/nobody does not exist"),
    ({"defaultIamRoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, "must be one of the namespace's IAM roles"),
    ({"kmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/none"}, "key/none does not exist"),
    ({"logExports": ["all"]}, "[useractivitylog, userlog, connectionlog]"),
]


@pytest.mark.parametrize(("params", "message"), WRONG_NAMESPACES, ids=[message for _, message in WRONG_NAMESPACES])
def test_a_wrong_namespace_is_refused(serverless: BaseClient, params: dict[str, Any], message: str) -> None:
    code, text = refusal(serverless.create_namespace, **{"namespaceName": "wrong", **params})
    assert code == "ValidationException"
    assert message in text
    assert "wrong" not in [each["namespaceName"] for each in serverless.list_namespaces()["namespaces"]]


def test_a_namespace_in_use_stays(serverless: BaseClient) -> None:
    create_warehouse(serverless, "in-use")
    assert refusal(serverless.create_namespace, namespaceName="in-use")[0] == "ConflictException"
    code, message = refusal(serverless.delete_namespace, namespaceName="in-use")
    assert (code, "is associated with workgroup in-use" in message) == ("ConflictException", True)
    second = refusal(serverless.create_workgroup, namespaceName="in-use", workgroupName="second")
    assert second == ("ConflictException", "Namespace in-use is already associated with workgroup in-use.")
    serverless.delete_workgroup(workgroupName="in-use")
    serverless.delete_namespace(namespaceName="in-use")


# --- Workgroups


def test_workgroup_from_creation_to_deletion(emulator: Emulator, serverless: BaseClient) -> None:
    subnets = subnets_by_zone(emulator)
    serverless.create_namespace(namespaceName="compute")
    created = serverless.create_workgroup(
        namespaceName="compute",
        workgroupName="compute",
        baseCapacity=4,
        maxCapacity=32,
        subnetIds=subnets,
        enhancedVpcRouting=True,
    )["workgroup"]
    assert created["status"] == "CREATING"
    workgroup = serverless.get_workgroup(workgroupName="compute")["workgroup"]
    assert workgroup == {**created, "status": "AVAILABLE"}
    assert workgroup["workgroupArn"] == f"{ARN}:workgroup/{workgroup['workgroupId']}"
    assert (workgroup["subnetIds"], workgroup["publiclyAccessible"], workgroup["port"]) == (subnets, False, 5439)
    assert workgroup["endpoint"]["address"] == f"compute.{ACCOUNT}.{REGION}.redshift-serverless.amazonaws.com"

    changed = serverless.update_workgroup(workgroupName="compute", baseCapacity=16)["workgroup"]
    assert (changed["status"], changed["baseCapacity"], changed["maxCapacity"]) == ("MODIFYING", 16, 32)
    serverless.delete_workgroup(workgroupName="compute")
    assert refusal(serverless.get_workgroup, workgroupName="compute")[0] == "ResourceNotFoundException"


def test_a_workgroup_tells_every_parameter_and_refuses_an_update_without_a_change(serverless: BaseClient) -> None:
    create_warehouse(serverless, "parameters")

    def parameters() -> dict[str, str]:
        told = serverless.get_workgroup(workgroupName="parameters")["workgroup"]["configParameters"]
        return {each["parameterKey"]: each["parameterValue"] for each in told}

    def update(key: str, value: str) -> dict[str, Any]:
        return {
            "workgroupName": "parameters",
            "configParameters": [{"parameterKey": key, "parameterValue": value}],
        }

    before = parameters()
    assert (before["require_ssl"], before["enable_user_activity_logging"]) == ("true", "true")
    assert "didn't specify any changes" in refusal(serverless.update_workgroup, **update("require_ssl", "true"))[1]
    assert "sort_fast is not a parameter" in refusal(serverless.update_workgroup, **update("sort_fast", "true"))[1]
    serverless.update_workgroup(**update("max_query_execution_time", "600"))
    assert parameters() == {**before, "max_query_execution_time": "600"}


WRONG_WORKGROUPS = [
    ({"baseCapacity": 5}, "Base capacity 5 is not 4, or a multiple of 8"),
    ({"baseCapacity": 12}, "Base capacity 12"),
    ({"baseCapacity": 520}, "Base capacity 520"),
    ({"baseCapacity": 32, "maxCapacity": 24}, "Max capacity 24"),
    ({"port": 443}, "Port 443 is not in"),
    ({"subnetIds": ["subnet-0"]}, "The subnet subnet-0 does not exist"),
    ({"securityGroupIds": ["sg-0"]}, "The security group sg-0 does not exist"),
    ({"workgroupName": "Upper"}, "^[a-z0-9-]+$"),
    (
        {"configParameters": [{"parameterKey": "require_ssl", "parameterValue": "false"}]},
        "can't disable require_ssl while the workgroup is being created",
    ),
]


@pytest.mark.parametrize(("params", "message"), WRONG_WORKGROUPS, ids=[message for _, message in WRONG_WORKGROUPS])
def test_a_wrong_workgroup_is_refused(serverless: BaseClient, params: dict[str, Any], message: str) -> None:
    serverless.create_namespace(namespaceName="bare")
    code, text = refusal(serverless.create_workgroup, **{"namespaceName": "bare", "workgroupName": "wrong", **params})
    serverless.delete_namespace(namespaceName="bare")  # nothing of the refused workgroup holds it
    assert code == "ValidationException"
    assert message in text


def test_a_workgroup_spans_three_zones_of_one_vpc(emulator: Emulator, serverless: BaseClient) -> None:
    subnets = subnets_by_zone(emulator)
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="elsewhere", Description="elsewhere", VpcId=vpc)["GroupId"]
    serverless.create_namespace(namespaceName="zones")
    workgroup = {"namespaceName": "zones", "workgroupName": "zones"}
    code, message = refusal(serverless.create_workgroup, **workgroup, subnetIds=subnets[:2])
    assert (code, "three Availability Zones" in message) == ("ValidationException", True)
    code, message = refusal(serverless.create_workgroup, **workgroup, subnetIds=subnets, securityGroupIds=[group])
    assert (code, "must be in one VPC" in message) == ("ValidationException", True)
    serverless.delete_namespace(namespaceName="zones")


def test_a_workgroup_of_no_namespace_is_refused(serverless: BaseClient) -> None:
    answer = refusal(serverless.create_workgroup, namespaceName="nothing", workgroupName="of-nothing")
    assert answer == ("ResourceNotFoundException", "Namespace nothing not found.")


# --- Usage limits


def test_usage_limit_from_creation_to_deletion(serverless: BaseClient) -> None:
    create_warehouse(serverless, "limited")
    arn = serverless.get_workgroup(workgroupName="limited")["workgroup"]["workgroupArn"]
    limit = serverless.create_usage_limit(resourceArn=arn, usageType="serverless-compute", amount=10)["usageLimit"]
    assert (limit["period"], limit["breachAction"]) == ("monthly", "log")
    same = {"resourceArn": arn, "usageType": "serverless-compute", "amount": 20}
    assert refusal(serverless.create_usage_limit, **same)[0] == "ConflictException"
    assert "positive number, not 0" in refusal(serverless.create_usage_limit, **{**same, "amount": 0})[1]
    assert "[daily, weekly, monthly]" in refusal(serverless.create_usage_limit, **same, period="hourly")[1]
    wrong_action = refusal(serverless.create_usage_limit, **same, breachAction="stop")
    assert "[log, emit-metric, deactivate]" in wrong_action[1]
    elsewhere = {**same, "resourceArn": f"{ARN}:workgroup/none"}
    assert refusal(serverless.create_usage_limit, **elsewhere)[0] == "ResourceNotFoundException"

    limit_id = limit["usageLimitId"]
    changed = serverless.update_usage_limit(usageLimitId=limit_id, amount=5, breachAction="deactivate")["usageLimit"]
    assert (changed["amount"], changed["breachAction"]) == (5, "deactivate")
    assert serverless.list_usage_limits(resourceArn=arn)["usageLimits"] == [changed]
    serverless.delete_usage_limit(usageLimitId=limit_id)
    assert refusal(serverless.get_usage_limit, usageLimitId=limit_id)[0] == "ResourceNotFoundException"


# --- IAM


def test_a_role_sees_the_workgroup_that_it_was_granted(emulator: Emulator, serverless: BaseClient) -> None:
    for name in ("mine", "not-mine"):
        create_warehouse(serverless, name)
    arn = serverless.get_workgroup(workgroupName="mine")["workgroup"]["workgroupArn"]
    role = Role(emulator, "redshift-login", allow("redshift-serverless:GetCredentials", arn))
    client = role.client("redshift-serverless")
    assert client.get_credentials(workgroupName="mine")["dbUser"] == "IAMR:redshift-login"
    assert refusal(client.get_credentials, workgroupName="not-mine")[0] == "AccessDeniedException"


def test_a_role_is_passed_to_a_namespace_by_who_may_pass_it(emulator: Emulator) -> None:
    spectrum_role(emulator, "redshift-passed")
    create = allow("redshift-serverless:CreateNamespace")
    namespace = {"namespaceName": "passed", "iamRoles": [role_arn("redshift-passed")]}
    without = Role(emulator, "redshift-deployer-1", create).client("redshift-serverless")
    assert "iam:PassRole" in refusal(without.create_namespace, **namespace)[1]
    passing = allow("iam:PassRole", role_arn("redshift-passed"))
    allowed = Role(emulator, "redshift-deployer-2", create, passing).client("redshift-serverless")
    assert allowed.create_namespace(**namespace)["namespace"]["namespaceName"] == "passed"


def test_what_is_not_emulated_is_refused_by_name(serverless: BaseClient) -> None:
    answer = refusal(serverless.list_recovery_points)
    assert answer == ("NotImplementedByEmulator", "The emulator has no redshift-serverless:ListRecoveryPoints")
