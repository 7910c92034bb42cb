"""Who makes a call, and the policies that are attached to them, read from moto's IAM and STS."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from moto.iam.models import Group, ManagedPolicy, Role, User, iam_backends
from moto.sts.models import AssumedRole

from emulator.accounts import session_of
from emulator.iam_policy import Context, Principal

# An administrator's key stands for somebody with AdministratorAccess: free in the own account, but bound, as on AWS,
# by the trust policies of roles, by explicit denies of bucket policies and by what other accounts allow.
_ADMINISTRATOR_ACCESS = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


@dataclass(frozen=True)
class Identity:
    """A caller: `arn` is what AWS calls it in messages, `role` the role of a session; the policies are JSON texts."""

    arn: str
    principal: Principal
    context: Context
    policies: Sequence[str] = ()
    boundary: str | None = None
    session_policy: str | None = None
    role: str | None = None
    expires: datetime | None = None  # UTC without zone, as moto keeps it


def identify(account: str, access_key: str) -> Identity:
    """The caller behind an access key of this account."""
    if session := session_of(account, access_key):
        return _of_session(session)
    if user := iam_backends[account]["aws"].get_user_from_access_key_id(access_key):
        return _of_user(account, user)
    arn = f"arn:aws:iam::{account}:user/administrator"
    return Identity(arn, Principal((arn,), account), _context(arn, account, "User"), [_ADMINISTRATOR_ACCESS])


def find_role(arn: str) -> Role | None:
    """A role of any account, None when no role has that ARN."""
    match = re.fullmatch(r"arn:aws:iam::(\d{12}):role/.+", arn)
    roles = list(iam_backends[match[1]]["aws"].roles.values()) if match else []
    return next((role for role in roles if role.arn == arn), None)


def _of_session(session: AssumedRole) -> Identity:
    role = find_role(session.role_arn)
    context = {**_context(session.role_arn, session.account_id, "AssumedRole"), "aws:userid": session.user_id}
    return Identity(
        arn=session.arn,
        principal=Principal((session.arn, session.role_arn), session.account_id),
        context=context,
        policies=_attached(role) if role else [],
        boundary=_boundary(role.account_id, role.permissions_boundary_arn) if role else None,
        session_policy=session.policy,
        role=session.role_arn,
        expires=session.expiration,
    )


def _of_user(account: str, user: User) -> Identity:
    groups = iam_backends[account]["aws"].get_groups_for_user(user.name)
    return Identity(
        arn=user.arn,
        principal=Principal((user.arn,), account),
        context={**_context(user.arn, account, "User"), "aws:userid": user.id, "aws:username": user.name},
        policies=[text for holder in [user, *groups] for text in _attached(holder)],
    )


def _attached(holder: Role | User | Group) -> list[str]:
    """Inline and managed policies. Copied first: another request may attach one meanwhile."""
    return [*holder.policies.copy().values(), *map(_document, holder.managed_policies.copy().values())]


def _boundary(account: str, arn: str | None) -> str | None:
    return None if arn is None else _document(iam_backends[account]["aws"].managed_policies[arn])


def _document(policy: ManagedPolicy) -> str:
    return next(version.document for version in policy.versions if version.is_default)


def _context(arn: str, account: str, kind: str) -> dict[str, str]:
    return {
        "aws:principalarn": arn,
        "aws:principalaccount": account,
        "aws:principaltype": kind,
        "kms:calleraccount": account,
    }
