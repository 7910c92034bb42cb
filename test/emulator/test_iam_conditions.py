"""What a deploy's role is narrowed by: tags, and the boundary of the roles that it makes."""

import json
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import TRUST_ACCOUNT, Role, allow, policy

TAGGED = {"StringEquals": {"aws:ResourceTag/platform": "mine"}}
BEING_TAGGED = {"StringEquals": {"aws:RequestTag/platform": "mine"}}
TRUST = json.dumps(TRUST_ACCOUNT)


def ec2_arn(kind: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/*"


@pytest.fixture(scope="module")
def ec2(emulator: Emulator) -> BaseClient:
    """Of a role that makes what carries the tag, and changes what carries it."""
    creating = ["ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateSecurityGroup", "ec2:CreateTags"]
    resources = [ec2_arn(kind) for kind in ("vpc", "subnet", "security-group", "route-table")]
    changing = ["ec2:DeleteVpc", "ec2:ModifyVpcAttribute", "ec2:DisassociateRouteTable", "ec2:DeleteRouteTable"]
    role = Role(
        emulator,
        "conditions-network",
        allow(creating, resources, Condition=BEING_TAGGED),
        allow([*creating, *changing], resources, Condition=TAGGED),
        allow("ec2:DescribeVpcs"),
    )
    return role.client("ec2")


def tags(kind: str, value: str = "mine") -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": "platform", "Value": value}]}]}


def test_what_is_created_must_carry_the_tag(ec2: BaseClient) -> None:
    for wrong in ({}, tags("vpc", "theirs")):
        with pytest.raises(ClientError, match=r"not authorized to perform: ec2:CreateVpc on resource: .*:vpc/\*"):
            ec2.create_vpc(CidrBlock="10.9.0.0/16", **wrong)
    assert ec2.create_vpc(CidrBlock="10.9.0.0/16", **tags("vpc"))["Vpc"]["VpcId"]


def test_tagging_what_is_created_is_a_permission_of_its_own(emulator: Emulator) -> None:
    role = Role(emulator, "conditions-untagging", allow("ec2:CreateVpc", ec2_arn("vpc")))
    with pytest.raises(ClientError, match="not authorized to perform: ec2:CreateTags"):
        role.client("ec2").create_vpc(CidrBlock="10.9.0.0/16", **tags("vpc"))


def test_what_is_changed_or_built_upon_must_carry_the_tag(emulator: Emulator, ec2: BaseClient) -> None:
    mine = ec2.create_vpc(CidrBlock="10.9.0.0/16", **tags("vpc"))["Vpc"]["VpcId"]
    theirs = emulator.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    assert ec2.create_subnet(VpcId=mine, CidrBlock="10.9.1.0/24", **tags("subnet"))["Subnet"]["SubnetId"]
    with pytest.raises(ClientError, match=rf"not authorized to perform: ec2:DeleteVpc on resource: .*:vpc/{theirs}"):
        ec2.delete_vpc(VpcId=theirs)
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]} >= {mine, theirs}


def test_a_tag_that_is_asked_for_is_that_of_what_is_created(emulator: Emulator, ec2: BaseClient) -> None:
    """What others have does not carry the tag only because what is made in it will."""
    theirs = emulator.client("ec2").create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    with pytest.raises(ClientError, match=rf"not authorized to perform: ec2:CreateSubnet on resource: .*:vpc/{theirs}"):
        ec2.create_subnet(VpcId=theirs, CidrBlock="10.5.1.0/24", **tags("subnet"))


def test_tags_are_given_while_creating_and_to_what_has_the_tag(emulator: Emulator) -> None:
    creating = {"StringEquals": {**BEING_TAGGED["StringEquals"], "ec2:CreateAction": ["CreateVpc"]}}
    client = Role(
        emulator,
        "conditions-tagging",
        allow("ec2:CreateVpc", ec2_arn("vpc")),
        allow("ec2:CreateTags", ec2_arn("vpc"), Condition=creating),
        allow("ec2:CreateTags", ec2_arn("vpc"), Condition=TAGGED),
    ).client("ec2")
    mine = client.create_vpc(CidrBlock="10.4.0.0/16", **tags("vpc"))["Vpc"]["VpcId"]
    client.create_tags(Resources=[mine], Tags=[{"Key": "commit", "Value": "1"}])
    theirs = emulator.client("ec2").create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    with pytest.raises(ClientError, match=rf"not authorized to perform: ec2:CreateTags on resource: .*:vpc/{theirs}"):
        client.create_tags(Resources=[mine, theirs], Tags=[{"Key": "platform", "Value": "mine"}])


def test_a_peering_is_asked_for_by_one_end_and_accepted_by_the_other(emulator: Emulator) -> None:
    admin = emulator.client("ec2")
    mine = admin.create_vpc(CidrBlock="10.2.0.0/16", **tags("vpc"))["Vpc"]["VpcId"]
    theirs = admin.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    actions = ["ec2:CreateVpcPeeringConnection", "ec2:AcceptVpcPeeringConnection"]
    asking = [
        allow(actions, ec2_arn("vpc"), Condition=TAGGED),
        allow(actions, ec2_arn("vpc-peering-connection")),
    ]
    client = Role(emulator, "conditions-asking", *asking).client("ec2")
    peering = client.create_vpc_peering_connection(VpcId=mine, PeerVpcId=theirs)["VpcPeeringConnection"]
    accept = {"VpcPeeringConnectionId": peering["VpcPeeringConnectionId"]}
    with pytest.raises(ClientError, match=rf"ec2:AcceptVpcPeeringConnection on resource: .*:vpc/{theirs}"):
        client.accept_vpc_peering_connection(**accept)
    both = Role(emulator, "conditions-accepting", *asking, allow(actions[1], ec2_arn("vpc")))
    accepted = both.client("ec2").accept_vpc_peering_connection(**accept)["VpcPeeringConnection"]
    assert accepted["Status"]["Code"] == "active"
    with pytest.raises(ClientError, match=rf"ec2:CreateVpcPeeringConnection on resource: .*:vpc/{theirs}"):
        client.create_vpc_peering_connection(VpcId=theirs, PeerVpcId=mine)


def test_a_vpcs_attributes_are_described_of_that_vpc(emulator: Emulator) -> None:
    admin = emulator.client("ec2")
    mine, theirs = (admin.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"] for _ in range(2))
    of_mine = allow("ec2:DescribeVpcAttribute", f"{ec2_arn('vpc').removesuffix('*')}{mine}")
    client = Role(emulator, "conditions-attributes", of_mine).client("ec2")
    assert client.describe_vpc_attribute(VpcId=mine, Attribute="enableDnsSupport")["EnableDnsSupport"]
    with pytest.raises(ClientError, match=f"ec2:DescribeVpcAttribute on resource: .*:vpc/{theirs}"):
        client.describe_vpc_attribute(VpcId=theirs, Attribute="enableDnsSupport")


def test_an_association_is_its_route_tables(emulator: Emulator, ec2: BaseClient) -> None:
    admin = emulator.client("ec2")
    vpc = admin.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = admin.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    for allowed, tagged in ((False, {}), (True, tags("route-table"))):
        table = admin.create_route_table(VpcId=vpc, **tagged)["RouteTable"]["RouteTableId"]
        association = admin.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        if allowed:
            ec2.disassociate_route_table(AssociationId=association)
        else:
            with pytest.raises(ClientError, match=f"ec2:DisassociateRouteTable on resource: .*:route-table/{table}"):
                ec2.disassociate_route_table(AssociationId=association)
            admin.disassociate_route_table(AssociationId=association)


def test_keys_are_told_by_their_tags(emulator: Emulator) -> None:
    kms = Role(
        emulator,
        "conditions-keys",
        allow(["kms:CreateKey", "kms:TagResource"], Condition=BEING_TAGGED),
        allow("kms:EnableKeyRotation", Condition=TAGGED),
    ).client("kms")
    with pytest.raises(ClientError, match="not authorized to perform: kms:CreateKey"):
        kms.create_key(Description="untagged")
    mine = kms.create_key(Tags=[{"TagKey": "platform", "TagValue": "mine"}])["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=mine)
    theirs = emulator.client("kms").create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match="not authorized to perform: kms:EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=theirs)


def test_a_key_of_others_that_has_an_alias_is_told_by_it(emulator: Emulator) -> None:
    admin = emulator.client("kms")
    kms = Role(
        emulator,
        "conditions-aliases",
        allow("kms:CreateKey"),
        allow("kms:TagResource", Condition={"ForAllValues:StringLike": {"kms:ResourceAliases": "alias/mine*"}}),
    ).client("kms")
    given = [{"TagKey": "platform", "TagValue": "mine"}]
    mine = kms.create_key(Tags=given)["KeyMetadata"]["KeyId"]
    admin.create_alias(AliasName="alias/mine-1", TargetKeyId=mine)
    kms.tag_resource(KeyId=mine, Tags=given)
    theirs = admin.create_key()["KeyMetadata"]["KeyId"]
    admin.create_alias(AliasName="alias/theirs", TargetKeyId=theirs)
    with pytest.raises(ClientError, match="not authorized to perform: kms:TagResource"):
        kms.tag_resource(KeyId=theirs, Tags=given)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "missing"),
    [
        ("kms", "create_key", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, r"kms:TagResource on resource: \*"),
        (
            "iam",
            "create_role",
            {"RoleName": "tagged", "AssumeRolePolicyDocument": TRUST},
            "iam:TagRole on resource: .*:role/tagged",
        ),
        ("iam", "create_policy", {"PolicyName": "tagged", "PolicyDocument": policy(allow("*"))}, "iam:TagPolicy"),
    ],
)
def test_who_creates_with_tags_must_be_allowed_to_tag(
    emulator: Emulator, service: str, operation: str, parameters: dict[str, Any], missing: str
) -> None:
    parameters = {"Tags": [{"Key": "a", "Value": "b"}], **parameters}
    deny = {**allow(["kms:TagResource", "iam:Tag*"]), "Effect": "Deny"}
    client = Role(emulator, f"conditions-{operation}".replace("_", "-"), allow("*"), deny).client(service)
    with pytest.raises(ClientError, match=missing):
        getattr(client, operation)(**parameters)


def test_roles_are_made_and_filled_within_the_boundary_only(emulator: Emulator) -> None:
    admin = emulator.client("iam")
    boundary = admin.create_policy(PolicyName="conditions-limit", PolicyDocument=policy(allow("s3:GetObject")))
    arn = boundary["Policy"]["Arn"]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": arn}}
    actions = ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"]
    iam = Role(emulator, "conditions-maker", allow(actions, Condition=bounded)).client("iam")
    with pytest.raises(ClientError, match="not authorized to perform: iam:CreateRole"):
        iam.create_role(RoleName="conditions-free", AssumeRolePolicyDocument=TRUST)
    iam.create_role(RoleName="conditions-bound", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn)
    fill = {"PolicyName": "p", "PolicyDocument": policy(allow("*"))}
    iam.put_role_policy(RoleName="conditions-bound", **fill)
    Role(emulator, "conditions-unbound")
    with pytest.raises(ClientError, match="not authorized to perform: iam:PutRolePolicy"):
        iam.put_role_policy(RoleName="conditions-unbound", **fill)


def test_who_is_let_into_a_role_is_no_question_of_its_boundary(emulator: Emulator) -> None:
    """IAM knows the key on what fills a role, and not on who may assume it."""
    admin = emulator.client("iam")
    boundary = admin.create_policy(PolicyName="conditions-edge", PolicyDocument=policy(allow("s3:GetObject")))
    arn = boundary["Policy"]["Arn"]
    Role(emulator, "conditions-edged", PermissionsBoundary=arn)
    bounded = {"StringEquals": {"iam:PermissionsBoundary": arn}}
    iam = Role(emulator, "conditions-letter", allow("iam:UpdateAssumeRolePolicy", Condition=bounded)).client("iam")
    with pytest.raises(ClientError, match="not authorized to perform: iam:UpdateAssumeRolePolicy"):
        iam.update_assume_role_policy(RoleName="conditions-edged", PolicyDocument=TRUST)


def test_a_boundary_must_exist(emulator: Emulator) -> None:
    iam = emulator.client("iam")
    missing = f"arn:aws:iam::{ACCOUNT}:policy/conditions-none"
    with pytest.raises(ClientError, match="does not exist or is not attachable") as refused:
        iam.create_role(RoleName="conditions-lost", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=missing)
    assert refused.value.response["Error"]["Code"] == "NoSuchEntity"


def test_policies_and_providers_are_asked_for_by_their_names(emulator: Emulator) -> None:
    mine = [f"arn:aws:iam::{ACCOUNT}:policy/conditions-own", f"arn:aws:iam::{ACCOUNT}:oidc-provider/own.example"]
    iam = Role(
        emulator, "conditions-named", allow(["iam:CreatePolicy", "iam:CreateOpenIDConnectProvider"], mine)
    ).client("iam")
    iam.create_policy(PolicyName="conditions-own", PolicyDocument=policy(allow("*")))
    iam.create_open_id_connect_provider(Url="https://own.example", ClientIDList=["a"])
    with pytest.raises(ClientError, match=r"iam:CreatePolicy on resource: .*:policy/conditions-other"):
        iam.create_policy(PolicyName="conditions-other", PolicyDocument=policy(allow("*")))
