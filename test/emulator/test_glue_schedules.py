"""Schedules: AWS's cron expressions, and the clock that starts crawlers and triggers."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from conftest import Emulator
from glue_support import GlueJobs, wait_for

from emulator.cron import Cron, ScheduleError

SUNDAY, MONDAY = datetime(2026, 11, 22, 10, 40, tzinfo=UTC), datetime(2026, 11, 23, 10, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "time", "due"),
    [
        ("cron(10,40 * * * ? *)", MONDAY, True),
        ("cron(10,40 * * * ? *)", MONDAY.replace(minute=41), False),
        ("cron(0,30 * * * ? *)", MONDAY.replace(minute=30), True),
        ("cron(40 10 * * ? *)", MONDAY, True),
        ("cron(40 11 * * ? *)", MONDAY, False),
        ("cron(10/15 * * * ? *)", MONDAY, True),
        ("cron(10/15 * * * ? *)", MONDAY.replace(minute=5), False),
        ("cron(0/5 8-17 ? * MON-FRI *)", MONDAY, True),
        ("cron(0/5 8-17 ? * MON-FRI *)", SUNDAY, False),
        ("cron(* * ? * 1 *)", SUNDAY, True),
        ("cron(* * ? * SUN *)", SUNDAY, True),
        ("cron(* * ? * 1 *)", MONDAY, False),
        ("cron(* * ? * 2 *)", MONDAY, True),
        ("cron(* * 23 NOV ? 2026)", MONDAY, True),
        ("cron(* * 23 nov ? 2026-2030)", MONDAY, True),
        ("cron(* * 23 12 ? *)", MONDAY, False),
        ("cron(* * 23 * ? 2027)", MONDAY, False),
    ],
)
def test_cron(expression, time, due):
    assert Cron.parse(expression).is_due(time) is due


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("rate(5 minutes)", "rate(5 minutes)"),
        ("10 * * * ? *", "6 fields"),
        ("cron(10 * * * *)", "6 fields"),
        ("cron(60 * * * ? *)", "'60' as minutes is not between 0 and 59"),
        ("cron(0 0 0 * ? *)", "'0' as day-of-month is not between 1 and 31"),
        ("cron(0 0 ? * 0 *)", "'0' as day-of-week is not between 1 and 7"),
        ("cron(0 0 ? * SOMEDAY *)", "'SOMEDAY' as day-of-week"),
        ("cron(0 0 * * * *)", "exactly one of day-of-month and day-of-week must be ?"),
        ("cron(0 0 L * ? *)", "'L' as day-of-month"),
        ("cron(0 0 ? * 2#1 *)", "'2#1' as day-of-week is not understood"),
        ("cron(0/0 * * * ? *)", "'0/0' as minutes is not understood"),
    ],
)
def test_what_is_no_schedule_is_refused(expression, named):
    with pytest.raises(ScheduleError) as caught:
        Cron.parse(expression)
    assert expression in str(caught.value)
    assert named in str(caught.value)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, toolchain) -> Iterator[GlueJobs]:
    """An emulator whose minutes last two seconds and whose schedules are not enabled yet."""
    emulator = Emulator.start(tmp_path_factory.mktemp("schedules"), toolchain, "--minute-seconds", "2")
    yield GlueJobs(emulator)
    assert emulator.stop() == 0


def enable_schedules(emulator: Emulator, enabled: bool) -> None:
    body = json.dumps({"enabled": enabled}).encode()
    urllib.request.urlopen(f"{emulator.endpoint}/_emulator/schedules", data=body).close()


def test_schedules_fire_when_enabled(jobs):
    glue = jobs.glue
    workflow_job, sole_job = jobs.create("import time; time.sleep(600)"), jobs.create("pass")
    glue.create_workflow(Name="pipeline", MaxConcurrentRuns=1)
    every_minute = {"Type": "SCHEDULED", "Schedule": "cron(* * * * ? *)", "StartOnCreation": True}
    actions = [{"JobName": workflow_job}]
    glue.create_trigger(Name="of the workflow", WorkflowName="pipeline", Actions=actions, **every_minute)
    glue.create_trigger(Name="on its own", Actions=[{"JobName": sole_job}], **every_minute)
    targets = {"JdbcTargets": [{"ConnectionName": "missing", "Path": "a/b/%"}]}
    glue.create_crawler(
        Name="sources", Role=jobs.role.name, DatabaseName="raw", Targets=targets, Schedule="cron(* * * * ? *)"
    )
    enable_schedules(jobs.emulator, True)

    crawls = wait_for(lambda: glue.list_crawls(CrawlerName="sources")["Crawls"], lambda crawls: len(crawls) >= 2)
    assert crawls[-1]["State"] == "FAILED"
    runs = wait_for(lambda: glue.get_job_runs(JobName=sole_job)["JobRuns"], lambda runs: len(runs) >= 2)
    assert runs[-1]["TriggerName"] == "on its own"
    runs = wait_for(lambda: glue.get_workflow_runs(Name="pipeline")["Runs"], lambda runs: len(runs) >= 2)
    assert (runs[-1]["Status"], runs[-2]["Status"]) == ("RUNNING", "ERROR")
    assert runs[-2]["ErrorMessage"] == "Concurrent runs exceeded for workflow: pipeline."

    enable_schedules(jobs.emulator, False)
    glue.stop_workflow_run(Name="pipeline", RunId=runs[-1]["WorkflowRunId"])


def test_wrong_schedules_are_refused_when_they_are_set(jobs):
    with pytest.raises(ClientError, match=r"InvalidInputException.*Invalid schedule: .*rate"):
        jobs.glue.create_trigger(
            Name="wrong", Type="SCHEDULED", Schedule="rate(1 hour)", Actions=[{"JobName": jobs.create("pass")}]
        )
    with pytest.raises(ClientError, match=r"InvalidInputException.*exactly one of day-of-month"):
        jobs.glue.create_crawler(
            Name="wrong",
            Role=jobs.role.name,
            DatabaseName="raw",
            Targets={"JdbcTargets": [{"ConnectionName": "missing", "Path": "a/b/%"}]},
            Schedule="cron(0 0 * * * *)",
        )
