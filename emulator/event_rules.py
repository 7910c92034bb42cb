"""EventBridge's rules: which events concern them, and targets of kinds that moto does not know.

moto sends to the targets of disabled rules too, and every event to those of rules with a schedule.
"""

import copy
import re
from collections.abc import Callable
from typing import Any

from moto.events.models import EventPattern, Rule

Delivery = Callable[[dict[str, Any], dict[str, Any]], None]
"""Hands an event to a target (as PutTargets takes it). Raises nothing: nobody hears of a failure but the log."""

_deliveries: dict[str, Delivery] = {}
_send_as_moto_does = Rule.send_to_targets


def delivers_to(arn_pattern: str) -> Callable[[Delivery], Delivery]:
    """Deliver events to targets whose ARN matches by the decorated function."""

    def register(function: Delivery) -> Delivery:
        _deliveries[arn_pattern] = function
        return function

    return register


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
