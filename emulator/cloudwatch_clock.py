"""The clock of alarms, budgets and what the emulator measures of itself: it ticks once a minute.

With `--minute-seconds` minutes are shorter, and so are the periods of alarms: one of 300 seconds then spans five of
these minutes. Datapoints keep their real times.
"""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from emulator import budgets, cloudwatch_alarms, cloudwatch_metrics, rds_metrics, settings
from emulator.cloudwatch_actions import change_state
from emulator.cloudwatch_alarms import Alarm, find
from emulator.cloudwatch_evaluation import ALARM, OK, Verdict, evaluate

_log = logging.getLogger(__name__)


def tick(now: datetime) -> None:
    """Measure, then evaluate every alarm and budget."""
    rds_metrics.measure(now)
    with cloudwatch_alarms.changing:
        # Composite alarms last: they go by the others' new states.
        for alarm in sorted(cloudwatch_alarms.all_alarms(), key=lambda alarm: alarm.rule is not None):
            verdict = _by_rule(alarm) if alarm.rule else _by_metric(alarm, now)
            if verdict is None:
                continue
            if verdict.state != alarm.state:
                change_state(alarm, verdict.state, verdict.reason)
            else:
                alarm.reason = verdict.reason
    budgets.notify()


def _by_metric(alarm: Alarm, now: datetime) -> Verdict | None:
    definition, condition = alarm.definition, alarm.condition
    period = timedelta(seconds=definition["Period"] / 60 * settings.current().minute_seconds)
    start = now - condition.periods * period
    samples = cloudwatch_metrics.read(alarm.account, alarm.region, alarm.metric, start, now, definition.get("Unit"))
    points = []
    for number in range(condition.periods):
        begin, end = start + number * period, start + (number + 1) * period
        within = [sample for sample in samples if begin <= sample.time < end]
        points.append(cloudwatch_metrics.STATISTICS[definition["Statistic"]](within) if within else None)
    return evaluate(condition, points)


def _by_rule(alarm: Alarm) -> Verdict:
    def state(name: str) -> str:
        other = find(alarm.account, alarm.region, name)
        return other.state if other else "INSUFFICIENT_DATA"

    holds = alarm.rule.holds(state)
    states = ", ".join(f"{name} is {state(name)}" for name in alarm.rule.alarms)
    return Verdict(ALARM if holds else OK, f"{alarm.arn}: the rule {'holds' if holds else 'does not hold'} as {states}")


def _run() -> None:
    minute = settings.current().minute_seconds
    wake = time.monotonic()
    while True:
        wake += minute
        time.sleep(max(0.0, wake - time.monotonic()))
        try:
            tick(datetime.now(UTC))
        except Exception:  # noqa: BLE001
            # A bug here; the next minute may do better, and the log says why this one did not.
            _log.exception("the alarms were not evaluated this minute")


threading.Thread(target=_run, name="alarms", daemon=True).start()
