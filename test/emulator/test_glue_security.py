"""What surrounds jobs and crawlers: security configurations, encrypted logs, the catalog's key, networks."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from glue_support import GlueJobs, wait_for
from roles import Role, allow

LOGS = f"logs.{REGION}.amazonaws.com"
DESCRIBED = ["NetworkInterfaces", "RouteTables", "SecurityGroups", "Subnets", "VpcAttribute", "VpcEndpoints"]
LOG_USES = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]


@pytest.fixture(scope="module")
def jobs(emulator) -> GlueJobs:
    return GlueJobs(emulator)


def create_key(emulator: Emulator, log_group: str | None = None) -> str:
    """A key that the account's roles may use by their policies, and CloudWatch Logs for groups of that name."""
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ]
    if log_group:
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log_group}"
        condition = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}}
        statements.append(
            {
                "Effect": "Allow",
                "Principal": {"Service": LOGS},
                "Action": LOG_USES,
                "Resource": "*",
                "Condition": condition,
            }
        )
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return emulator.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]


def create_configuration(jobs: GlueJobs, key: str | None) -> str:
    name = f"encrypted-{uuid.uuid4().hex[:8]}"
    logs = (
        {"CloudWatchEncryptionMode": "SSE-KMS", "KmsKeyArn": key} if key else {"CloudWatchEncryptionMode": "DISABLED"}
    )
    jobs.glue.create_security_configuration(Name=name, EncryptionConfiguration={"CloudWatchEncryption": logs})
    return name


def refusal(call, **parameters) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_configuration_that_does_not_exist_is_refused(jobs):
    job = jobs.create("pass")
    script = f"s3://{jobs.bucket}/scripts/{job}.py"
    definition = {"Role": jobs.role.name, "Command": {"Name": "pythonshell", "ScriptLocation": script}}
    code, message = refusal(jobs.glue.create_job, Name="x", SecurityConfiguration="nobodys", **definition)
    assert (code, "nobodys" in message) == ("EntityNotFoundException", True)
    update = {**definition, "SecurityConfiguration": "nobodys"}
    assert refusal(jobs.glue.update_job, JobName=job, JobUpdate=update)[0] == "EntityNotFoundException"


def test_encryption_with_a_key_needs_one(jobs):
    for part in (
        {"CloudWatchEncryption": {"CloudWatchEncryptionMode": "SSE-KMS"}},
        {"JobBookmarksEncryption": {"JobBookmarksEncryptionMode": "CSE-KMS"}},
        {"S3Encryption": [{"S3EncryptionMode": "SSE-KMS"}]},
    ):
        code, message = refusal(
            jobs.glue.create_security_configuration, Name=f"x{uuid.uuid4().hex}", EncryptionConfiguration=part
        )
        assert (code, next(iter(part)) in message) == ("InvalidInputException", True)


def test_logs_of_a_job_go_to_an_encrypted_group_of_its_role(jobs, emulator):
    key = create_key(emulator, "/aws-glue/*")
    configuration = create_configuration(jobs, key)
    job = jobs.create("print('said')", SecurityConfiguration=configuration)
    run = jobs.run(job)
    assert run["JobRunState"] == "SUCCEEDED"
    assert run["LogGroupName"] == f"/aws-glue/python-jobs/{configuration}-role/{jobs.role.name}"
    assert jobs.log(run) == ["said"]
    (group,) = jobs.logs.describe_log_groups(logGroupNamePrefix=f"{run['LogGroupName']}/output")["logGroups"]
    assert group["kmsKeyId"] == key


def test_role_must_be_allowed_to_put_logs_under_the_key(jobs, emulator):
    configuration = create_configuration(jobs, create_key(emulator, "/aws-glue/*"))
    role = jobs.new_role(allow("s3:*"), allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]))
    run = jobs.run(jobs.create("print('lost')", Role=role.name, SecurityConfiguration=configuration))
    assert run["JobRunState"] == "SUCCEEDED"
    assert jobs.log(run) == []


