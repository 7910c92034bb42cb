"""Networks: where moto's EC2 differs from AWS's, as far as the platform depends on it."""

import inspect
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.flow_logs import FlowLogsBackend
from moto.ec2.models.security_groups import SecurityGroupRule

from emulator import iam, iam_s3
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_moto_init = SecurityGroupRule.__init__
_parameters = inspect.signature(_moto_init)
_moto_create_flow_logs = FlowLogsBackend.create_flow_logs


def _init(rule: SecurityGroupRule, *arguments: Any, **options: Any) -> None:
    """moto forgets the description of a rule whose other side is a prefix list or a security group."""
    _moto_init(rule, *arguments, **options)
    given = _parameters.bind(rule, *arguments, **options).arguments
    for peer in (given.get("source_group"), given.get("prefix_list_id")):
        if peer and "Description" in peer:
            rule.ip_range["Description"] = peer["Description"]


@operation("ec2", "CreateFlowLogs")
def create_flow_logs(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a role that flow logs cannot assume, and a bucket that does not exist; moto does the rest."""
    role = params.get("DeliverLogsPermissionArn")
    if role is not None and not iam.trusts(role, "vpc-flow-logs.amazonaws.com"):
        raise AwsError("InvalidParameter", f"Unable to assume the IAM role {role} for vpc-flow-logs.amazonaws.com")
    if params.get("LogDestinationType") == "s3":
        bucket = params["LogDestination"].rpartition(":")[2].partition("/")[0]
        if iam_s3.find_bucket(bucket) is None:
            raise AwsError("InvalidParameter", f"LogDestination: {bucket} does not exist")
    return FALL_THROUGH


@operation("ec2", "CreateVpcEndpoint")
def create_vpc_endpoint(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a gateway for a route table that leads to the service already; moto does the rest."""
    for other in ec2_backends[ctx.account][ctx.region].vpc_end_points.values():
        if other.service_name != params["ServiceName"] or other.vpc_endpoint_type != "Gateway":
            continue
        if other.state == "available" and (taken := set(other.route_table_ids) & set(params.get("RouteTableIds", []))):
            raise AwsError(
                "RouteAlreadyExists",
                f"route table {min(taken)} already has a route with destination-prefix-list-id "
                f"{other.destination_prefix_list_id}",
            )
    return FALL_THROUGH


def _create_flow_logs(backend: FlowLogsBackend, **options: Any) -> Any:
    """moto takes a folder in a bucket (`arn:aws:s3:::bucket/folder/`) for the bucket's name."""
    destination = options["log_destination"]
    folder = destination and options["log_destination_type"] == "s3" and destination.partition("/")[1:]
    if not folder:
        return _moto_create_flow_logs(backend, **options)
    created, refused = _moto_create_flow_logs(backend, **{**options, "log_destination": destination.partition("/")[0]})
    for flow_log in created:
        flow_log.log_destination = destination
    return created, refused


SecurityGroupRule.__init__ = _init
FlowLogsBackend.create_flow_logs = _create_flow_logs
