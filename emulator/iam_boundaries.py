"""A role cannot be bounded by a policy that does not exist: IAM refuses it."""

import re
from typing import Any

from moto.iam.models import iam_backends

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation


@operation("iam", "CreateRole", "PutRolePermissionsBoundary")
def refuse_missing_boundary(ctx: Context, params: dict[str, Any]) -> Any:
    """Leave the rest to moto."""
    arn = params.get("PermissionsBoundary")
    own = re.fullmatch(rf"arn:aws:iam::({ctx.account}|aws):policy/.+", arn) if arn else None
    if arn and (own is None or arn not in iam_backends[ctx.account]["aws"].managed_policies):
        raise AwsError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)
    return FALL_THROUGH
