"""EventBridge rules whose target is a Glue workflow: an event of theirs counts for the workflow's EVENT trigger.

EventBridge calls glue:NotifyEvent, for which there is no SDK operation, with the rights of the target's role. The
trigger starts the workflow when it has as many events as its batch size, or when its window, which begins with the
first of them, is over.
"""

import logging
import threading
from collections import defaultdict
from typing import Any

from moto.glue.models import FakeTrigger, glue_backends

from emulator import glue_workflow_runs, iam, settings
from emulator.accounts import role_session
from emulator.event_rules import delivers_to
from emulator.overlay import AwsError

_DEFAULT_WINDOW = 900  # seconds

_log = logging.getLogger(__name__)


@delivers_to("arn:aws:glue:[^:]+:[^:]+:workflow/.+")
def notify(target: dict[str, Any], event: dict[str, Any]) -> None:
    """Call NotifyEvent. Whoever the event is from does not hear of a refusal; on AWS the rule's metrics count it."""
    _, _, _, region, account, workflow = target["Arn"].split(":", 5)
    try:
        _check_role(account, target)
        trigger = _trigger(account, region, workflow.removeprefix("workflow/"))
    except AwsError as error:
        _log.error("event %s was not delivered to %s: %s", event["id"], target["Arn"], error.message)
        return
    _batches[account, region, trigger.name].add(event["id"])


def _check_role(account: str, target: dict[str, Any]) -> None:
    role = target.get("RoleArn", "")
    if not iam.trusts(role, "events.amazonaws.com"):
        raise AwsError("ValidationException", f"the target's role {role!r} does not let events.amazonaws.com assume it")
    session = role_session(account, role, "EventBridge")
    iam.require(account, session.access_key_id, "glue:NotifyEvent", target["Arn"])


def _trigger(account: str, region: str, workflow: str) -> FakeTrigger:
    for trigger in glue_backends[account][region].triggers.values():
        if trigger.workflow_name == workflow and trigger.trigger_type == "EVENT" and trigger.state != "DEACTIVATED":
            return trigger
    raise AwsError("EntityNotFoundException", f"workflow {workflow} has no active EVENT trigger")


class _Batch:
    """The events that wait for one trigger to fire."""

    def __init__(self, account: str, region: str, trigger_name: str) -> None:
        self._account, self._region, self._trigger_name = account, region, trigger_name
        self._events: list[str] = []
        self._window: threading.Timer | None = None
        self._lock = threading.Lock()

    def add(self, event_id: str) -> None:
        """Count an event, and fire if that was the last of a batch."""
        condition = self._condition()
        window = condition.get("BatchWindow", _DEFAULT_WINDOW)
        with self._lock:
            self._events.append(event_id)
            if len(self._events) >= condition.get("BatchSize", 1):
                fired = self._take()
            else:
                fired = []
                if self._window is None:
                    seconds = window / 60 * settings.current().minute_seconds
                    self._window = threading.Timer(seconds, self._on_window_end, args=(window,))
                    self._window.daemon = True
                    self._window.start()
        if fired:
            self._fire(fired, {"BatchSize": len(fired)})

    def _on_window_end(self, window: int) -> None:
        with self._lock:
            fired = self._take()
        if fired:
            self._fire(fired, {"BatchWindow": window})

    def _take(self) -> list[str]:
        events, self._events = self._events, []
        if self._window is not None:
            self._window.cancel()
            self._window = None
        return events

    def _condition(self) -> dict[str, int]:
        trigger = glue_backends[self._account][self._region].triggers.get(self._trigger_name)
        return (trigger and trigger.event_batching_condition) or {}

    def _fire(self, events: list[str], condition: dict[str, int]) -> None:
        trigger = glue_backends[self._account][self._region].triggers.get(self._trigger_name)
        if trigger is None:
            return  # it was deleted while events waited
        _log.info("trigger %s fires for %d events", trigger.name, len(events))
        try:
            glue_workflow_runs.fire_by_events(self._account, self._region, trigger, events, condition)
        except AwsError as error:
            _log.error("trigger %s: %s", trigger.name, error.message)


class _Batches(defaultdict):
    def __missing__(self, key: tuple[str, str, str]) -> _Batch:
        self[key] = _Batch(*key)
        return self[key]


_batches = _Batches()
