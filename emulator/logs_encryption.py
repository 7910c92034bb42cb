"""Log groups under a key: CloudWatch Logs uses it in its own name, so the key's policy has to allow it."""

from typing import Any

from moto.kms.models import kms_backends
from moto.logs.models import LogGroup, logs_backends

from emulator.iam_policy import Effect, Principal, Request, evaluate
from emulator.iam_resources import kms_key_arn
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

# What its documentation asks to allow, one of each kind.
_USES = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:DescribeKey")


@operation("logs", "CreateLogGroup")
def create_log_group(ctx: Context, params: dict[str, Any]) -> Any:
    """Check the key, if there is one; moto creates the group."""
    if key := params.get("kmsKeyId"):
        _require_usable(ctx, key, params["logGroupName"])
    return FALL_THROUGH


@operation("logs", "AssociateKmsKey")
def associate_kms_key(ctx: Context, params: dict[str, Any]) -> None:
    """Put a group under a key."""
    group = _group(ctx, params)
    _require_usable(ctx, params["kmsKeyId"], group.name)
    group.kms_key_id = params["kmsKeyId"]


@operation("logs", "DisassociateKmsKey")
def disassociate_kms_key(ctx: Context, params: dict[str, Any]) -> None:
    """Take the key from a group."""
    _group(ctx, params).kms_key_id = None


def _group(ctx: Context, params: dict[str, Any]) -> LogGroup:
    group = logs_backends[ctx.account][ctx.region].groups.get(params.get("logGroupName"))
    if group is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return group


def _require_usable(ctx: Context, key_arn: str, group: str) -> None:
    group_arn = f"arn:aws:logs:{ctx.region}:{ctx.account}:log-group:{group}"
    arn = kms_key_arn(ctx.account, ctx.region, key_arn)
    key = kms_backends[ctx.account][ctx.region].keys.get(arn.rpartition("/")[2])
    context = {"kms:encryptioncontext:aws:logs:arn": group_arn}
    service = Principal(service=f"logs.{ctx.region}.amazonaws.com")
    is_usable = (
        key is not None
        and key.key_state == "Enabled"
        and all(evaluate(key.policy, Request(service, use, arn, context)) is Effect.ALLOW for use in _USES)
    )
    if not is_usable:
        raise AwsError(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{group_arn}'",
        )
