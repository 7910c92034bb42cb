"""Which resources of EC2 a call is about: those whose identifiers it gives, and what it creates."""

import re
from typing import TYPE_CHECKING

from moto.ec2.models import ec2_backends

from emulator.iam_conditions import request_tags

if TYPE_CHECKING:
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

# What a route leads to is not asked about.
_ROUTES = {"CreateRoute", "ReplaceRoute"}


def resources(call: "Call") -> list[str]:
    """ARNs; of what is only described, "*", as EC2 knows no resources for that, but for a VPC's attributes."""
    if call.operation.startswith(("Describe", "Get")) and call.operation != "DescribeVpcAttribute":
        return ["*"]
    values = [value for name, value in call.parameters.items() if re.search(r"Ids?(\.\d+)?$", name)]
    named = [arn for value in values if (arn := _arn(call, str(value)))]
    if call.operation in _ROUTES:
        named = [arn for arn in named if ":route-table/" in arn]
    return [*named, *created(call)] or ["*"]


def created(call: "Call") -> list[str]:
    """What the call makes, whose identifier is not known yet."""
    if call.operation.startswith("AuthorizeSecurityGroup") and request_tags(call.parameters):
        return [call.arn("security-group-rule/*")]
    kind = _CREATED.get(call.operation)
    return [call.arn(f"{kind}/*")] if kind else []


def _arn(call: "Call", identifier: str) -> str | None:
    if identifier.startswith("rtbassoc-"):
        tables = ec2_backends[call.account][call.region].route_tables.copy().values()
        identifier = next((table.id for table in tables if identifier in table.all_associations_ids), "")
    kind = _TYPES.get(identifier.partition("-")[0])
    return call.arn(f"{kind}/{identifier}") if kind else None