def test_configuration_without_log_encryption_leaves_logs_where_they_are(jobs):
    run = jobs.run(jobs.create("print('said')", SecurityConfiguration=create_configuration(jobs, None)))
    assert run["LogGroupName"] == "/aws-glue/python-jobs"
    assert jobs.log(run) == ["said"]


def test_custom_log_group_prefix_of_spark_jobs(jobs, emulator):
    arguments = {"--custom-logGroup-prefix": "/jobs/mine"}
    plain = jobs.create("print('said')", command="glueetl", DefaultArguments=arguments)
    run = jobs.run(plain)
    assert (run["LogGroupName"], jobs.log(run)) == ("/jobs/mine", ["said"])


def test_crawler_of_a_configuration_is_logged_by_role(jobs, emulator):
    configuration = create_configuration(jobs, create_key(emulator, "/aws-glue/*"))
    name = f"crawler-{uuid.uuid4().hex[:8]}"
    jobs.glue.create_database(DatabaseInput={"Name": name})
    jobs.glue.create_crawler(
        Name=name,
        Role=jobs.role.name,
        DatabaseName=name,
        Targets={"S3Targets": [{"Path": f"s3://{jobs.bucket}/nothing/"}]},
        CrawlerSecurityConfiguration=configuration,
    )
    jobs.glue.start_crawler(Name=name)
    crawler = wait_for(lambda: jobs.glue.get_crawler(Name=name)["Crawler"], lambda found: found["State"] == "READY")
    group = crawler["LastCrawl"]["LogGroup"]
    assert group == f"/aws-glue/crawlers-role/{jobs.role.name}-{configuration}"
    assert jobs.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["kmsKeyId"]


# --- The catalog's key


@pytest.fixture
def catalog_key(emulator) -> Iterator[str]:
    """The catalog is encrypted with it for the test's time, in a region of its own."""
    key = create_key(emulator)
    glue = emulator.client("glue")

    def settings(**at_rest: str) -> None:
        glue.put_data_catalog_encryption_settings(
            DataCatalogEncryptionSettings={
                "EncryptionAtRest": at_rest,
                "ConnectionPasswordEncryption": {"ReturnConnectionPasswordEncrypted": False},
            }
        )

    settings(CatalogEncryptionMode="SSE-KMS", SseAwsKmsKeyId=key)
    yield key
    settings(CatalogEncryptionMode="DISABLED")


def test_encrypted_catalog_is_read_and_written_with_the_callers_right_to_the_key(emulator, catalog_key):
    name = f"db_{uuid.uuid4().hex[:8]}"
    emulator.client("glue").create_database(DatabaseInput={"Name": name})

    def client(*actions: str) -> Any:
        role = Role(
            emulator,
            f"r-{uuid.uuid4().hex[:8]}",
            allow("glue:*"),
            *([allow([*actions], catalog_key)] if actions else []),
        )
        return role.client("glue")

    code, message = refusal(client().get_tables, DatabaseName=name)
    assert (code, "kms:Decrypt" in message) == ("AccessDeniedException", True)
    reader = client("kms:Decrypt")
    assert reader.get_tables(DatabaseName=name)["TableList"] == []
    assert "kms:GenerateDataKey" in refusal(reader.create_table, DatabaseName=name, TableInput={"Name": "t"})[1]
    client("kms:Decrypt", "kms:GenerateDataKey").create_table(DatabaseName=name, TableInput={"Name": "t"})
    assert client().get_jobs()["Jobs"] is not None  # jobs are not part of the catalog


# --- Networks


class Network:
    """A VPC with a subnet, a security group that lets its members talk to each other, and a way to S3."""

    def __init__(self, emulator: Emulator) -> None:
        self.ec2 = emulator.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.9.0.0/24", AvailabilityZone=f"{REGION}a")
        self.subnet = subnet["Subnet"]["SubnetId"]
        self.group = self.new_group()
        self.ec2.authorize_security_group_ingress(
            GroupId=self.group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": self.group}]}
            ],
        )
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"]
        self.routes = tables[0]["RouteTableId"]

    def new_group(self) -> str:
        name = uuid.uuid4().hex[:8]
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def reach_s3(self) -> None:
        self.ec2.create_vpc_endpoint(
            VpcId=self.vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[self.routes]
        )

    def requirements(self, **changes: Any) -> dict[str, Any]:
        usual = {"SubnetId": self.subnet, "AvailabilityZone": f"{REGION}a", "SecurityGroupIdList": [self.group]}
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}


