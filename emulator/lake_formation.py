"""Where moto's Lake Formation differs from AWS's, as far as the platform depends on it."""

from typing import Any

from moto.lakeformation.models import lakeformation_backends

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation


@operation("lakeformation", "RevokePermissions")
def revoke_permissions(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse to revoke what was never granted, or no longer is: Terraform revokes until it hears so."""
    catalog = params.get("CatalogId", ctx.account)
    granted = lakeformation_backends[ctx.account][ctx.region].list_permissions(catalog_id=catalog)
    asked = _without_catalog(params["Resource"])
    held = {
        permission
        for grant in granted
        if grant["Principal"] == params["Principal"] and _without_catalog(grant["Resource"]) == asked
        for permission in grant["Permissions"]
    }
    if not held & set(params["Permissions"]):
        permissions = ", ".join(params["Permissions"])
        raise AwsError("InvalidInputException", f"No permissions revoked. Grantee does not have: [{permissions}]")
    return FALL_THROUGH


def _without_catalog(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without the catalog's id, which may be given or not."""
    return {kind: {k: v for k, v in each.items() if k != "CatalogId"} for kind, each in resource.items()}
