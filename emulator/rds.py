"""RDS for PostgreSQL: DB instances that are real Postgres servers (see rds_instance.py)."""

import re
import socket
from typing import Any

from cryptography.hazmat.primitives import hashes

from emulator import postgres, rds_options, rds_parameter_groups
from emulator.overlay import FALL_THROUGH, AwsError, Context, not_emulated, operation
from emulator.rds_instance import CA, CA_IDENTIFIER, DBInstance

_DEFAULT_MAJOR_VERSION = 16
_SMALLEST_STORAGE = 20  # GiB
_PORTS = range(1150, 65536)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_RESERVED_NAMES = {"admin", "all", "current_user", "public", "rdsadmin", "session_user", "user"}
_PASSWORD = re.compile(r"[!-~]{8,128}")
_PASSWORD_EXCLUDED = set('/@"')


@operation("rds", "CreateDBInstance")
def create_instance(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Check what AWS checks and start a server for the instance."""
    request = ctx.response.params
    request["DBInstanceIdentifier"] = request["DBInstanceIdentifier"].lower()
    if params["Engine"] != "postgres":
        raise not_emulated("rds", "CreateDBInstance", f"engine {params['Engine']}, only postgres")
    request["EngineVersion"] = _engine_version(params.get("EngineVersion", str(_DEFAULT_MAJOR_VERSION)))
    _check_master(params)
    _check_name("DBName", params.get("DBName", "postgres"))
    if params.get("AllocatedStorage", 0) < _SMALLEST_STORAGE:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid storage size for engine name postgres and storage type {params.get('StorageType', 'gp2')}: "
            f"{params.get('AllocatedStorage', 0)} (at least {_SMALLEST_STORAGE} GiB)",
        )
    if "Port" in params:
        _check_port(params["Port"])
    if "DBParameterGroupName" in params:
        _check_family(ctx, params["DBParameterGroupName"], request["EngineVersion"])
    rds_options.check(ctx, params)
    instance = ctx.response.backend.create_db_instance(request)
    instance.launch()
    return {"DBInstance": instance}


@operation("rds", "ModifyDBInstance")
def modify_instance(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Change an instance: what RDS keeps for the maintenance window only if ApplyImmediately is given."""
    instance = _available_instance(ctx, params["DBInstanceIdentifier"])
    if "EngineVersion" in params:
        version = _engine_version(params["EngineVersion"])
        if version.split(".")[0] != instance.engine_version.split(".")[0]:
            raise not_emulated("rds", "ModifyDBInstance", f"upgrade from {instance.engine_version} to {version}")
        ctx.response.params["EngineVersion"] = version
    if params.get("RotateMasterUserPassword"):
        raise not_emulated("rds", "ModifyDBInstance", "RotateMasterUserPassword")
    if params.get("ManageMasterUserPassword") is False and "MasterUserPassword" not in params:
        raise AwsError(
            "InvalidParameterCombination",
            "You must specify MasterUserPassword when RDS is no longer to manage the master password.",
        )
    if "MasterUserPassword" in params:
        if params.get("ManageMasterUserPassword", instance.manage_master_user_password):
            raise AwsError(
                "InvalidParameterCombination",
                "You can't specify MasterUserPassword for an instance that RDS manages the master password of.",
            )
        _check_password(params["MasterUserPassword"])
    if params.get("DBPortNumber", instance.port) != instance.port:
        _check_port(params["DBPortNumber"])
    if "DBParameterGroupName" in params:
        _check_family(ctx, params["DBParameterGroupName"], instance.engine_version)
    rds_options.check(ctx, params, instance)
    rds_options.wait_for_window(params, ctx.response.params, instance)
    return FALL_THROUGH


@operation("rds", "RebootDBInstance")
def reboot_instance(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Restart the server, so that parameters that wait for it take effect."""
    instance = _available_instance(ctx, params["DBInstanceIdentifier"])
    instance.reboot()
    return {"DBInstance": instance}


@operation("rds", "DeleteDBInstance")
def delete_instance(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Stop the server and delete its data. A final snapshot is described, but holds nothing."""
    if not params.get("SkipFinalSnapshot") and "FinalDBSnapshotIdentifier" not in params:
        raise AwsError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    result = ctx.response.delete_db_instance().result
    result["DBInstance"].shut_down()
    return result


@operation("rds", "DescribeCertificates")
def describe_certificates(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The certificate authority of the instances' endpoints."""
    name = params.get("CertificateIdentifier", CA_IDENTIFIER)
    if name != CA_IDENTIFIER:
        raise AwsError("CertificateNotFound", f"Certificate not found: {name}", 404)
    certificate = {
        "CertificateIdentifier": CA_IDENTIFIER,
        "CertificateType": "CA",
        "CertificateArn": f"arn:aws:rds:{ctx.region}::cert:{CA_IDENTIFIER}",
        "Thumbprint": CA.certificate.fingerprint(hashes.SHA1()).hex(),
        "ValidFrom": CA.certificate.not_valid_before_utc,
        "ValidTill": CA.certificate.not_valid_after_utc,
        "CustomerOverride": False,
    }
    return {"Certificates": [certificate], "DefaultCertificateForNewLaunches": CA_IDENTIFIER}


@operation(
    "rds",
    "CreateDBInstanceReadReplica",
    "PromoteReadReplica",
    "RestoreDBInstanceFromDBSnapshot",
    "RestoreDBInstanceToPointInTime",
    "StartDBInstance",
    "StopDBInstance",
)
def refuse(ctx: Context, params: dict[str, Any]) -> None:
    """moto would change its description only, not the server."""
    raise not_emulated("rds", ctx.action)


def _available_instance(ctx: Context, identifier: str) -> DBInstance:
    instance = ctx.response.backend.describe_db_instances(identifier.lower())[0]
    if instance.status != "available":
        raise AwsError(
            "InvalidDBInstanceState", f"Database instance is not in available state: {identifier} is {instance.status}"
        )
    return instance


def _engine_version(requested: str) -> str:
    """The version that a request is answered with: `16` means the newest 16, `16.4` itself."""
    major, _, minor = requested.partition(".")
    if not major.isdigit() or int(major) not in postgres.BINARIES:
        raise AwsError(
            "InvalidParameterCombination",
            f"Cannot find version {requested} for postgres (the emulator has {sorted(postgres.BINARIES)})",
        )
    return requested if minor else postgres.full_version(int(major))


def _check_master(params: dict[str, Any]) -> None:
    if "MasterUsername" not in params:
        raise AwsError("InvalidParameterValue", "The parameter MasterUsername must be provided and must not be blank.")
    _check_name("MasterUsername", params["MasterUsername"])
    managed = params.get("ManageMasterUserPassword", False)
    if managed and "MasterUserPassword" in params:
        raise AwsError(
            "InvalidParameterCombination",
            "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.",
        )
    if not managed:
        _check_password(params.get("MasterUserPassword", ""))


def _check_name(parameter: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise AwsError(
            "InvalidParameterValue",
            f"{parameter} must begin with a letter and contain only alphanumeric characters and underscores, "
            f"63 at most: {name}",
        )
    if name.lower() in _RESERVED_NAMES or name.lower().startswith("pg_"):
        raise AwsError("InvalidParameterValue", f"{parameter} {name} cannot be used as it is a reserved word")


def _check_password(password: str) -> None:
    if not _PASSWORD.fullmatch(password) or _PASSWORD_EXCLUDED & set(password):
        raise AwsError(
            "InvalidParameterValue",
            "The parameter MasterUserPassword is not a valid password: 8 to 128 printable ASCII characters besides "
            "'/', '@', '\"', ' ' may be used.",
        )


def _check_port(port: int) -> None:
    if port not in _PORTS:
        raise AwsError("InvalidParameterValue", f"Invalid port {port}: use {_PORTS.start} to {_PORTS.stop - 1}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise AwsError(
                "InvalidParameterValue", f"Port {port} is taken on this machine: leave it out for a free one"
            )


def _check_family(ctx: Context, group_name: str, engine_version: str) -> None:
    group = ctx.response.backend.db_parameter_groups.get(group_name)
    if group is None:
        return  # moto makes the default groups when they are first used, and refuses other names
    if rds_parameter_groups.major_version(group.family) != int(engine_version.split(".")[0]):
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameter group {group_name} with DBParameterGroupFamily {group.family} can't be used for this "
            f"instance of engine version {engine_version}.",
        )
