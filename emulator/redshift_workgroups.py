"""Redshift Serverless workgroups: compute for one namespace, in the subnets of a VPC."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.ec2.models import ec2_backends

from emulator.iam_identities import identify
from emulator.overlay import AwsError, Context, operation
from emulator.redshift_store import SERVICE, Store, Workgroup, invalid, new_id_and_arn, page, store
from emulator.trino import engine

_DEFAULT_PORT = 5439
_PORTS = (range(5431, 5456), range(8191, 8216))
_DEFAULT_BASE_CAPACITY = 128
_BASE_CAPACITIES = {4, *range(8, 513, 8)}  # RPU
_ZONES = 3

_CONFIG_DEFAULTS = {
    "auto_mv": "true",
    "datestyle": "ISO, MDY",
    "enable_case_sensitive_identifier": "false",
    "enable_large_strings_opt_in": "false",  # since patch 205; Terraform's provider 5.100 does not know it
    "enable_user_activity_logging": "true",
    "max_query_execution_time": "14400",
    "query_group": "default",
    "require_ssl": "true",
    "search_path": "$user, public",
    "use_fips_ssl": "false",
}
"""Parameters that AWS tells of every workgroup, whether or not somebody set them."""

_QUERY_LIMITS = {
    "max_join_row_count",
    "max_nested_loop_join_row_count",
    "max_query_blocks_read",
    "max_query_cpu_time",
    "max_query_cpu_usage_percent",
    "max_query_queue_time",
    "max_query_temp_blocks_to_disk",
    "max_return_row_count",
    "max_scan_row_count",
}

_AS_GIVEN = ("enhancedVpcRouting", "publiclyAccessible", "maxCapacity", "trackName", "pricePerformanceTarget")


@operation(SERVICE, "CreateWorkgroup")
def create_workgroup(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Create it. Who creates one will query: the engine starts while other things are waited for."""
    kept, name = _store(ctx), params["workgroupName"]
    if name in kept.workgroups:
        raise AwsError("ConflictException", f"Workgroup {name} already exists.")
    namespace = kept.namespace(params["namespaceName"])
    for other in kept.workgroups.values():
        if other.namespace is namespace:
            raise AwsError(
                "ConflictException", f"Namespace {namespace.name} is already associated with workgroup {other.name}."
            )
    if {"parameterKey": "require_ssl", "parameterValue": "false"} in params.get("configParameters", []):
        raise invalid(
            "You can't disable require_ssl while the workgroup is being created. To disable require_ssl, update the "
            "workgroup after creation."
        )
    new_id, arn = new_id_and_arn(ctx.account, ctx.region, "workgroup")
    initial = {
        "baseCapacity": _DEFAULT_BASE_CAPACITY,
        "configParameters": _config_parameters(_CONFIG_DEFAULTS),
        "enhancedVpcRouting": False,
        "ipAddressType": "ipv4",
        "port": _DEFAULT_PORT,
        "pricePerformanceTarget": {"status": "DISABLED"},
        "publiclyAccessible": False,
        "trackName": "current",
        **_default_network(ctx),
    }
    settings = _settings(ctx, name, initial, params)
    kept.workgroups[name] = Workgroup(name, new_id, arn, namespace, settings)
    kept.tags[arn] = {tag["key"]: tag["value"] for tag in params.get("tags", [])}
    engine.start_in_background()
    return {"workgroup": kept.workgroups[name].describe("CREATING")}


