"""EventBridge rules over Glue's events, to SNS; AWS Budgets' notifications."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, Emulator
from glue_support import GlueJobs
from monitoring_support import Inbox, topic_policy


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, toolchain) -> Iterator[GlueJobs]:
    """An emulator whose minutes last a second."""
    emulator = Emulator.start(tmp_path_factory.mktemp("events"), toolchain, "--minute-seconds", "1")
    yield GlueJobs(emulator)
    assert emulator.stop() == 0


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def rule(emulator: Emulator, pattern: dict[str, Any], topic: str, **target: Any) -> str:
    """A rule with a topic as its target; returns its name."""
    events, name = emulator.client("events"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "topic", "Arn": topic, **target}])
    return name


def job_pattern(detail_type: str, **detail: Any) -> dict[str, Any]:
    return {"source": ["aws.glue"], "detail-type": [detail_type], "detail": detail}


def test_a_job_that_fails_is_told(jobs):
    job, inbox = jobs.create('raise ValueError("no \\"golf\\" today")'), Inbox(jobs.emulator, "events.amazonaws.com")
    transformer = {
        "InputPathsMap": {"job": "$.detail.jobName", "why": "$.detail.message", "kind": "$.detail-type"},
        "InputTemplate": '{"job": <job>, "text": "<kind>: <why>"}',
    }
    pattern = job_pattern("Glue Job State Change", jobName=[job], state=["FAILED", "TIMEOUT", "STOPPED"])
    rule(jobs.emulator, pattern, inbox.arn, InputTransformer=transformer)
    run = jobs.run(job)
    message = json.loads(inbox.await_message(job)["Message"])
    assert message == {
        "job": job,
        "text": f"Glue Job State Change: JobName:{job} and JobRunId:{run['Id']} failed to execute with exception "
        'ValueError: no "golf" today',
    }


def test_the_event_itself_is_what_a_target_gets_without_more(jobs):
    job, inbox = jobs.create("pass"), Inbox(jobs.emulator, "events.amazonaws.com")
    pattern = job_pattern("Glue Job State Change", jobName=[{"prefix": job[:8]}], state=[{"anything-but": "FAILED"}])
    rule(jobs.emulator, pattern, inbox.arn)
    run = jobs.run(job)
    event = json.loads(inbox.await_message(job)["Message"])
    assert event["detail-type"] == "Glue Job State Change"
    assert event["account"] == ACCOUNT
    assert event["time"].endswith("Z")
    assert event["detail"] == {
        "jobName": job,
        "severity": "INFO",
        "state": "SUCCEEDED",
        "jobRunId": run["Id"],
        "message": "Job run succeeded",
    }


def test_a_run_that_takes_longer_than_expected_is_told_once(jobs):
    script = "import time; time.sleep(4)"
    late = jobs.create(script, NotificationProperty={"NotifyDelayAfter": 1})
    in_time = jobs.create(script, NotificationProperty={"NotifyDelayAfter": 60})
    inbox = Inbox(jobs.emulator, "events.amazonaws.com")
    rule(jobs.emulator, job_pattern("Glue Job Run Status", jobName=[late, in_time]), inbox.arn)
    runs = {job: jobs.start(job) for job in (late, in_time)}
    for job, run_id in runs.items():
        jobs.finish(job, run_id)
    detail = json.loads(inbox.await_message(late)["Message"])["detail"]
    assert detail["notificationCondition"] == {"NotifyDelayAfter": 1.0}
    assert (detail["jobRunId"], detail["state"]) == (runs[late], "RUNNING")
    assert len(inbox.receive()) == 1


def test_only_rules_that_are_enabled_and_match_tell(jobs):
    job, inbox = jobs.create("pass"), Inbox(jobs.emulator, "events.amazonaws.com")
    events = jobs.emulator.client("events")
    disabled = rule(jobs.emulator, job_pattern("Glue Job State Change"), inbox.arn, Input='"disabled"')
    events.disable_rule(Name=disabled)
    rule(jobs.emulator, job_pattern("Glue Job State Change", state=["FAILED"]), inbox.arn, Input='"failed"')
    events.put_rule(Name="scheduled", ScheduleExpression="rate(1 day)")
    events.put_targets(Rule="scheduled", Targets=[{"Id": "topic", "Arn": inbox.arn, "Input": '"scheduled"'}])
    rule(jobs.emulator, job_pattern("Glue Job State Change", jobName=[job]), inbox.arn, Input='"succeeded"')
    jobs.run(job)
    inbox.await_message("succeeded")
    assert [message["Message"] for message in inbox.receive()] == ['"succeeded"']


def test_a_topic_s_policy_with_a_condition_keeps_rules_out(jobs):
    """EventBridge fills in no condition keys: neither of the two topics is told, and the third is."""
    job, emulator = jobs.create("pass"), jobs.emulator
    conditional, closed, open_ = (Inbox(emulator, service) for service in ["events.amazonaws.com"] * 3)
    sns = emulator.client("sns")
    policies = {
        conditional.arn: topic_policy(
            conditional.arn, "events.amazonaws.com", Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        ),
        closed.arn: topic_policy(closed.arn, "cloudwatch.amazonaws.com"),
    }
    for arn, policy in policies.items():
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    for inbox in (conditional, closed, open_):
        rule(emulator, job_pattern("Glue Job State Change", jobName=[job]), inbox.arn)
    jobs.run(job)
    open_.await_message(job)
    assert (conditional.receive(), closed.receive()) == ([], [])


def test_alarms_are_events_too(jobs):
    inbox, cloudwatch = Inbox(jobs.emulator, "events.amazonaws.com"), jobs.emulator.client("cloudwatch")
    name = unique("alarm")
    rule(jobs.emulator, {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name]}}, inbox.arn)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Test",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    event = json.loads(inbox.await_message(name)["Message"])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert (event["detail"]["previousState"]["value"], event["detail"]["state"]["value"]) == (
        "INSUFFICIENT_DATA",
        "ALARM",
    )


# --- Budgets


def create_budget(emulator: Emulator, name: str, comparison: str, topic: str) -> None:
    emulator.client("budgets").create_budget(
        AccountId=ACCOUNT,
        Budget={
            "BudgetName": name,
            "BudgetLimit": {"Amount": "100", "Unit": "USD"},
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
        },
        NotificationsWithSubscribers=[
            {
                "Notification": {
                    "NotificationType": "ACTUAL",
                    "ComparisonOperator": comparison,
                    "Threshold": 80,
                    "ThresholdType": "PERCENTAGE",
                },
                "Subscribers": [{"SubscriptionType": "SNS", "Address": topic}],
            }
        ],
    )


def test_a_budget_tells_once_and_only_when_its_threshold_is_crossed(jobs):
    """Nothing costs anything here, so `less than` is how a threshold is crossed."""
    below, above = unique("below"), unique("above")
    inbox, closed = Inbox(jobs.emulator, "budgets.amazonaws.com"), Inbox(jobs.emulator, "events.amazonaws.com")
    create_budget(jobs.emulator, above, "GREATER_THAN", inbox.arn)
    create_budget(jobs.emulator, unique("refused"), "LESS_THAN", closed.arn)
    create_budget(jobs.emulator, below, "LESS_THAN", inbox.arn)
    assert "is less than $80.00" in inbox.await_message(below)["Message"]
    create_budget(jobs.emulator, unique("later"), "LESS_THAN", inbox.arn)
    inbox.await_message("later")
    assert len([each for each in inbox.receive() if below in each["Message"]]) == 1
    assert [each for each in inbox.receive() if above in each["Message"]] == []
    assert closed.receive() == []


def test_a_subscriber_is_a_topic_of_the_account(jobs):
    for address in ("page", "arn:aws:sns:eu-central-1:222222222222:page"):
        with pytest.raises(ClientError, match=r"Please comply with SNS Topic ARN format|Invalid SNS topic"):
            create_budget(jobs.emulator, unique("wrong"), "LESS_THAN", address)
