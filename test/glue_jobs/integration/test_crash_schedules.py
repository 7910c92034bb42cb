"""Ingestion loses nothing and doubles nothing, whatever befalls it: schedules of faults, each drawn from its seed."""

import pytest
from crash_schedules import (
    CHECKPOINTS,
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
    with ScheduleRunner(scenario, draw(seed)) as runner:
        runner.run()


def test_what_is_wrong_is_noticed(scenario: Scenario) -> None:
    """Whoever checks must be able to fail."""
    definitions = (
        "create table items (id int primary key, label text, amount numeric(8, 2))",
        "insert into items values (1, 'a', 'NaN'), (2, 'b', 1)",
    )
    options = {"tables": {"public.items": {"history": True}}}
    with ScheduleRunner(scenario, Schedule(0, ("items",), definitions, options, (), counted="items")) as runner:
        runner.settle()
        scenario.on_source("update items set label = 'c' where id = 1")
        runner.settle()

        scenario.on_serving("update app.items set label = 'a' where id = 1")
        with pytest.raises(AssertionError, match="I4: items of the serving database"):
            runner.check_serving()
        scenario.spark.sql(f"delete from {scenario.lake_table('items').spark_name} where id = 2")
        with pytest.raises(AssertionError, match="I4: items of the lake"):
            runner.check_lake()

        history, mart, quarantine = (
            scenario.catalog.find(database, name).spark_name
            for database, name in (
                (scenario.lake_database, "items_history"),
                (scenario.marts_database, "counted"),
                (scenario.raw_database, "quarantine"),
            )
        )
        runner.check_histories()
        scenario.spark.sql(f"update {history} set label = 'b' where id = 1")
        with pytest.raises(AssertionError, match="history of items"):
            runner.check_histories()
        runner.check_mart()
        scenario.spark.sql(f"update {mart} set ids = 7 where id_group = 1")
        with pytest.raises(AssertionError, match="mart of items"):
            runner.check_mart()
        runner.check_quarantine()
        scenario.spark.sql(f"delete from {quarantine}")
        with pytest.raises(AssertionError, match="quarantine: nobody was told"):
            runner.check_quarantine()

        log = scenario.change_log.spark_name
        runner.check_change_log()
        scenario.spark.sql(f"insert into {log} select * from {log}")
        with pytest.raises(AssertionError, match="I3: history 0 has 1 changes too many"):
            runner.check_change_log()
        scenario.spark.sql(f"delete from {log}")
        with pytest.raises(AssertionError, match="I3: history 0 lacks 1 changes"):
            runner.check_change_log()

        runner.check_positions()
        scenario.on_source(
            "insert into items values (3, 'lost')",
            f"select pg_replication_slot_advance('{scenario.name}', pg_current_wal_flush_lsn())",
        )
        with pytest.raises(AssertionError, match="I2: the slot is ahead"):
            runner.check_positions()


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
    deaths = {job: {run.dies_at for run in each_run if run.job == job} for job in ("ingest", "publish", "snapshot")}
    assert deaths == {job: {None, *CHECKPOINTS[job]} for job in deaths}