@operation(SERVICE, "GetWorkgroup")
def get_workgroup(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return {"workgroup": _store(ctx).workgroup(params["workgroupName"]).describe()}


@operation(SERVICE, "ListWorkgroups")
def list_workgroups(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return page("workgroups", [each.describe() for each in _store(ctx).workgroups.values()], params)


@operation(SERVICE, "UpdateWorkgroup")
def update_workgroup(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    workgroup = _store(ctx).workgroup(params["workgroupName"])
    given = _named(params.get("configParameters", []))
    if given and given.items() <= _named(workgroup.settings["configParameters"]).items():
        raise invalid("You didn't specify any changes to the configuration parameters.")
    workgroup.settings = _settings(ctx, workgroup.name, workgroup.settings, params)
    return {"workgroup": workgroup.describe("MODIFYING")}


@operation(SERVICE, "DeleteWorkgroup")
def delete_workgroup(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Delete it with its usage limits."""
    kept = _store(ctx)
    workgroup = kept.workgroup(params["workgroupName"])
    kept.usage_limits = {
        limit_id: limit for limit_id, limit in kept.usage_limits.items() if limit["resourceArn"] != workgroup.arn
    }
    del kept.workgroups[workgroup.name], kept.tags[workgroup.arn]
    return {"workgroup": workgroup.describe("DELETING")}


@operation(SERVICE, "GetCredentials")
def get_credentials(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Name and password for the caller; there is no endpoint here that would take the password."""
    _store(ctx).workgroup(params.get("workgroupName", ""))
    duration = timedelta(seconds=params.get("durationSeconds", 900))
    if not timedelta(minutes=15) <= duration <= timedelta(minutes=60):
        raise invalid(f"durationSeconds {duration.total_seconds():.0f} is not between 900 and 3600.")
    expiration = datetime.now(UTC) + duration
    return {
        "dbUser": database_user(ctx),
        "dbPassword": secrets.token_urlsafe(32),
        "expiration": expiration,
        "nextRefreshTime": expiration,
    }


def database_user(ctx: Context) -> str:
    """The user that an IAM identity is in a database: `IAMR:<role>` for a role's sessions, `IAM:<user>` for a user."""
    kind, _, name = identify(ctx.account, ctx.access_key).arn.partition("/")
    return f"IAMR:{name.partition('/')[0]}" if kind.endswith(":assumed-role") else f"IAM:{name}"


# --- Settings


def _settings(ctx: Context, name: str, current: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """The settings with what is given in them, checked."""
    settings = {**current, **{key: params[key] for key in _AS_GIVEN if key in params}}
    if "configParameters" in params:
        given = _named(params["configParameters"])
        if unknown := given.keys() - _CONFIG_DEFAULTS.keys() - _QUERY_LIMITS:
            raise invalid(f"The parameter key {', '.join(sorted(unknown))} is not a parameter of a workgroup.")
        settings["configParameters"] = _config_parameters({**_named(current["configParameters"]), **given})
    for key in ("baseCapacity", "port", "ipAddressType", "subnetIds", "securityGroupIds"):
        settings[key] = params.get(key) or current[key]
    _check_capacity(settings["baseCapacity"], settings.get("maxCapacity"))
    if not any(settings["port"] in ports for ports in _PORTS):
        raise invalid(f"Port {settings['port']} is not in 5431-5455 or 8191-8215.")
    vpc_id = _check_network(ctx, settings["subnetIds"], settings["securityGroupIds"])
    address = f"{name}.{ctx.account}.{ctx.region}.redshift-serverless.amazonaws.com"
    vpc_endpoint = {"vpcEndpointId": f"vpce-{name}", "vpcId": vpc_id, "networkInterfaces": []}
    settings["endpoint"] = {"address": address, "port": settings["port"], "vpcEndpoints": [vpc_endpoint]}
    return settings


def _named(parameters: list[dict[str, str]]) -> dict[str, str]:
    return {parameter["parameterKey"]: parameter["parameterValue"] for parameter in parameters}


def _config_parameters(named: dict[str, str]) -> list[dict[str, str]]:
    return [{"parameterKey": key, "parameterValue": value} for key, value in sorted(named.items())]


def _check_capacity(base: int, largest: int | None) -> None:
    if base not in _BASE_CAPACITIES:
        raise invalid(f"Base capacity {base} is not 4, or a multiple of 8 from 8 to 512 RPU.")
    if largest is not None and (largest < base or largest % 8):
        raise invalid(f"Max capacity {largest} is not a multiple of 8 of at least the base capacity of {base} RPU.")


def _default_network(ctx: Context) -> dict[str, list[str]]:
    """The default VPC's subnets and security group, where the account still has one."""
    ec2 = ec2_backends[ctx.account][ctx.region]
    vpc = ec2.get_default_vpc()
    if vpc is None:
        return {"subnetIds": [], "securityGroupIds": []}
    subnets = [subnet.id for subnet in ec2.describe_subnets() if subnet.vpc_id == vpc.id]
    groups = [group.id for group in ec2.describe_security_groups() if (group.vpc_id, group.name) == (vpc.id, "default")]
    return {"subnetIds": subnets, "securityGroupIds": groups}


def _check_network(ctx: Context, subnet_ids: list[str], group_ids: list[str]) -> str:
    """The id of the one VPC that all of it is in."""
    ec2 = ec2_backends[ctx.account][ctx.region]
    subnets = {subnet.id: subnet for subnet in ec2.describe_subnets()}
    groups = {group.id: group for group in ec2.describe_security_groups()}
    for kind, ids, known in (("subnet", subnet_ids, subnets), ("security group", group_ids, groups)):
        if missing := [each for each in ids if each not in known]:
            raise invalid(f"The {kind} {', '.join(missing)} does not exist.")
    zones = {subnets[each].availability_zone for each in subnet_ids}
    if len(zones) < _ZONES:
        raise invalid(
            f"A workgroup must have at least three subnets that span three Availability Zones: the subnets "
            f"{subnet_ids} are in {sorted(zones)}."
        )
    vpcs = {subnets[each].vpc_id for each in subnet_ids} | {groups[each].vpc_id for each in group_ids}
    if len(vpcs) > 1:
        raise invalid(f"Subnets and security groups must be in one VPC, not in {sorted(vpcs)}.")
    return vpcs.pop()


def _store(ctx: Context) -> Store:
    return store(ctx.account, ctx.region)
