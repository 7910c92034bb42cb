"""Redshift Serverless namespaces: databases and their administrators."""

import json
import re
import secrets
import string
from typing import Any

from moto.kms.models import kms_backends
from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends

from emulator.iam_identities import find_role
from emulator.overlay import AwsError, Context, operation
from emulator.redshift_database import Database
from emulator.redshift_store import SERVICE, Namespace, Store, invalid, new_id_and_arn, not_found, page, store

_AWS_OWNED_KEY = "AWS_OWNED_KMS_KEY"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_+.@$-]{0,127}")
_PASSWORD = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[!-~]{8,64}")
_PASSWORD_EXCLUDED = set("/@\"'\\")
_SNAPSHOT_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
_SNAPSHOT_NAME_LENGTH = 255
_ADMINISTRATOR = {"adminUsername", "adminUserPassword", "manageAdminPassword", "adminPasswordSecretKmsKeyId"}


@operation(SERVICE, "CreateNamespace")
def create_namespace(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    kept, name = _store(ctx), params["namespaceName"]
    if name in kept.namespaces:
        raise AwsError("ConflictException", f"Namespace {name} already exists.")
    database = Database(params.get("dbName", "dev"), params.get("adminUsername", "admin"))
    _check_name("dbName", database.name)
    new_id, arn = new_id_and_arn(ctx.account, ctx.region, "namespace")
    settings = {"iamRoles": [], "logExports": [], "kmsKeyId": _AWS_OWNED_KEY}
    namespace = Namespace(name, new_id, arn, database, settings)
    _configure(ctx, namespace, params)
    kept.namespaces[name] = namespace
    kept.tags[arn] = {tag["key"]: tag["value"] for tag in params.get("tags", [])}
    return {"namespace": namespace.describe()}


@operation(SERVICE, "GetNamespace")
def get_namespace(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": _store(ctx).namespace(params["namespaceName"]).describe()}


@operation(SERVICE, "ListNamespaces")
def list_namespaces(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return page("namespaces", [each.describe() for each in _store(ctx).namespaces.values()], params)


@operation(SERVICE, "UpdateNamespace")
def update_namespace(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    namespace = _store(ctx).namespace(params["namespaceName"])
    _configure(ctx, namespace, params)
    return {"namespace": namespace.describe("MODIFYING")}


@operation(SERVICE, "DeleteNamespace")
def delete_namespace(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Delete it with the secret of its administrator. A final snapshot is only noted down."""
    kept = _store(ctx)
    namespace = kept.namespace(params["namespaceName"])
    for workgroup in kept.workgroups.values():
        if workgroup.namespace is namespace:
            raise AwsError(
                "ConflictException",
                f"Namespace {namespace.name} is associated with workgroup {workgroup.name}: delete that first.",
            )
    if "finalSnapshotName" in params:
        _note_final_snapshot(kept, namespace, params["finalSnapshotName"])
    described = namespace.describe("DELETING")
    _delete_secret(ctx, namespace)
    del kept.namespaces[namespace.name], kept.tags[namespace.arn]
    return {"namespace": described}


@operation(SERVICE, "GetSnapshot")
def get_snapshot(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The note of a namespace's final snapshot."""
    name = params.get("snapshotName", "")
    snapshot = _store(ctx).final_snapshots.get(name)
    if snapshot is None:
        raise not_found("Snapshot", name)
    return {"snapshot": snapshot}


def _configure(ctx: Context, namespace: Namespace, params: dict[str, Any]) -> None:
    """Check all that is given, then apply it."""
    settings = dict(namespace.settings)
    for key in ("kmsKeyId", "adminPasswordSecretKmsKeyId"):
        if params.get(key, _AWS_OWNED_KEY) != _AWS_OWNED_KEY:
            settings[key] = _existing_key(ctx, params[key])
    for name in ("iamRoles", "logExports", "defaultIamRoleArn"):
        if name in params:
            settings[name] = params[name]
    for arn in settings["iamRoles"]:
        if find_role(arn) is None:
            raise invalid(f"The IAM role {arn} does not exist.")
    default_role = settings.get("defaultIamRoleArn")
    if default_role and default_role not in settings["iamRoles"]:
        raise invalid(f"The default IAM role {default_role} must be one of the namespace's IAM roles.")
    if not default_role:
        settings.pop("defaultIamRoleArn", None)
    _check_administrator(namespace, params)
    namespace.settings = settings
    if _ADMINISTRATOR & params.keys():
        _set_administrator(ctx, namespace, params)


def _existing_key(ctx: Context, key: str) -> str:
    kms = kms_backends[ctx.account][ctx.region]
    if kms.any_id_to_key_id(key) not in kms.keys:
        raise invalid(f"The KMS key {key} does not exist.")
    return key


# --- The administrator


def _check_administrator(namespace: Namespace, params: dict[str, Any]) -> None:
    _check_name("adminUsername", params.get("adminUsername", namespace.database.administrator))
    password = params.get("adminUserPassword")
    if params.get("manageAdminPassword"):
        if password is not None:
            raise invalid("You can't specify adminUserPassword when manageAdminPassword is true.")
        return
    if "adminPasswordSecretKmsKeyId" in params and namespace.secret is None:
        raise invalid("adminPasswordSecretKmsKeyId can be specified only when manageAdminPassword is true.")
    if params.get("manageAdminPassword") is False and namespace.secret is not None and password is None:
        raise invalid("You must specify adminUserPassword when Redshift is no longer to manage the password.")
    if password is not None and (not _PASSWORD.fullmatch(password) or _PASSWORD_EXCLUDED & set(password)):
        raise invalid(
            "adminUserPassword must be 8 to 64 printable ASCII characters, with a lower-case letter, an upper-case "
            "letter and a digit, without / @ \" ' \\ and spaces."
        )


def _check_name(parameter: str, name: str) -> None:
    if not _NAME.fullmatch(name) or name.lower() == "public":
        raise invalid(f"{parameter} {name} is not a name of letters, digits and underscores, a letter first.")


def _set_administrator(ctx: Context, namespace: Namespace, params: dict[str, Any]) -> None:
    managed = params.get("manageAdminPassword", namespace.secret is not None)
    _delete_secret(ctx, namespace)
    namespace.database.administrator = params.get("adminUsername", namespace.database.administrator)
    if managed:
        namespace.admin_password = _generate_password()
        namespace.secret = _create_secret(ctx, namespace)
    else:
        namespace.settings.pop("adminPasswordSecretKmsKeyId", None)
        namespace.admin_password = params.get("adminUserPassword", namespace.admin_password)


def _create_secret(ctx: Context, namespace: Namespace) -> Any:
    user = namespace.database.administrator
    return _secrets_manager(ctx).create_managed_secret(
        service_name="redshift",
        secret_id=f"redshift!{namespace.name}-{user}",
        secret_string=json.dumps({"username": user, "password": namespace.admin_password}),
        description=f"Credentials of the administrator of {namespace.arn}",
        kms_key_id=namespace.settings.get("adminPasswordSecretKmsKeyId"),
    )


def _delete_secret(ctx: Context, namespace: Namespace) -> None:
    if namespace.secret is not None:
        _secrets_manager(ctx).delete_secret(
            namespace.secret.arn, recovery_window_in_days=None, force_delete_without_recovery=True
        )
        namespace.secret = None


def _generate_password() -> str:
    """Random, and of the kinds of characters that Redshift asks for."""
    kinds = [string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#$%&*()-_=+[]{}<>:?"]
    characters = [secrets.choice(kind) for kind in kinds] + [secrets.choice("".join(kinds)) for _ in range(28)]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def _note_final_snapshot(kept: Store, namespace: Namespace, name: str) -> None:
    if len(name) > _SNAPSHOT_NAME_LENGTH or not _SNAPSHOT_NAME.fullmatch(name):
        raise invalid(f"finalSnapshotName {name} is not a name of lower-case letters, digits and single hyphens.")
    if name in kept.final_snapshots:
        raise AwsError("ConflictException", f"Snapshot {name} already exists.")
    kept.final_snapshots[name] = {
        "snapshotName": name,
        "namespaceName": namespace.name,
        "namespaceArn": namespace.arn,
        "kmsKeyId": namespace.settings["kmsKeyId"],
        "status": "AVAILABLE",
    }


def _secrets_manager(ctx: Context) -> SecretsManagerBackend:
    return secretsmanager_backends[ctx.account][ctx.region]


def _store(ctx: Context) -> Store:
    return store(ctx.account, ctx.region)
