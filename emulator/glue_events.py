"""What Glue tells EventBridge: events of the source `aws.glue` on the default bus of the account."""

import json
import logging
from typing import Any

from moto.events.models import events_backends

_log = logging.getLogger(__name__)


def emit(account: str, region: str, detail_type: str, detail: dict[str, Any]) -> None:
    """Hand an event to the rules that match it."""
    event = {"Source": "aws.glue", "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": []}
    try:
        events_backends[account][region].put_events([event])
    except NotImplementedError as error:
        # moto delivers to some kinds of targets only. Events are best effort: whoever emits them goes on.
        _log.error("event %s %s was not delivered to every target: %s", detail_type, detail, error)
