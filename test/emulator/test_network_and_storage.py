"""What networks and buckets are refused; that they apply as Terraform wants them is in test_terraform.py."""

from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import Role, allow, policy

LAKE, LOGS = "storage-lake", "storage-logs"


@pytest.fixture(scope="module")
def s3(emulator: Emulator) -> BaseClient:
    s3 = emulator.client("s3")
    for bucket in (LAKE, LOGS):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


def refusal(call: Any, **parameters: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]


# --- Access logs


def log_to(s3: BaseClient, prefix: str = "lake/") -> None:
    target = {"TargetBucket": LOGS, "TargetPrefix": prefix}
    s3.put_bucket_logging(Bucket=LAKE, BucketLoggingStatus={"LoggingEnabled": target})


@pytest.mark.parametrize(
    ("condition", "prefix", "allowed"),
    [
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{LAKE}"}}, "lake/", True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "lake/", True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another"}}, "lake/", False),
        ({"StringEquals": {"aws:SourceAccount": "222222222222"}}, "lake/", False),
        ({}, "elsewhere/", False),
    ],
)
def test_access_logs_need_a_bucket_that_takes_them(
    s3: BaseClient, condition: dict[str, Any], prefix: str, allowed: bool
) -> None:
    s3.delete_bucket_policy(Bucket=LOGS)
    assert refusal(log_to, s3=s3)["Code"] == "InvalidTargetBucketForLogging"
    service = {"Service": "logging.s3.amazonaws.com"}
    write = allow("s3:PutObject", f"arn:aws:s3:::{LOGS}/lake/*", Principal=service, Condition=condition)
    s3.put_bucket_policy(Bucket=LOGS, Policy=policy(write))
    if allowed:
        log_to(s3, prefix)
        assert s3.get_bucket_logging(Bucket=LAKE)["LoggingEnabled"]["TargetPrefix"] == prefix
    else:
        assert refusal(log_to, s3=s3, prefix=prefix)["Code"] == "InvalidTargetBucketForLogging"


# --- Lifecycle


def rule(name: str = "rule", **actions: Any) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": "raw/"}, **actions}


def put_lifecycle(s3: BaseClient, *rules: dict[str, Any]) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=LAKE, LifecycleConfiguration={"Rules": rules})


def test_a_lifecycle_is_described_as_it_was_given(s3: BaseClient) -> None:
    given = [
        rule(
            "cool-down",
            Filter={"And": {"Prefix": "raw/", "ObjectSizeGreaterThan": 131072}},
            Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "GLACIER_IR"}],
            Expiration={"Days": 400},
        ),
        rule("versions", NoncurrentVersionExpiration={"NoncurrentDays": 30, "NewerNoncurrentVersions": 3}),
    ]
    put_lifecycle(s3, *given)
    assert s3.get_bucket_lifecycle_configuration(Bucket=LAKE)["Rules"] == given
    s3.delete_bucket_lifecycle(Bucket=LAKE)
    refused = refusal(s3.get_bucket_lifecycle_configuration, Bucket=LAKE)
    assert refused["Code"] == "NoSuchLifecycleConfiguration"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([rule(Expiration={"Days": 1}), rule(Expiration={"Days": 2})], "Rule ID must be unique"),
        (
            [rule(Transitions=[{"Days": 7, "StorageClass": "STANDARD_IA"}])],
            "must be greater than or equal to 30 for storageClass 'STANDARD_IA'",
        ),
        (
            [
                rule(
                    Transitions=[
                        {"Days": 30, "StorageClass": "STANDARD_IA"},
                        {"Days": 45, "StorageClass": "GLACIER_IR"},
                    ]
                )
            ],
            "must be 30 days more than in the 'Transition' action for StorageClass 'STANDARD_IA'",
        ),
        (
            [rule(Transitions=[{"Days": 60, "StorageClass": "GLACIER"}], Expiration={"Days": 60})],
            "must be greater than 'Days' in the Transition action",
        ),
    ],
)
def test_lifecycles_that_s3_refuses(s3: BaseClient, rules: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ClientError) as caught:
        put_lifecycle(s3, *rules)
    refused = caught.value.response["Error"]
    assert (refused["Code"], message in refused["Message"]) == ("InvalidArgument", True)


# --- Flow logs


def test_flow_logs_need_their_role_and_their_bucket(emulator: Emulator, s3: BaseClient) -> None:
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    flow = {"ResourceIds": [vpc], "ResourceType": "VPC", "TrafficType": "REJECT"}
    wrong = Role(emulator, "network-not-for-flow-logs").arn
    to_group = {**flow, "LogGroupName": "/network/flow", "DeliverLogsPermissionArn": wrong}
    assert "Unable to assume the IAM role" in refusal(ec2.create_flow_logs, **to_group)["Message"]
    trust = policy(
        {"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    right = Role(emulator, "network-flow-logs", AssumeRolePolicyDocument=trust).arn
    assert ec2.create_flow_logs(**{**to_group, "DeliverLogsPermissionArn": right})["FlowLogIds"]

    to_bucket = {**flow, "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::network-none/flow/"}
    assert "network-none does not exist" in refusal(ec2.create_flow_logs, **to_bucket)["Message"]
    to_bucket["LogDestination"] = f"arn:aws:s3:::{LOGS}/flow/"
    (created,) = ec2.create_flow_logs(**to_bucket)["FlowLogIds"]
    (described,) = ec2.describe_flow_logs(FlowLogIds=[created])["FlowLogs"]
    assert described["LogDestination"] == to_bucket["LogDestination"]


def test_a_service_that_takes_a_role_is_in_the_request_log(emulator: Emulator) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/network-flow-logs"
    taken = [each for each in emulator.requests() if each["resource"] == role and each["action"] == "sts:AssumeRole"]
    assert taken[-1]["permissions"] == [{"action": "sts:AssumeRole", "resource": role, "allowed": True}]
    assert (taken[-1]["principal"], taken[-1]["role"]) == ("vpc-flow-logs.amazonaws.com", None)


# --- Endpoints and rules


def test_a_route_table_has_one_gateway_to_a_service(emulator: Emulator) -> None:
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    first, second = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))

    def gateway(*tables: str) -> dict[str, Any]:
        service = f"com.amazonaws.{REGION}.s3"
        return {"VpcId": vpc, "ServiceName": service, "VpcEndpointType": "Gateway", "RouteTableIds": list(tables)}

    made = ec2.create_vpc_endpoint(**gateway(first))["VpcEndpoint"]["VpcEndpointId"]
    refused = refusal(ec2.create_vpc_endpoint, **gateway(second, first))
    assert refused["Code"] == "RouteAlreadyExists"
    assert f"route table {first} already has a route with destination-prefix-list-id pl-" in refused["Message"]
    ec2.create_vpc_endpoint(**gateway(second))
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    ec2.create_vpc_endpoint(**gateway(first))


def test_a_rule_keeps_its_description_whatever_it_leads_to(emulator: Emulator) -> None:
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="described", Description="d", VpcId=vpc)["GroupId"]
    lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
    peers = {
        "IpRanges": {"CidrIp": "10.0.0.0/8"},
        "UserIdGroupPairs": {"GroupId": group},
        "PrefixListIds": {"PrefixListId": lists[0]["PrefixListId"]},
    }
    for kind, peer in peers.items():
        permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, kind: [{**peer, "Description": kind}]}
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[permission])
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert {rule.get("Description") for rule in rules} >= set(peers)
