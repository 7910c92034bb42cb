"""Events that start workflows: S3 and schedules tell EventBridge, whose rule notifies a workflow's EVENT trigger."""

import json
import time
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from glue_support import GlueJobs, wait_for
from roles import Role, allow

TRUST_EVENTS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


class Landing:
    """A bucket that announces its objects, and workflows that they start; a minute lasts two seconds."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.jobs = GlueJobs(emulator)
        self.glue, self.events, self.s3 = self.jobs.glue, emulator.client("events"), self.jobs.s3
        self.bucket = self.jobs.bucket
        self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )

    def workflow(self, script: str = "pass", batch: dict[str, int] | None = None, **definition: Any) -> str:
        """A workflow whose EVENT trigger starts a job of this script."""
        name = f"landing-{uuid.uuid4().hex[:8]}"
        self.glue.create_workflow(Name=name, **definition)
        self.glue.create_trigger(
            Name=name,
            Type="EVENT",
            WorkflowName=name,
            Actions=[{"JobName": self.jobs.create(script)}],
            **({"EventBatchingCondition": batch} if batch else {}),
        )
        return name

    def arn(self, workflow: str) -> str:
        return f"arn:aws:glue:{REGION}:{ACCOUNT}:workflow/{workflow}"

    def role(self, *statements: dict[str, Any], trust: str = TRUST_EVENTS) -> Role:
        name = f"events-{uuid.uuid4().hex[:8]}"
        return Role(self.emulator, name, *statements, AssumeRolePolicyDocument=trust)

    def rule(self, workflow: str, role: Role | None = None, prefix: str | None = None, **definition: Any) -> str:
        """A rule that notifies the workflow of objects below a prefix that is its own name unless given."""
        pattern = {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [self.bucket]}, "object": {"key": [{"prefix": prefix or f"{workflow}/"}]}},
        }
        role = role or self.role(allow("glue:notifyEvent", self.arn(workflow)))
        self.events.put_rule(Name=workflow, **{"EventPattern": json.dumps(pattern), **definition})
        self.events.put_targets(
            Rule=workflow, Targets=[{"Id": "workflow", "Arn": self.arn(workflow), "RoleArn": role.arn}]
        )
        return workflow

    def land(self, *keys: str) -> None:
        for key in keys:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"{}")

    def runs(self, workflow: str) -> list[dict[str, Any]]:
        """Oldest first."""
        return self.glue.get_workflow_runs(Name=workflow)["Runs"][::-1]

    def finished(self, workflow: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the workflow has had so many runs."""
        return wait_for(
            lambda: self.runs(workflow),
            lambda runs: len(runs) >= count and all(run["Status"] != "RUNNING" for run in runs),
        )


@pytest.fixture(scope="module")
def landing(tmp_path_factory, toolchain) -> Iterator[Landing]:
    emulator = Emulator.start(tmp_path_factory.mktemp("events"), toolchain, "--minute-seconds", "2")
    yield Landing(emulator)
    assert emulator.stop() == 0


def ids(run: dict[str, Any]) -> list[str]:
    """The events that a run was started by."""
    return run["WorkflowRunProperties"]["aws:eventIds"][1:-1].split(", ")


def test_object_that_lands_starts_the_workflow(landing):
    workflow = landing.rule(landing.workflow())
    landing.land("elsewhere/1.json", f"{workflow}/1.json")
    (run,) = landing.finished(workflow)
    assert run["Status"] == "COMPLETED"
    assert run["Statistics"]["SucceededActions"] == 1
    assert run["StartingEventBatchCondition"] == {"BatchSize": 1}
    assert len(ids(run)) == 1


def test_events_are_batched_by_their_number(landing):
    workflow = landing.rule(landing.workflow(batch={"BatchSize": 3, "BatchWindow": 900}))
    landing.land(*(f"{workflow}/{number}.json" for number in range(3)))
    (run,) = landing.finished(workflow)
    assert run["StartingEventBatchCondition"] == {"BatchSize": 3}
    assert len(set(ids(run))) == 3


def test_events_are_batched_by_time(landing):
    workflow = landing.rule(landing.workflow(batch={"BatchSize": 100, "BatchWindow": 60}))
    landing.land(f"{workflow}/1.json", f"{workflow}/2.json")
    (run,) = landing.finished(workflow)
    assert run["StartingEventBatchCondition"] == {"BatchWindow": 60}
    assert len(ids(run)) == 2
    landing.land(f"{workflow}/3.json")
    assert [len(ids(run)) for run in landing.finished(workflow, 2)] == [2, 1]


