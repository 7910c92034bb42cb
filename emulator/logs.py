"""CloudWatch Logs: groups encrypted by a customer's key, which the service uses in its own name."""

from typing import Any

from moto.logs.models import LogGroup, logs_backends

from emulator import iam
from emulator.iam_resources import kms_key_arn
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

# What "Encrypt log data in CloudWatch Logs using AWS KMS" asks the key's policy for.
_USES = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:DescribeKey"]


@operation("logs", "CreateLogGroup")
def create_log_group(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a key that CloudWatch Logs may not use; moto does the rest."""
    if "kmsKeyId" in params:
        _check_key(ctx, params["kmsKeyId"], params["logGroupName"])
    return FALL_THROUGH


@operation("logs", "AssociateKmsKey")
def associate_key(ctx: Context, params: dict[str, Any]) -> None:
    """Encrypt what comes from now on by this key."""
    group = _group(ctx, params["logGroupName"])
    _check_key(ctx, params["kmsKeyId"], group.name)
    group.kms_key_id = params["kmsKeyId"]


@operation("logs", "DisassociateKmsKey")
def disassociate_key(ctx: Context, params: dict[str, Any]) -> None:
    """Encrypt what comes from now on by the service's own key."""
    _group(ctx, params["logGroupName"]).kms_key_id = None


def _check_key(ctx: Context, key: str, group_name: str) -> None:
    arn = kms_key_arn(ctx.account, ctx.region, key)
    group_arn = f"arn:aws:logs:{ctx.region}:{ctx.account}:log-group:{group_name}"
    context = {"kms:encryptioncontext:aws:logs:arn": group_arn, "kms:viaservice": f"logs.{ctx.region}.amazonaws.com"}
    for action in _USES:
        if not iam.service_may(f"logs.{ctx.region}.amazonaws.com", action, arn, context):
            raise AwsError(
                "AccessDeniedException",
                f"The specified KMS key does not exist or is not allowed to be used with Arn '{group_arn}' "
                f"({action} on {arn})",
            )


def _group(ctx: Context, name: str) -> LogGroup:
    group = logs_backends[ctx.account][ctx.region].groups.get(name)
    if group is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return group
