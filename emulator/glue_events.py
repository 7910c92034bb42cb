"""What Glue tells EventBridge: events of the source `aws.glue` on the default bus of the account."""

from typing import Any

from emulator import event_rules


def emit(account: str, region: str, detail_type: str, detail: dict[str, Any]) -> None:
    """Hand an event to the rules that match it."""
    event_rules.emit(account, region, "aws.glue", detail_type, detail)
