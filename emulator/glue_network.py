"""The network that a Glue connection leads into: what its physical requirements must be, and entering it.

Whoever runs through a connection gets a network interface in its subnet, made with the rights of the own role.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from botocore.exceptions import ClientError
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from emulator.overlay import AwsError

_TAG = "aws-glue-service-resource"


class NetworkError(Exception):
    """The network cannot be entered; the message is what Glue shows."""


def check(account: str, region: str, connection: Mapping[str, Any]) -> None:
    """Refuse physical requirements whose subnet, zone and security groups do not exist or do not agree."""
    required = connection.get("PhysicalConnectionRequirements", {})
    subnet_id = required.get("SubnetId")
    if subnet_id is None:
        if connection["ConnectionType"] == "NETWORK":
            raise AwsError("InvalidInputException", f"Connection {connection['Name']} of type NETWORK needs a SubnetId")
        return
    backend = ec2_backends[account][region]
    try:
        subnet = backend.get_subnet(subnet_id)
    except EC2ClientError as error:
        raise AwsError("InvalidInputException", f"The subnet ID '{subnet_id}' does not exist") from error
    zone = required.get("AvailabilityZone", subnet.availability_zone)
    if zone != subnet.availability_zone:
        raise AwsError("InvalidInputException", f"Subnet {subnet_id} is in {subnet.availability_zone}, not in {zone}")
    groups = required.get("SecurityGroupIdList", [])
    if not groups:
        raise AwsError("InvalidInputException", f"Connection {connection['Name']} needs a security group")
    for group_id in groups:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise AwsError("InvalidInputException", f"The security group '{group_id}' does not exist")
        if group.vpc_id != subnet.vpc_id:
            raise AwsError(
                "InvalidInputException",
                f"Security group {group_id} is not in {subnet.vpc_id}, as subnet {subnet_id} is",
            )


@contextmanager
def entered(names: Sequence[str], client: Callable[[str], Any]) -> Iterator[None]:
    """For as long as the block runs, be in the network of the connections. Raises NetworkError.

    `client` makes a boto3 client of a service with the role that enters.
    """
    with ExitStack() as stack:
        for name in names:
            required = _requirements(name, client)
            if "SubnetId" in required:
                ec2 = client("ec2")
                interface = _attach(required, ec2)
                stack.callback(ec2.delete_network_interface, NetworkInterfaceId=interface)
        yield


def _requirements(name: str, client: Callable[[str], Any]) -> Mapping[str, Any]:
    try:
        connection = client("glue").get_connection(Name=name)["Connection"]
    except ClientError as error:
        raise NetworkError(str(error)) from error
    return connection.get("PhysicalConnectionRequirements") or {}


def _attach(required: Mapping[str, Any], ec2: Any) -> str:
    """A network interface of its own in the subnet; its id."""
    try:
        _check_reachability(required["SubnetId"], required["SecurityGroupIdList"], ec2)
        interface = ec2.create_network_interface(
            SubnetId=required["SubnetId"], Groups=required["SecurityGroupIdList"], Description="Attached to Glue"
        )["NetworkInterface"]["NetworkInterfaceId"]
        ec2.create_tags(Resources=[interface], Tags=[{"Key": _TAG, "Value": "true"}])
        ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    except ClientError as error:
        raise NetworkError(str(error)) from error
    return interface


def _check_reachability(subnet_id: str, group_ids: Sequence[str], ec2: Any) -> None:
    """What Glue checks before it starts: that workers reach each other, and S3."""
    groups = ec2.describe_security_groups(GroupIds=group_ids)["SecurityGroups"]
    if not any(_lets_in(rule, set(group_ids)) for group in groups for rule in group["IpPermissions"]):
        raise NetworkError(
            "At least one security group must open all ingress ports. To limit traffic, the source security group in "
            f"your inbound rule can be restricted to the same security group ({', '.join(group_ids)})"
        )
    (subnet,) = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    if not ec2.describe_vpc_attribute(VpcId=subnet["VpcId"], Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]:
        raise NetworkError(f"VPC {subnet['VpcId']} has no DNS: enableDnsSupport must be true")
    if not _reaches_s3(subnet, ec2):
        raise NetworkError(
            f"VPC S3 endpoint validation failed for SubnetId: {subnet_id}. VPC: {subnet['VpcId']}. "
            "Reason: Could not find S3 endpoint or NAT gateway for subnetId"
        )


def _lets_in(rule: Mapping[str, Any], group_ids: set[str]) -> bool:
    """Whether it lets all TCP in from one of the groups, or from a range of addresses."""
    protocol, ports = rule["IpProtocol"], (rule.get("FromPort"), rule.get("ToPort"))
    sources = group_ids & {pair["GroupId"] for pair in rule["UserIdGroupPairs"]} or rule["IpRanges"]
    return bool(sources) and (protocol == "-1" or (protocol == "tcp" and ports == (0, 65535)))


def _reaches_s3(subnet: Mapping[str, Any], ec2: Any) -> bool:
    """By a gateway endpoint in the subnet's route table, or through a NAT gateway."""
    of_vpc = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    tables = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    own = [t for t in tables if any(a.get("SubnetId") == subnet["SubnetId"] for a in t["Associations"])]
    table = next(iter(own or [t for t in tables if any(a.get("Main") for a in t["Associations"])]), None)
    if table is None:
        return False
    if any(route.get("NatGatewayId") for route in table["Routes"]):
        return True
    endpoints = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
    return any(
        endpoint["ServiceName"].endswith(".s3") and table["RouteTableId"] in endpoint.get("RouteTableIds", [])
        for endpoint in endpoints
    )
