"""A DB instance's network, keys, monitoring and protection, three accounts with the same names beside each other."""

from collections.abc import Iterator
from typing import Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import Role, allow, policy
from test_rds import DEFINITION, Database, refusal

TRUST_MONITORING = policy(
    {"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}, "Action": "sts:AssumeRole"}
)


@pytest.fixture(scope="module")
def rds(emulator: Emulator) -> Any:
    return emulator.client("rds")


@pytest.fixture(scope="module")
def network(emulator: Emulator, rds: Any) -> dict[str, str]:
    """A subnet group over three zones, a security group of its network and one of another's."""
    ec2 = emulator.client("ec2")
    vpc, elsewhere = (ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"] for cidr in ("10.20.0.0/16", "10.21.0.0/16"))

    def subnet(vpc: str, cidr: str, zone: str) -> str:
        zone = f"{REGION}{zone}"
        return ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]

    subnets = [subnet(vpc, f"10.20.{number}.0/24", zone) for number, zone in enumerate("abc")]
    group = {"DBSubnetGroupName": "options", "DBSubnetGroupDescription": "for tests"}
    mixed = [*subnets, subnet(elsewhere, "10.21.0.0/24", "a")]
    assert refusal(rds.create_db_subnet_group, **group, SubnetIds=mixed)[0] == "InvalidSubnet"
    rds.create_db_subnet_group(**group, SubnetIds=subnets)
    inside, outside = (
        ec2.create_security_group(GroupName="options", Description="for tests", VpcId=each)["GroupId"]
        for each in (vpc, elsewhere)
    )
    return {"vpc": vpc, "inside": inside, "outside": outside}


@pytest.fixture(scope="module")
def monitoring(emulator: Emulator) -> str:
    return Role(emulator, "rds-monitoring", AssumeRolePolicyDocument=TRUST_MONITORING).arn


@pytest.fixture(scope="module")
def database(emulator: Emulator, network: dict[str, str], monitoring: str) -> Iterator[Database]:
    definition = {
        **DEFINITION,
        "DBSubnetGroupName": "options",
        "VpcSecurityGroupIds": [network["inside"]],
        "MultiAZ": True,
        "DeletionProtection": True,
        "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
        "EnableIAMDatabaseAuthentication": True,
        "MonitoringInterval": 60,
        "MonitoringRoleArn": monitoring,
        "EnablePerformanceInsights": True,
        "PerformanceInsightsRetentionPeriod": 465,
        "DatabaseInsightsMode": "advanced",
    }
    database = Database(emulator, "options", definition)
    yield database
    database.rds.modify_db_instance(DBInstanceIdentifier="options", DeletionProtection=False)
    database.delete()


def test_options_are_described(database: Database, network: dict[str, str], monitoring: str) -> None:
    description = database.describe()
    assert description["DBSubnetGroup"]["VpcId"] == network["vpc"]
    assert len(description["DBSubnetGroup"]["Subnets"]) == 3
    assert {
        name: description[name]
        for name in (
            "MultiAZ",
            "EnabledCloudwatchLogsExports",
            "IAMDatabaseAuthenticationEnabled",
            "MonitoringInterval",
            "MonitoringRoleArn",
            "PerformanceInsightsEnabled",
            "PerformanceInsightsRetentionPeriod",
            "DatabaseInsightsMode",
        )
    } == {
        "MultiAZ": True,
        "EnabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "IAMDatabaseAuthenticationEnabled": True,
        "MonitoringInterval": 60,
        "MonitoringRoleArn": monitoring,
        "PerformanceInsightsEnabled": True,
        "PerformanceInsightsRetentionPeriod": 465,
        "DatabaseInsightsMode": "advanced",
    }


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"KmsKeyId": "none", "StorageEncrypted": True}, "KMSKeyNotAccessibleFault", "key/none does not exist"),
        ({"MasterUserSecretKmsKeyId": "none"}, "KMSKeyNotAccessibleFault", "key/none does not exist"),
        ({"PerformanceInsightsKMSKeyId": "none"}, "KMSKeyNotAccessibleFault", "key/none does not exist"),
        ({"EnableCloudwatchLogsExports": ["error"]}, "InvalidParameterCombination", "cannot use the log types error"),
        ({"MonitoringInterval": 7}, "InvalidParameterValue", "Invalid MonitoringInterval 7"),
        ({"MonitoringInterval": 60}, "InvalidParameterCombination", "A MonitoringRoleARN value is required"),
        (
            {"MonitoringInterval": 60, "MonitoringRoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"},
            "InvalidParameterValue",
            "required permissions for: ENHANCED_MONITORING",
        ),
        ({"DatabaseInsightsMode": "advanced"}, "InvalidParameterCombination", "to at least 465 days"),
        (
            {"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 8},
            "InvalidParameterValue",
            "retention period 8",
        ),
        ({"CACertificateIdentifier": "rds-ca-2019"}, "CertificateNotFound", "rds-ca-2019"),
        ({"VpcSecurityGroupIds": ["sg-none"]}, "InvalidParameterValue", "groupId= sg-none"),
    ],
)
def test_options_that_rds_refuses(rds: Any, options: dict[str, Any], code: str, message: str) -> None:
    answer = refusal(rds.create_db_instance, DBInstanceIdentifier="refused", **{**DEFINITION, **options})
    assert (answer[0], message in answer[1]) == (code, True)
    assert refusal(rds.describe_db_instances, DBInstanceIdentifier="refused")[0] == "DBInstanceNotFound"


