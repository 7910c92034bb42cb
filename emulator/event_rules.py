"""EventBridge: what AWS services tell it, which events concern a rule, and targets of kinds that moto does not know.

moto sends to the targets of disabled rules too, and every event to those of rules with a schedule.
"""

import copy
import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from moto.events.models import EventPattern, Rule, events_backends

Delivery = Callable[[dict[str, Any], dict[str, Any]], None]
"""Hands an event to a target (as PutTargets takes it). Raises nothing: nobody hears of a failure but the log."""

_log = logging.getLogger(__name__)
_deliveries: dict[str, Delivery] = {}
_send_as_moto_does = Rule.send_to_targets


def delivers_to(arn_pattern: str) -> Callable[[Delivery], Delivery]:
    """Deliver events to targets whose ARN matches by the decorated function."""

    def register(function: Delivery) -> Delivery:
        _deliveries[arn_pattern] = function
        return function

    return register


def emit(
    account: str, region: str, source: str, detail_type: str, detail: dict[str, Any], resources: Sequence[str] = ()
) -> None:
    """Hand an event of an AWS service to the rules of the account's default bus that it concerns."""
    event = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    try:
        events_backends[account][region].put_events([event])
    except NotImplementedError as error:
        # moto delivers to some kinds of targets only. Events are best effort: whoever emits them goes on.
        _log.error("event %s %s was not delivered to every target: %s", detail_type, detail, error)


def _send_to_targets(rule: Rule, event: dict[str, Any], transform_input: bool = True) -> None:
    if not _concerns(rule, event):
        return
    others = []
    for target in list(rule.targets):
        delivery = next((each for arn, each in _deliveries.items() if re.fullmatch(arn, target["Arn"])), None)
        if delivery:
            delivery(target, event)
        else:
            others.append(target)
    if others:
        without = copy.copy(rule)
        without.targets = others
        without.event_pattern = EventPattern(None, {})  # that it matches is known
        _send_as_moto_does(without, event, transform_input)


def _concerns(rule: Rule, event: dict[str, Any]) -> bool:
    """Whether an event is for a rule: by its pattern, or as the rule's own scheduled one."""
    if rule.state != "ENABLED":
        return False
    if event["source"] == "aws.events" and rule.arn in event["resources"]:
        return True
    return bool(rule.event_pattern.get_pattern()) and rule.event_pattern.matches_event(event)


Rule.send_to_targets = _send_to_targets
