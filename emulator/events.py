"""EventBridge: which rules match an event, and what their targets receive.

SNS topics and SQS queues get the event, or what the target's input makes of it. Other targets are moto's.
"""

import copy
import json
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jsonpath_ng import parse as parse_path
from moto.events.models import Rule, events_backends

from emulator import sns
from emulator.overlay import AwsError

_PLACEHOLDER = re.compile(r"<([\w.-]+)>")

_log = logging.getLogger(__name__)

Event = Mapping[str, Any]
"""An event as its receivers see it: version, id, detail-type, source, account, time, region, resources, detail."""


def emit(
    account: str, region: str, source: str, detail_type: str, detail: dict[str, Any], resources: Sequence[str] = ()
) -> None:
    """Hand a service's event to the rules of the account's default bus. Best effort: whoever emits it goes on."""
    event = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    events_backends[account][region].put_events([event])


_moto_send = Rule.send_to_targets


def _send_to_targets(rule: Rule, moto_event: dict[str, Any], transform_input: bool = True) -> None:
    # To moto a rule without a pattern, which has a schedule, matches everything; and it asks no rule's state.
    if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
        return
    if not rule.event_pattern.matches_event(moto_event):
        return
    for target in rule.targets:
        try:
            _send(rule, target, moto_event, transform_input)
        except (AwsError, NotImplementedError) as error:
            # As on AWS, where only the metric FailedInvocations tells: whoever emitted the event is not concerned.
            _log.error("rule %s: %s was not told: %s", rule.name, target["Arn"], error)


def _send(rule: Rule, target: Mapping[str, Any], moto_event: dict[str, Any], transform_input: bool) -> None:
    if target["Arn"].split(":")[2] == "sns":
        sender = sns.Sender("events.amazonaws.com", rule.account_id, rule.arn)
        sns.publish(sender, target["Arn"], render(target, _event(moto_event), rule))
        return
    alone = copy.copy(rule)
    alone.targets = [target]
    _moto_send(alone, moto_event, transform_input)


def _event(moto_event: Mapping[str, Any]) -> Event:
    """moto's event as receivers see it: with the time as text."""
    event = {name: value for name, value in moto_event.items() if name != "ingestion-time"}
    return {**event, "time": datetime.fromtimestamp(float(event["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def render(target: Mapping[str, Any], event: Event, rule: Rule) -> str:
    """What a target receives: the event, or what its Input, InputPath or InputTransformer says."""
    if "Input" in target:
        return target["Input"]
    if "InputPath" in target:
        return json.dumps(_at(event, target["InputPath"]))
    if "InputTransformer" not in target:
        return json.dumps(event)
    transformer = target["InputTransformer"]
    values = {name: _at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {
        "aws.events.event.json": event,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
    }
    template = transformer["InputTemplate"]

    def fill(match: re.Match) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        if template[: match.start()].count('"') % 2 == 0:
            return json.dumps(value)
        # Within quotes a text stands without its own.
        return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]

    return _PLACEHOLDER.sub(fill, template)


def _at(event: Event, path: str) -> Any:
    """What is in the event at a JSON path (`$.detail.jobName`), an empty text when nothing is."""
    found = parse_path(re.sub(r"\.([\w-]*-[\w-]*)", r".'\1'", path)).find(event)
    return found[0].value if found else ""


Rule.send_to_targets = _send_to_targets
