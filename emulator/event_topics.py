"""EventBridge rules whose target is an SNS topic: it receives the event, or what the target's input makes of it."""

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jsonpath_ng import parse as parse_path

from emulator import sns
from emulator.event_rules import delivers_to
from emulator.overlay import AwsError, not_emulated

_PLACEHOLDER = re.compile(r"<([\w.-]+)>")

_log = logging.getLogger(__name__)

Event = Mapping[str, Any]
"""An event as its receivers see it: version, id, detail-type, source, account, time, region, resources, detail."""


@delivers_to("arn:aws:sns:.+")
def publish(target: dict[str, Any], moto_event: dict[str, Any]) -> None:
    """Publish as EventBridge does. Whoever the event is from hears of no refusal: on AWS only a metric counts it."""
    event = _event(moto_event)
    sender = sns.Sender(
        "events.amazonaws.com", event["account"], f"arn:aws:events:{event['region']}:{event['account']}"
    )
    try:
        sns.publish(sender, target["Arn"], _render(target, event))
    except AwsError as error:
        _log.error("event %s was not delivered to %s: %s", event["id"], target["Arn"], error.message)


def _event(moto_event: Mapping[str, Any]) -> Event:
    """moto's event as receivers see it: with the time as text."""
    event = {name: value for name, value in moto_event.items() if name != "ingestion-time"}
    return {**event, "time": datetime.fromtimestamp(float(event["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _render(target: Mapping[str, Any], event: Event) -> str:
    """What a target receives: the event, or what its Input, InputPath or InputTransformer says."""
    if "Input" in target:
        return target["Input"]
    if "InputPath" in target:
        return json.dumps(_at(event, target["InputPath"]))
    if "InputTransformer" not in target:
        return json.dumps(event)
    transformer = target["InputTransformer"]
    values = {name: _at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {"aws.events.event.json": event, "aws.events.event.ingestion-time": event["time"]}
    template = transformer["InputTemplate"]

    def fill(match: re.Match) -> str:
        if match[1].startswith("aws.") and match[1] not in values:
            raise not_emulated("events", "PutTargets", f"<{match[1]}> in an InputTemplate")
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
