"""Tags of Redshift Serverless namespaces and workgroups."""

from typing import Any

from emulator.overlay import Context, operation
from emulator.redshift_store import SERVICE, not_found, store


@operation(SERVICE, "ListTagsForResource")
def list_tags(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return {"tags": [{"key": key, "value": value} for key, value in _tags(ctx, params["resourceArn"]).items()]}


@operation(SERVICE, "TagResource")
def tag_resource(ctx: Context, params: dict[str, Any]) -> None:
    _tags(ctx, params["resourceArn"]).update({tag["key"]: tag["value"] for tag in params["tags"]})


@operation(SERVICE, "UntagResource")
def untag_resource(ctx: Context, params: dict[str, Any]) -> None:
    tags = _tags(ctx, params["resourceArn"])
    for key in params["tagKeys"]:
        tags.pop(key, None)


def _tags(ctx: Context, arn: str) -> dict[str, str]:
    """Those of a resource that exists."""
    tags = store(ctx.account, ctx.region).tags
    if arn not in tags:
        raise not_found("Resource", arn)
    return tags[arn]
