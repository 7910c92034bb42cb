"""The use of customers' keys that a call implies: services encrypt and decrypt in the caller's name.

From "How <service> uses AWS KMS" of the services' user guides. S3, which knows the key by bucket and object, is in
iam_s3.py; what services do with a key in their own name goes through iam.service_may.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from moto.glue.models import glue_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from emulator.iam_resources import Call, Need, find_key, kms_key_arn

_READ = ["kms:Decrypt"]
_WRITE = ["kms:GenerateDataKey", "kms:Decrypt"]


def needs(call: Call) -> list[Need]:
    """Every permission on a key that the call needs beyond its own."""
    uses = _catalog if call.service == "glue" else _USES.get(f"{call.service}:{call.operation}")
    return uses(call) if uses else []


def use(
    actions: Sequence[str],
    key: str | None,
    *,
    via: str,
    account: str,
    region: str,
    encryption_context: Mapping[str, str] | None = None,
) -> list[Need]:
    """The permissions that a service `via` needs of the caller on a key, given by its id, ARN or alias.

    None for a key that AWS manages: everybody in the account may use it through its service.
    """
    if not key or "alias/aws/" in key:
        return []
    # A grant that a service asks for is for a resource of AWS's, a database or the like, to go on using the key.
    context = {"kms:viaservice": f"{via}.{region}.amazonaws.com", "kms:grantisforawsresource": "true"}
    for name, value in (encryption_context or {}).items():
        context[f"kms:encryptioncontext:{name.lower()}"] = value
    if "kms:CreateGrant" in actions:
        context["kms:grantisforawsresource"] = "true"
    arn = kms_key_arn(account, region, key)
    return [Need(action, arn, context, via) for action in actions]


def refusal(need: Need) -> tuple[str, str] | None:
    """Code and message with which the service refuses a key that cannot be used, None when it can."""
    key = find_key(need.resource)
    if key is not None and key.key_state == "Enabled":
        return None
    code, state = ("NotFoundException", "does not exist") if key is None else _STATES[key.key_state]
    if need.via == "secretsmanager":
        code = "DecryptionFailure" if need.action == "kms:Decrypt" else "EncryptionFailure"
    else:
        code = _CODES.get(need.via, f"KMS.{code}")
    return code, f"{need.resource} {state}."


_CODES = {"glue": "GlueEncryptionException", "rds": "KMSKeyNotAccessibleFault", "ssm": "InvalidKeyId"}
_STATES = {
    "Disabled": ("DisabledException", "is disabled"),
    "PendingDeletion": ("KMSInvalidStateException", "is pending deletion"),
}


def _use(call: Call, actions: Sequence[str], key: str | None, **encryption_context: str) -> list[Need]:
    return use(
        actions,
        key,
        via=call.service,
        account=call.account,
        region=call.region,
        encryption_context=encryption_context,
    )


# --- Secrets Manager


def _create_secret(call: Call) -> list[Need]:
    return _use(call, _WRITE, call.text("KmsKeyId")) if call.text("SecretString", "SecretBinary") else []


def _read_secret(call: Call) -> list[Need]:
    return _secret_use(call, _READ)


def _write_secret(call: Call) -> list[Need]:
    changes = call.operation == "PutSecretValue" or call.text("SecretString", "SecretBinary", "KmsKeyId")
    return _secret_use(call, _WRITE) if changes else []


def _secret_use(call: Call, actions: Sequence[str]) -> list[Need]:
    secret = secretsmanager_backends[call.account][call.region].secrets.get(call.text("SecretId"))
    if secret is None:
        return []
    return _use(call, actions, call.text("KmsKeyId") or secret.kms_key_id, SecretARN=secret.arn)


# --- Systems Manager's parameters


def _read_parameters(call: Call) -> list[Need]:
    if call.parameters.get("WithDecryption") is not True:
        return []
    backend = ssm_backends[call.account][call.region]
    if path := call.text("Path"):
        names = [name for name in list(backend._parameters) if name.startswith(path)]
    else:
        names = call.texts("Names") or [call.text("Name")]
    found = [parameter for parameter in map(backend.get_parameter, filter(None, names)) if parameter]
    return [
        need
        for parameter in found
        if parameter.parameter_type == "SecureString"
        for need in _use(call, _READ, parameter.keyid, PARAMETER_ARN=_parameter_arn(call, parameter.name))
    ]


def _put_parameter(call: Call) -> list[Need]:
    if call.text("Type") != "SecureString":
        return []
    # A value of the standard tier is encrypted by the key itself.
    actions = ["kms:Encrypt"] if call.parameters.get("Tier", "Standard") == "Standard" else ["kms:GenerateDataKey"]
    return _use(call, actions, call.text("KeyId"), PARAMETER_ARN=_parameter_arn(call, call.text("Name")))


def _parameter_arn(call: Call, name: str) -> str:
    return call.arn(f"parameter/{name.lstrip('/')}")


# --- RDS


def _instance_keys(call: Call) -> list[Need]:
    """RDS goes on to use the keys by a grant; the master secret is created in the caller's name."""
    lasting = [call.text(name) for name in ("KmsKeyId", "PerformanceInsightsKMSKeyId")]
    secret = call.text("MasterUserSecretKmsKeyId")
    return [
        *(need for key in dict.fromkeys(lasting) for need in _use(call, ["kms:DescribeKey", "kms:CreateGrant"], key)),
        *_use(call, [*_WRITE, "kms:DescribeKey", "kms:CreateGrant"], secret),
    ]


# --- Glue


def _catalog(call: Call) -> list[Need]:
    """A catalog that is encrypted is read and written with its key; jobs, crawlers and the like are no part of it."""
    if not re.search("Database|Table|Partition|Connection|Function", call.operation):
        return []
    settings = glue_backends[call.account][call.region].data_catalog_encryption_settings.get(call.account, {})
    at_rest = settings.get("EncryptionAtRest", {})
    if at_rest.get("CatalogEncryptionMode") != "SSE-KMS":
        return []
    reads = re.match("(Batch)?Get|Search", call.operation)
    return _use(call, _READ if reads else _WRITE, at_rest.get("SseAwsKmsKeyId"))


_USES: dict[str, Callable[[Call], list[Need]]] = {
    "rds:CreateDBInstance": _instance_keys,
    "rds:ModifyDBInstance": _instance_keys,
    "secretsmanager:CreateSecret": _create_secret,
    "secretsmanager:GetSecretValue": _read_secret,
    "secretsmanager:PutSecretValue": _write_secret,
    "secretsmanager:UpdateSecret": _write_secret,
    "ssm:GetParameter": _read_parameters,
    "ssm:GetParameterHistory": _read_parameters,
    "ssm:GetParameters": _read_parameters,
    "ssm:GetParametersByPath": _read_parameters,
    "ssm:PutParameter": _put_parameter,
}
