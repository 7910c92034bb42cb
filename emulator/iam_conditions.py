"""Condition keys of IAM policies that speak of what is asked for: tags, and the boundary of a role."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

if TYPE_CHECKING:
    from emulator.iam_policy import Context
    from emulator.iam_resources import Call


_BOUNDED = {"CreateRole"} | {
    f"{verb}Role{thing}"
    for verb, thing in [
        ("Attach", "Policy"),
        ("Delete", "PermissionsBoundary"),
        ("Delete", "Policy"),
        ("Detach", "Policy"),
        ("Put", "PermissionsBoundary"),
        ("Put", "Policy"),
    ]
}
"""The operations on roles that know the key iam:PermissionsBoundary."""


def request_keys(call: "Call") -> "Context":
    """The keys that hold for the whole call: the tags that it gives, the boundary of the role that it is about.

    EC2 gives tags to each thing that it creates by itself: see iam_ec2.
    """
    tags = {} if call.service == "ec2" else tag_keys(request_tags(call.parameters))
    return {**tags, **_boundary(call)}


def tag_keys(tags: Mapping[str, str]) -> "Context":
    """The keys of tags that are asked for."""
    if not tags:
        return {}
    return {"aws:tagkeys": list(tags), **{f"aws:requesttag/{name.lower()}": value for name, value in tags.items()}}


def resource_keys(arn: str) -> "Context":
    """The tags that a key, or anything of EC2, has already; of a key its aliases, too.

    Of other services no policy here asks them.
    """
    _, _, service, region, account, resource = arn.split(":", 5) if arn.count(":") >= 5 else ("",) * 6
    name = resource.rpartition("/")[2]
    tags: Mapping[str, str] = {}
    aliases: list[str] = []
    if service == "ec2":
        tags = ec2_backends[account][region].tags.get(name, {})
    elif service == "kms" and name in kms_backends[account][region].keys:
        tags = kms_backends[account][region].tagger.get_tag_dict_for_resource(name)
        aliases = list(kms_backends[account][region].keys[name].aliases)
    keys: dict[str, str | list[str]] = {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}
    return {**keys, "kms:resourcealiases": aliases} if aliases else keys


def request_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The tags among a call's parameters, in any of the forms in which services take them."""
    given = parameters.get("Tags", parameters.get("tags", []))
    if isinstance(given, Mapping):
        return dict(given)
    listed = {}
    for tag in given:
        lower = {name.lower().removeprefix("tag"): value for name, value in tag.items()}
        listed[lower["key"]] = lower["value"]
    keys = (re.fullmatch(r"(.*Tags?(?:\.member)?\.\d+)\.Key", name) for name in parameters)
    form = {parameters[key[0]]: parameters.get(f"{key[1]}.Value", "") for key in keys if key}
    return {**listed, **form}


def _boundary(call: "Call") -> "Context":
    """A new role's boundary is the one it shall have; of another it is the one it has."""
    if call.service != "iam" or call.operation not in _BOUNDED:
        return {}
    name = call.text("RoleName")
    arn = call.text("PermissionsBoundary")
    if arn is None:
        role = next(
            (each for each in iam_backends[call.account]["aws"].roles.copy().values() if each.name == name), None
        )
        arn = role and role.permissions_boundary_arn
    return {"iam:permissionsboundary": arn} if arn else {}
