"""The roles that Glue's jobs and crawlers act as."""

from emulator import iam
from emulator.accounts import Credentials, role_session
from emulator.overlay import AwsError


def require_trust(account: str, role: str) -> None:
    """Refuse a role, given by its name or ARN, that does not let Glue assume it."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}"
    if not iam.trusts(arn, "glue.amazonaws.com"):
        raise AwsError("InvalidInputException", f"Role {arn} should be given assume role permissions for Glue Service.")


def assume(account: str, role: str, session_name: str) -> Credentials:
    """A session of the role, as Glue gets one."""
    require_trust(account, role)
    return role_session(account, role, session_name)