def test_security_groups_are_of_the_instances_network(rds: Any, database: Database, network: dict[str, str]) -> None:
    outside = {"VpcSecurityGroupIds": [network["outside"]]}
    created = refusal(
        rds.create_db_instance, DBInstanceIdentifier="refused", **DEFINITION, **outside, DBSubnetGroupName="options"
    )
    modified = refusal(rds.modify_db_instance, DBInstanceIdentifier="options", **outside)
    for code, message in (created, modified):
        assert (code, "are in different VPCs" in message) == ("InvalidVPCNetworkStateFault", True)


def test_changes_that_wait_for_the_maintenance_window(rds: Any, database: Database) -> None:
    def modify(**changes: Any) -> dict[str, Any]:
        return rds.modify_db_instance(DBInstanceIdentifier="options", **changes)["DBInstance"]

    modified = modify(DBInstanceClass="db.t4g.small", MonitoringInterval=30, ApplyImmediately=False)
    assert (modified["DBInstanceClass"], modified["MonitoringInterval"]) == ("db.t4g.micro", 30)
    assert modified["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small"}
    modified = modify(AllocatedStorage=30, ApplyImmediately=True)
    assert (modified["DBInstanceClass"], modified["AllocatedStorage"]) == ("db.t4g.small", 30)
    assert modified["PendingModifiedValues"] == {}


def test_a_protected_instance_is_not_deleted(rds: Any, database: Database) -> None:
    refused = refusal(rds.delete_db_instance, DBInstanceIdentifier="options", SkipFinalSnapshot=True)
    assert refused[0] == "InvalidParameterCombination"
    assert "disable deletion protection" in refused[1]
    assert database.connect().run("select 1") == [[1]]


def test_a_final_snapshot_stays_and_its_name_is_taken_once(emulator: Emulator, rds: Any) -> None:
    final = {"DBInstanceIdentifier": "final", "FinalDBSnapshotIdentifier": "final-snapshot"}
    Database(emulator, "final", DEFINITION)
    rds.delete_db_instance(**final)
    (snapshot,) = rds.describe_db_snapshots(DBSnapshotIdentifier="final-snapshot")["DBSnapshots"]
    assert snapshot["DBInstanceIdentifier"] == "final"
    again = Database(emulator, "final", DEFINITION)
    assert refusal(rds.delete_db_instance, **final)[0] == "DBSnapshotAlreadyExists"
    again.delete()


def test_the_master_secret_needs_its_key(emulator: Emulator) -> None:
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    database = Database(emulator, "secret", {**DEFINITION, "MasterUserSecretKmsKeyId": key})
    secret = database.describe()["MasterUserSecret"]
    assert secret["KmsKeyId"] == key
    reader = Role(emulator, "rds-secret", allow("secretsmanager:GetSecretValue", secret["SecretArn"]))
    with pytest.raises(ClientError, match=f"kms:Decrypt on resource: {key}"):
        reader.client("secretsmanager").get_secret_value(SecretId=secret["SecretArn"])
    database.delete()


def test_who_creates_an_instance_needs_its_keys(emulator: Emulator) -> None:
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = Role(emulator, "rds-creates", allow("rds:*"))
    encrypted = {**DEFINITION, "DBInstanceIdentifier": "refused", "StorageEncrypted": True, "KmsKeyId": key}
    code, message = refusal(role.client("rds").create_db_instance, **encrypted)
    assert (code, f"kms:DescribeKey on resource: {key}" in message) == ("AccessDenied", True)


def test_the_same_identifier_in_three_accounts_is_three_servers(emulator: Emulator) -> None:
    databases = [
        Database(emulator, "dataengineering-db", DEFINITION, account)
        for account in (ACCOUNT, "222222222222", "333333333333")
    ]
    connections = [database.connect() for database in databases]
    for number, connection in enumerate(connections):
        connection.run(f"create table mine as select {number} as number")
    systems = [connection.run("select system_identifier from pg_control_system()") for connection in connections]
    assert len({system[0][0] for system in systems}) == 3
    assert [connection.run("select number from mine") for connection in connections] == [[[0]], [[1]], [[2]]]

    with pytest.raises(pg8000.native.DatabaseError, match="28P01"):
        databases[0].connect(password=databases[1].master_password())
    databases[0].delete()
    assert connections[1].run("select number from mine") == [[1]]
    for database in databases[1:]:
        database.delete()
