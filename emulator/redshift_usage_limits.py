"""Usage limits of Redshift Serverless workgroups. Nothing here uses compute that would be counted against one."""

from typing import Any

from emulator.overlay import AwsError, Context, operation
from emulator.redshift_store import SERVICE, invalid, new_id_and_arn, not_found, page, store

_MOST = 4  # of one workgroup


@operation(SERVICE, "CreateUsageLimit")
def create_usage_limit(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    kept, arn = store(ctx.account, ctx.region), params["resourceArn"]
    if arn not in {workgroup.arn for workgroup in kept.workgroups.values()}:
        raise not_found("Resource", arn)
    _check_amount(params["amount"])
    limit = {"period": "monthly", "breachAction": "log", **params}
    same_resource = [each for each in kept.usage_limits.values() if each["resourceArn"] == arn]
    if any(all(each[key] == limit[key] for key in ("usageType", "period", "breachAction")) for each in same_resource):
        raise AwsError(
            "ConflictException",
            f"A {limit['period']} usage limit of {limit['usageType']} with the action {limit['breachAction']} exists.",
        )
    if len(same_resource) >= _MOST:
        raise AwsError("ServiceQuotaExceededException", f"{arn} has {_MOST} usage limits already.")
    limit["usageLimitId"], limit["usageLimitArn"] = new_id_and_arn(ctx.account, ctx.region, "usagelimit")
    kept.usage_limits[limit["usageLimitId"]] = limit
    return {"usageLimit": limit}


@operation(SERVICE, "GetUsageLimit")
def get_usage_limit(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return {"usageLimit": store(ctx.account, ctx.region).usage_limit(params["usageLimitId"])}


@operation(SERVICE, "ListUsageLimits")
def list_usage_limits(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    wanted = [(key, params[key]) for key in ("resourceArn", "usageType") if key in params]
    limits = store(ctx.account, ctx.region).usage_limits.values()
    return page("usageLimits", [limit for limit in limits if all(limit[key] == value for key, value in wanted)], params)


@operation(SERVICE, "UpdateUsageLimit")
def update_usage_limit(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    limit = store(ctx.account, ctx.region).usage_limit(params["usageLimitId"])
    _check_amount(params.get("amount", limit["amount"]))
    limit.update(params)
    return {"usageLimit": limit}


@operation(SERVICE, "DeleteUsageLimit")
def delete_usage_limit(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    kept = store(ctx.account, ctx.region)
    limit = kept.usage_limit(params["usageLimitId"])
    del kept.usage_limits[limit["usageLimitId"]]
    return {"usageLimit": limit}


def _check_amount(amount: int) -> None:
    if amount <= 0:
        raise invalid(f"The amount of a usage limit must be a positive number, not {amount}.")
