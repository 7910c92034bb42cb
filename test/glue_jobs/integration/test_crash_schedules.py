"""Ingestion loses nothing and doubles nothing, whatever befalls it: schedules of faults, each drawn from its seed."""

from crash_schedules import (
    KILLED_ONE_IN,
    BeginLate,
    EndLate,
    LoseSlot,
    Maintain,
    Restart,
    Run,
    Schedule,
    Sql,
    draw,
)
from platform_under_test import Scenario
from schedule_runner import ScheduleRunner


def test_crash_schedule(scenario: Scenario, seed: int) -> None:
    ScheduleRunner(scenario, draw(seed)).run()


def test_seeds_are_schedules() -> None:
    schedules = [draw(seed) for seed in range(1, 201)]
    assert schedules == [draw(schedule.seed) for schedule in schedules]
    assert len({repr(schedule.steps) for schedule in schedules}) == len(schedules)
    killed = [schedule.seed for schedule in schedules if any(run.killed for run in runs(schedule))]
    assert killed == list(range(KILLED_ONE_IN, 201, KILLED_ONE_IN))


def runs(schedule: Schedule) -> list[Run]:
    return [step for step in schedule.steps if isinstance(step, Run)]


def test_all_kinds_of_events_happen_between_runs_and_within() -> None:
    schedules = [draw(seed) for seed in range(1, 201)]
    between = {type(step) for schedule in schedules for step in schedule.steps}
    each_run = [run for schedule in schedules for run in runs(schedule)]
    within = {type(event) for run in each_run for events in run.meanwhile.values() for event in events}
    assert between == {Sql, BeginLate, EndLate, Restart, LoseSlot, Maintain, Run}
    assert within == {Sql, BeginLate, EndLate, Restart, Maintain}
    assert {run.job for run in each_run} == {"ingest", "publish", "snapshot"}