def test_workflow_that_runs_is_not_started_twice_and_no_job_fails_for_it(landing):
    workflow = landing.rule(landing.workflow("import time; time.sleep(3)", MaxConcurrentRuns=1))
    landing.land(f"{workflow}/1.json")
    wait_for(lambda: landing.runs(workflow), bool)
    landing.land(f"{workflow}/2.json")
    first, second = landing.finished(workflow, 2)
    assert (first["Status"], second["Status"]) == ("COMPLETED", "ERROR")
    assert second["ErrorMessage"] == f"Concurrent runs exceeded for workflow: {workflow}."
    (job,) = landing.glue.get_trigger(Name=workflow)["Trigger"]["Actions"]
    states = [run["JobRunState"] for run in landing.jobs.glue.get_job_runs(JobName=job["JobName"])["JobRuns"]]
    assert states == ["SUCCEEDED"]


def test_role_must_be_trusted_and_allowed(landing):
    allowed = landing.workflow()
    notify = landing.role(allow("glue:notifyEvent", landing.arn(allowed)))
    nothing = landing.role(allow("glue:notifyEvent", landing.arn("another")))
    untrusted = landing.role(allow("glue:notifyEvent"), trust=json.dumps({"Version": "2012-10-17", "Statement": []}))
    refused = [landing.workflow(), landing.workflow()]
    landing.rule(refused[0], nothing, prefix=f"{allowed}/")
    landing.rule(refused[1], untrusted, prefix=f"{allowed}/")
    landing.rule(allowed, notify)
    landing.land(f"{allowed}/1.json")
    landing.finished(allowed)
    assert [landing.runs(workflow) for workflow in refused] == [[], []]
    logged = [entry for entry in landing.emulator.requests() if entry["action"] == "glue:NotifyEvent"]
    decisions = {entry["resource"]: entry["decision"] for entry in logged}
    assert decisions[landing.arn(allowed)] == "allow"
    assert decisions[landing.arn(refused[0])] == "deny"


def test_disabled_rule_and_deactivated_trigger_start_nothing(landing):
    sleeping, stopped, awake = landing.workflow(), landing.workflow(), landing.workflow()
    for workflow in (sleeping, stopped, awake):
        landing.rule(workflow, prefix=f"{awake}/")
    landing.events.disable_rule(Name=sleeping)
    landing.glue.stop_trigger(Name=stopped)
    landing.land(f"{awake}/1.json")
    landing.finished(awake)
    assert (landing.runs(sleeping), landing.runs(stopped)) == ([], [])


def test_schedule_starts_the_same_workflow_when_nothing_landed(landing):
    workflow = landing.workflow(batch={"BatchSize": 100, "BatchWindow": 30}, MaxConcurrentRuns=1)
    role = landing.role(allow("glue:notifyEvent", landing.arn(workflow)))
    landing.events.put_rule(Name=workflow, ScheduleExpression="cron(* * * * ? *)")
    landing.events.put_targets(
        Rule=workflow, Targets=[{"Id": "workflow", "Arn": landing.arn(workflow), "RoleArn": role.arn}]
    )
    schedules = f"{landing.emulator.endpoint}/_emulator/schedules"
    urllib.request.urlopen(schedules, data=b'{"enabled": true}').close()
    try:
        run = landing.finished(workflow)[0]
    finally:
        urllib.request.urlopen(schedules, data=b'{"enabled": false}').close()
    assert run["StartingEventBatchCondition"] == {"BatchWindow": 30}


def test_events_of_others_are_no_business_of_a_schedule(landing):
    scheduled, landed = landing.workflow(), landing.rule(landing.workflow())
    role = landing.role(allow("glue:notifyEvent", landing.arn(scheduled)))
    landing.events.put_rule(Name=scheduled, ScheduleExpression="cron(0 0 1 1 ? 2199)")
    landing.events.put_targets(
        Rule=scheduled, Targets=[{"Id": "workflow", "Arn": landing.arn(scheduled), "RoleArn": role.arn}]
    )
    landing.land(f"{landed}/1.json")
    landing.finished(landed)
    assert landing.runs(scheduled) == []


def test_event_is_as_s3_sends_it(landing):
    sqs = landing.emulator.client("sqs")
    queue = sqs.create_queue(QueueName="objects")["QueueUrl"]
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
    landing.events.put_rule(Name="objects", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:objects"
    landing.events.put_targets(Rule="objects", Targets=[{"Id": "queue", "Arn": arn}])
    landing.land("bays/eu 1/a.json")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    event = json.loads(message["Body"])
    assert event["resources"] == [f"arn:aws:s3:::{landing.bucket}"]
    assert event["detail"]["bucket"] == {"name": landing.bucket}
    assert (event["detail"]["object"]["key"], event["detail"]["object"]["size"]) == ("bays/eu 1/a.json", 2)
    assert event["detail"]["reason"] == "PutObject"
    landing.events.remove_targets(Rule="objects", Ids=["queue"])


def test_event_trigger_belongs_to_a_workflow_and_is_its_only_start(landing):
    workflow = landing.workflow()
    job = landing.jobs.create("pass")
    for definition in ({}, {"WorkflowName": workflow}):
        with pytest.raises(ClientError, match="InvalidInputException"):
            landing.glue.create_trigger(
                Name=f"second-{time.time()}", Type="EVENT", Actions=[{"JobName": job}], **definition
            )