@pytest.fixture(scope="module")
def network(emulator) -> Network:
    return Network(emulator)


def connect(jobs: GlueJobs, requirements: dict[str, Any]) -> str:
    name = f"network-{uuid.uuid4().hex[:8]}"
    jobs.glue.create_connection(
        ConnectionInput={
            "Name": name,
            "ConnectionType": "NETWORK",
            "ConnectionProperties": {},
            "PhysicalConnectionRequirements": requirements,
        }
    )
    return name


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SubnetId": "subnet-00000000"}, "subnet-00000000"),
        ({"AvailabilityZone": f"{REGION}b"}, f"not in {REGION}b"),
        ({"SecurityGroupIdList": ["sg-00000000"]}, "sg-00000000"),
        ({"SecurityGroupIdList": None}, "needs a security group"),
        ({"SubnetId": None}, "needs a SubnetId"),
    ],
)
def test_connection_into_a_network_that_does_not_agree_is_refused(jobs, network, changes, named):
    with pytest.raises(ClientError, match="InvalidInputException") as caught:
        connect(jobs, network.requirements(**changes))
    assert named in str(caught.value)


def test_security_group_of_another_vpc_is_refused(jobs, network, emulator):
    with pytest.raises(ClientError, match=f"is not in {network.vpc}"):
        connect(jobs, network.requirements(SecurityGroupIdList=[Network(emulator).group]))


def test_job_enters_its_network_as_its_role(jobs, network, emulator):
    connection = connect(jobs, network.requirements())
    job = jobs.create("print('inside')", Connections={"Connections": [connection]})
    run = jobs.run(job)
    assert run["JobRunState"] == "FAILED"
    assert "ec2:DescribeSecurityGroups" in run["ErrorMessage"]

    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    interfaces = f"{arn}:network-interface/*"
    made_from = [f"{arn}:subnet/{network.subnet}", f"{arn}:security-group/{network.group}"]
    only_glues_tag = {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}}
    role = jobs.new_role(
        allow(["s3:*", "logs:*", "glue:GetConnection", *(f"ec2:Describe{each}" for each in DESCRIBED)]),
        allow("ec2:CreateNetworkInterface", [*made_from, interfaces]),
        allow("ec2:CreateTags", interfaces, Condition=only_glues_tag),
        allow("ec2:DeleteNetworkInterface", interfaces),
    )
    job = jobs.create("print('inside')", Role=role.name, Connections={"Connections": [connection]})
    run = jobs.run(job)
    assert run["ErrorMessage"].startswith(
        f"LAUNCH ERROR | VPC S3 endpoint validation failed for SubnetId: {network.subnet}"
    )
    network.reach_s3()
    run = jobs.run(job)
    assert (run["JobRunState"], jobs.log(run)) == ("SUCCEEDED", ["inside"])
    left = network.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [network.subnet]}])
    assert left["NetworkInterfaces"] == []


def test_workers_must_reach_each_other(jobs, network):
    connection = connect(jobs, network.requirements(SecurityGroupIdList=[network.new_group()]))
    role = jobs.new_role(allow(["s3:*", "logs:*", "glue:*", "ec2:*"]))
    run = jobs.run(jobs.create("pass", Role=role.name, Connections={"Connections": [connection]}))
    assert "At least one security group must open all ingress ports" in run["ErrorMessage"]


def test_connection_of_a_job_that_is_gone_fails_its_run(jobs):
    run = jobs.run(jobs.create("pass", Connections={"Connections": ["is gone"]}))
    assert run["JobRunState"] == "FAILED"
    assert "Connection is gone not found" in run["ErrorMessage"]
