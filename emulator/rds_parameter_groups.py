"""DB parameter groups: what moto lacks, and what a group's parameters mean to a Postgres server."""

from collections.abc import Mapping
from typing import Any

from moto.rds.models import DBParameterGroup, RDSBackend

from emulator import postgres
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

# Parameters of RDS's own, with whether a change takes a reboot.
_RDS_PARAMETERS = {
    "rds.force_ssl": False,
    "rds.log_retention_period": False,
    "rds.logical_replication": True,
    "rds.restrict_password_commands": True,
}

# RDS sets these itself and refuses to have them modified.
_NOT_MODIFIABLE = {
    "archive_command",
    "archive_mode",
    "config_file",
    "data_directory",
    "fsync",
    "full_page_writes",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "ssl",
    "unix_socket_directories",
    "wal_level",
}

# What RDS sets where Postgres' own default is another.
_RDS_DEFAULTS = {
    "log_timezone": "UTC",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "timezone": "UTC",
}


def major_version(family: str) -> int | None:
    """The server's major version that a family such as `postgres16` is for; None when it is not one of ours."""
    return next((version for version in postgres.BINARIES if family == f"postgres{version}"), None)


def values(group: DBParameterGroup) -> dict[str, str]:
    """The parameters set in a group."""
    return {name: parameter["ParameterValue"] for name, parameter in group.parameters.items()}


def needs_reboot(name: str, family: str) -> bool:
    """Whether a change of a parameter takes effect at the next start only."""
    if name in _RDS_PARAMETERS:
        return _RDS_PARAMETERS[name]
    return postgres.parameter_contexts(major_version(family)).get(name) == "postmaster"


def server_settings(parameters: Mapping[str, str]) -> dict[str, str]:
    """What to configure a Postgres server with under these parameters.

    Left out: parameters of extensions (this build has none of RDS's), preloaded libraries, and formulas over the
    instance's memory such as `{DBInstanceClassMemory/32768}`.
    """
    settings = dict(_RDS_DEFAULTS)
    if parameters.get("rds.logical_replication") == "1":
        settings["wal_level"] = "logical"
    for name, value in parameters.items():
        if "." not in name and "{" not in value and name != "shared_preload_libraries":
            settings[name] = value
    return settings


def tls_required(parameters: Mapping[str, str]) -> bool:
    """Whether unencrypted connections are refused; RDS's default is yes from Postgres 15 on."""
    return parameters.get("rds.force_ssl", "1") == "1"


@operation("rds", "CreateDBParameterGroup")
def create_parameter_group(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse families whose server is not here; moto does the rest."""
    family = params["DBParameterGroupFamily"]
    if major_version(family) is None:
        known = ", ".join(f"postgres{version}" for version in postgres.BINARIES)
        raise AwsError(
            "InvalidParameterValue",
            f"ParameterGroupFamily {family} is not a valid parameter group family (the emulator has {known})",
        )
    return FALL_THROUGH


@operation("rds", "ModifyDBParameterGroup")
def modify_parameter_group(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Set parameters; instances of the group follow at once where ApplyMethod is `immediate`."""
    group = _group(ctx.response.backend, params["DBParameterGroupName"])
    for parameter in params["Parameters"]:
        _check(parameter, group.family)
    group.update_parameters(params["Parameters"])
    _tell_instances(ctx.response.backend, group, params["Parameters"])
    return {"DBParameterGroupName": group.name}


@operation("rds", "ResetDBParameterGroup")
def reset_parameter_group(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Put parameters back to their defaults: the named ones, or all with ResetAllParameters."""
    group = _group(ctx.response.backend, params["DBParameterGroupName"])
    parameters = params.get("Parameters", [])
    if params.get("ResetAllParameters", not parameters):
        parameters = [
            {
                "ParameterName": name,
                "ApplyMethod": "pending-reboot" if needs_reboot(name, group.family) else "immediate",
            }
            for name in group.parameters
        ]
    for parameter in parameters:
        group.parameters.pop(parameter["ParameterName"], None)
    _tell_instances(ctx.response.backend, group, parameters)
    return {"DBParameterGroupName": group.name}


@operation("rds", "DescribeDBParameters")
def describe_parameters(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that were set. (AWS lists the engine's defaults beside them.)"""
    group = _group(ctx.response.backend, params["DBParameterGroupName"])
    described = [
        {
            **parameter,
            "Source": "user",
            "ApplyType": "static" if needs_reboot(name, group.family) else "dynamic",
            "IsModifiable": True,
        }
        for name, parameter in group.parameters.items()
    ]
    return {"Parameters": [parameter for parameter in described if params.get("Source", "user") == "user"]}


@operation("rds", "DeleteDBParameterGroup")
def delete_parameter_group(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse to delete a group that an instance uses."""
    name = params["DBParameterGroupName"]
    users = [
        instance.db_instance_identifier
        for instance in ctx.response.backend.databases.values()
        if instance.db_parameter_group_name == name
    ]
    if users:
        raise AwsError(
            "InvalidDBParameterGroupState", f"One or more database instances are still members of {name}: {users}"
        )
    return FALL_THROUGH


def _group(backend: RDSBackend, name: str) -> DBParameterGroup:
    if name not in backend.db_parameter_groups:
        raise AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    return backend.db_parameter_groups[name]


def _check(parameter: Mapping[str, str], family: str) -> None:
    name = parameter["ParameterName"]
    known = name in _RDS_PARAMETERS or name in postgres.parameter_contexts(major_version(family))
    of_extension = "." in name and not name.startswith("rds.")
    if not known and not of_extension:
        raise AwsError("InvalidParameterValue", f"Could not find parameter with name: {name}")
    if name in _NOT_MODIFIABLE:
        raise AwsError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
    if parameter["ApplyMethod"] == "immediate" and needs_reboot(name, family):
        raise AwsError("InvalidParameterCombination", f"cannot use immediate apply method for static parameter: {name}")


def _tell_instances(backend: RDSBackend, group: DBParameterGroup, changed: list[dict[str, str]]) -> None:
    immediate = {parameter["ParameterName"] for parameter in changed if parameter["ApplyMethod"] == "immediate"}
    for instance in backend.databases.values():
        if instance.db_parameter_group_name == group.name:
            instance.follow_parameter_group(immediate)
