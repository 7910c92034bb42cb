"""Which resources of EC2 a call is about: those whose identifiers it gives, and what it creates, with which tags."""

import re
from typing import TYPE_CHECKING

from moto.ec2.models import ec2_backends

from emulator.iam_conditions import tag_keys

if TYPE_CHECKING:
    from emulator.iam_policy import Context
    from emulator.iam_resources import Call

_TYPES = {
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
"""What an identifier is of, by its first part."""

_CREATED = {
    "AllocateAddress": "elastic-ip",
    "CreateFlowLogs": "vpc-flow-log",
    "CreateInternetGateway": "internet-gateway",
    "CreateNatGateway": "natgateway",
    "CreateNetworkInterface": "network-interface",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateVpcPeeringConnection": "vpc-peering-connection",
}

# What a route leads to is not asked about, and who asks for a peering not about the other end: its owner accepts.
_ROUTES = {"CreateRoute", "ReplaceRoute"}
_OTHER_END = "PeerVpcId"


def resources(call: "Call") -> list[str]:
    """ARNs; of what is only described, "*", as EC2 knows no resources for that, but for a VPC's attributes."""
    if call.operation.startswith(("Describe", "Get")) and call.operation != "DescribeVpcAttribute":
        return ["*"]
    given = {name: value for name, value in call.parameters.items() if re.search(r"Ids?(\.\d+)?$", name)}
    named = [arn for name, value in given.items() if name != _OTHER_END and (arn := _arn(call, str(value)))]
    if call.operation in _ROUTES:
        named = [arn for arn in named if ":route-table/" in arn]
    return [*named, *_accepter(call), *created(call)] or ["*"]


def created(call: "Call") -> list[str]:
    """What the call makes, whose identifier is not known yet."""
    if call.operation.startswith("AuthorizeSecurityGroup") and _specified_tags(call, "security-group-rule"):
        return [call.arn("security-group-rule/*")]
    kind = _CREATED.get(call.operation)
    return [call.arn(f"{kind}/*")] if kind else []


def tags_of_created(call: "Call") -> dict[str, dict[str, str]]:
    """The tags that the call gives to what it makes, by ARN; without those that get none."""
    tags = {arn: _specified_tags(call, arn.split(":")[5].removesuffix("/*")) for arn in created(call)}
    return {arn: given for arn, given in tags.items() if given}


def request_keys(call: "Call", resource: str) -> "Context":
    """The keys of the tags that the call gives to this resource."""
    if call.operation in ("CreateTags", "DeleteTags"):
        return tag_keys(_tags(call, "Tag"))
    return tag_keys(tags_of_created(call).get(resource, {}))


def _specified_tags(call: "Call", kind: str) -> dict[str, str]:
    """Tags come in specifications, each for one type of resource."""
    named = (re.fullmatch(r"(TagSpecifications?\.\d+)\.ResourceType", name) for name in call.parameters)
    of_kind = [match[1] for match in named if match and call.parameters[match[0]] == kind]
    return {key: value for each in of_kind for key, value in _tags(call, rf"{each}\.Tags?").items()}


def _tags(call: "Call", prefix: str) -> dict[str, str]:
    keys = (re.fullmatch(rf"({prefix}\.\d+)\.Key", name) for name in call.parameters)
    return {call.parameters[key[0]]: call.parameters.get(f"{key[1]}.Value", "") for key in keys if key}


def _accepter(call: "Call") -> list[str]:
    """Who accepts a peering is asked about the VPC at the own end, too."""
    peering = call.text("VpcPeeringConnectionId") if call.operation == "AcceptVpcPeeringConnection" else None
    found = ec2_backends[call.account][call.region].vpc_pcxs.get(peering)
    return [call.arn(f"vpc/{found.peer_vpc.id}")] if found else []


def _arn(call: "Call", identifier: str) -> str | None:
    if identifier.startswith("rtbassoc-"):
        tables = ec2_backends[call.account][call.region].route_tables.copy().values()
        identifier = next((table.id for table in tables if identifier in table.all_associations_ids), "")
    kind = _TYPES.get(identifier.partition("-")[0])
    return call.arn(f"{kind}/{identifier}") if kind else None
