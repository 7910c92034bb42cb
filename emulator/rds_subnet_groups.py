"""DB subnet groups: what moto lacks of them."""

from typing import Any

from moto.ec2.models import ec2_backends

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation


@operation("rds", "CreateDBSubnetGroup")
def create_subnet_group(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a name that is taken, and subnets in two networks or in one zone; moto does the rest."""
    name = params["DBSubnetGroupName"]
    if name in ctx.response.backend.subnet_groups:
        raise AwsError("DBSubnetGroupAlreadyExists", f"DB subnet group {name} already exists")
    _check(_subnets(ctx, params["SubnetIds"]))
    return FALL_THROUGH


@operation("rds", "ModifyDBSubnetGroup")
def modify_subnet_group(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Change subnets and description. (moto's own loses the group.)"""
    group = ctx.response.backend.describe_db_subnet_groups(params["DBSubnetGroupName"])[0]
    subnets = _subnets(ctx, params["SubnetIds"])
    _check(subnets)
    group.subnets = subnets
    group.description = params.get("DBSubnetGroupDescription", group.description)
    return {"DBSubnetGroup": group}


@operation("rds", "DeleteDBSubnetGroup")
def delete_subnet_group(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse to delete a group that an instance uses."""
    name = params["DBSubnetGroupName"]
    for instance in ctx.response.backend.databases.values():
        group = getattr(instance, "db_subnet_group", None)
        if group is not None and group.name == name:
            raise AwsError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance: "
                f"{instance.db_instance_identifier} is still using it.",
            )
    return FALL_THROUGH


def _subnets(ctx: Context, subnet_ids: list[str]) -> list[Any]:
    ec2 = ec2_backends[ctx.account][ctx.region]
    return [ec2.get_subnet(subnet_id) for subnet_id in subnet_ids]


def _check(subnets: list[Any]) -> None:
    networks = {subnet.vpc_id for subnet in subnets}
    if len(networks) > 1:
        raise AwsError("InvalidSubnet", f"The subnets of a group must be in one VPC, not in {', '.join(networks)}")
    zones = {subnet.availability_zone for subnet in subnets}
    if len(zones) < 2:
        raise AwsError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{', '.join(sorted(zones))}. Add subnets to cover at least 2 AZs.",
        )
