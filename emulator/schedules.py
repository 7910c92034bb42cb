"""The clock of scheduled crawlers, triggers and rules of EventBridge: looks once a minute at what is due.

It ticks always and fires only while the settings enable schedules (`--schedules`, POST /_emulator/schedules). With
`--minute-seconds` its minutes are shorter, and its time runs ahead accordingly from the emulator's start on.
"""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from moto.events.models import EventsBackend, events_backends
from moto.glue.models import FakeTrigger, GlueBackend, glue_backends

from emulator import event_rules, glue_workflow_runs, settings
from emulator.cron import Cron
from emulator.glue_crawlers import Crawler
from emulator.glue_events import emit
from emulator.overlay import AwsError

_log = logging.getLogger(__name__)


def fire_due(now: datetime) -> None:
    """Start what is due in the minute of `now` (UTC), in every account and region."""
    for backend in _backends():
        for crawler in list(backend.crawlers.values()):
            if crawler.is_scheduled and crawler.is_due(now):
                _crawl(crawler)
        for trigger in list(backend.triggers.values()):
            if trigger.trigger_type == "SCHEDULED" and trigger.state == "ACTIVATED" and trigger.is_due(now):
                _fire(backend, trigger)
    for regions in list(events_backends.values()):
        for backend in list(regions.values()):
            _send_scheduled_events(backend, now)


def _fire(backend: GlueBackend, trigger: FakeTrigger) -> None:
    _log.info("trigger %s fires", trigger.name)
    try:
        glue_workflow_runs.fire_by_schedule(backend.account_id, backend.region_name, trigger)
    except AwsError as error:
        _log.error("trigger %s: %s", trigger.name, error.message)


def _send_scheduled_events(backend: EventsBackend, now: datetime) -> None:
    """The events of rules with a schedule, which only the default bus has."""
    for rule in list(backend.event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.scheduled_expression and Cron.parse(rule.scheduled_expression).is_due(now):
            _log.info("rule %s is due", rule.name)
            event_rules.emit(backend.account_id, backend.region_name, "aws.events", "Scheduled Event", {}, [rule.arn])


def _crawl(crawler: Crawler) -> None:
    try:
        crawler.start()
    except AwsError as error:
        _log.warning("crawler %s did not start: %s", crawler.name, error.message)
        detail = {"accountId": crawler.account, "crawlerName": crawler.name, "errorMessage": error.message}
        emit(crawler.account, crawler.region, "Glue Scheduled Crawler Invocation Failure", detail)


def _backends() -> Iterator[GlueBackend]:
    for regions in list(glue_backends.values()):
        yield from list(regions.values())


def _tick() -> None:
    minute_seconds = settings.current().minute_seconds
    started = datetime.now(UTC)
    # The first tick is at a full minute, of which the rest is as much shorter as a minute is.
    next_minute = started.replace(second=0, microsecond=0) + timedelta(minutes=1)
    wake = time.monotonic() + (next_minute - started).total_seconds() / 60 * minute_seconds
    while True:
        time.sleep(max(0.0, wake - time.monotonic()))
        if settings.current().schedules_enabled:
            # In a thread of its own: whatever becomes of it, the clock goes on.
            threading.Thread(target=fire_due, args=(next_minute,), name="scheduled starts", daemon=True).start()
        next_minute += timedelta(minutes=1)
        wake += minute_seconds


threading.Thread(target=_tick, name="schedules", daemon=True).start()
