"""CloudWatch: metrics, alarms on a clock of short minutes, who is told, dashboards."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from glue_support import wait_for
from monitoring_support import Inbox, topic_policy
from roles import Role, allow


@pytest.fixture(scope="module")
def fast(tmp_path_factory, toolchain) -> Iterator[Emulator]:
    """An emulator whose minutes last a second."""
    emulator = Emulator.start(tmp_path_factory.mktemp("alarms"), toolchain, "--minute-seconds", "1")
    yield emulator
    assert emulator.stop() == 0


@pytest.fixture
def cloudwatch(client):
    return client("cloudwatch")


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


# --- Metrics


def test_metrics_are_kept_and_summarized_by_periods(cloudwatch):
    namespace, now = unique("Test"), datetime.now(UTC).replace(second=0, microsecond=0)
    dimensions = [{"Name": "Target", "Value": "lake"}]
    metric = {"MetricName": "Freshness", "Dimensions": dimensions}
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {**metric, "Timestamp": now - timedelta(minutes=6), "Value": 10, "Unit": "Seconds"},
            {**metric, "Timestamp": now - timedelta(minutes=6), "Value": 30, "Unit": "Seconds"},
            {**metric, "Timestamp": now - timedelta(minutes=1), "Values": [1, 2], "Counts": [3, 1], "Unit": "Seconds"},
        ],
    )
    window = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)}
    statistics = cloudwatch.get_metric_statistics(
        Namespace=namespace, **metric, **window, Period=60, Statistics=["Average", "Maximum", "SampleCount"]
    )["Datapoints"]
    assert [(each["Timestamp"], each["Average"], each["Maximum"], each["SampleCount"]) for each in statistics] == [
        (now - timedelta(minutes=6), 20.0, 30.0, 2.0),
        (now - timedelta(minutes=1), 1.25, 2.0, 4.0),
    ]
    assert {each["Unit"] for each in statistics} == {"Seconds"}
    [result] = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": {"Namespace": namespace, **metric}, "Period": 60, "Stat": "Sum"}}
        ],
        **window,
    )["MetricDataResults"]
    assert result["Values"] == [5.0, 40.0]  # the newest first
    assert cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == [{"Namespace": namespace, **metric}]
    assert cloudwatch.list_metrics(Namespace=namespace, Dimensions=[{"Name": "Other"}])["Metrics"] == []


def test_a_metric_is_all_of_its_dimensions(cloudwatch):
    namespace, now = unique("Test"), datetime.now(UTC)
    dimensions = [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    cloudwatch.put_metric_data(
        Namespace=namespace, MetricData=[{"MetricName": "m", "Dimensions": dimensions, "Value": 1}]
    )
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="m",
        Dimensions=dimensions[:1],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=60,
        Statistics=["Sum"],
    )
    assert found["Datapoints"] == []


@pytest.mark.parametrize(
    ("namespace", "datum", "refusal"),
    [
        ("AWS/RDS", {"Value": 1}, "The value AWS/ for parameter Namespace is invalid"),
        ("Test", {}, "exactly one of Value, Values and StatisticValues"),
        ("Test", {"Value": 1, "Values": [1]}, "exactly one of Value, Values and StatisticValues"),
        ("Test", {"Values": [1, 2], "Counts": [1]}, "must be of the same size"),
        ("Test", {"Value": 1, "Unit": "Furlongs"}, "Member must satisfy enum value set"),
        ("Test", {"Value": 1, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "within the past two weeks"),
    ],
)
def test_what_is_no_datum_is_refused(cloudwatch, namespace, datum, refusal):
    with pytest.raises(ClientError, match=refusal):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **datum}])


def test_a_role_publishes_to_its_namespace_only(emulator):
    condition = {"StringEquals": {"cloudwatch:namespace": "Trackman"}}
    role = Role(emulator, unique("publisher"), allow("cloudwatch:PutMetricData", Condition=condition))
    data = [{"MetricName": "m", "Value": 1}]
    role.client("cloudwatch").put_metric_data(Namespace="Trackman", MetricData=data)
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:PutMetricData"):
        role.client("cloudwatch").put_metric_data(Namespace="Glue", MetricData=data)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"Expression": "m1 / 60"}, "expression m1 / 60"),
        (
            {"MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "p99"}},
            "statistic p99",
        ),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(cloudwatch, query, named):
    now = datetime.now(UTC)
    with pytest.raises(ClientError, match=f"NotImplementedByEmulator.*{named}"):
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", **query}], StartTime=now - timedelta(hours=1), EndTime=now
        )


# --- Alarms


def alarm(name: str, namespace: str, **definition: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "Namespace": namespace,
        "MetricName": "Freshness",
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 1,
        "Threshold": 60.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "breaching",
        **definition,
    }


def state_of(cloudwatch, name: str, kind: str = "MetricAlarm") -> str:
    [found] = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=[kind])[f"{kind}s"]
    return found["StateValue"]


def await_state(cloudwatch, name: str, state: str, kind: str = "MetricAlarm") -> None:
    wait_for(lambda: state_of(cloudwatch, name, kind), lambda found: found == state)


def test_an_alarm_follows_its_metric_and_tells_its_topics(fast):
    cloudwatch, namespace, name = fast.client("cloudwatch"), unique("Test"), unique("late")
    inbox = Inbox(fast, "cloudwatch.amazonaws.com")

    def publish(value: float) -> None:
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Freshness", "Value": value}])

    publish(10)
    actions = {"AlarmActions": [inbox.arn], "OKActions": [inbox.arn]}
    cloudwatch.put_metric_alarm(**alarm(name, namespace, EvaluationPeriods=1, AlarmDescription="too late", **actions))
    assert state_of(cloudwatch, name) == "INSUFFICIENT_DATA"
    await_state(cloudwatch, name, "OK")
    publish(75)
    notification = inbox.await_message("ALARM: ")
    assert notification["TopicArn"] == inbox.arn
    assert notification["Subject"] == f'ALARM: "{name}" in EU (Frankfurt)'
    message = json.loads(notification["Message"])
    assert message["AlarmDescription"] == "too late"
    assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
    assert "75.0" in message["NewStateReason"]
    assert message["Trigger"]["Statistic"] == "MAXIMUM"
    assert message["Trigger"]["Threshold"] == 60.0

    history = cloudwatch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert [(item["HistoryItemType"], item["HistorySummary"]) for item in history][:2] == [
        ("Action", f"Successfully executed action {inbox.arn}"),
        ("StateUpdate", "Alarm updated from OK to ALARM"),
    ]


def test_silence_is_an_alarm_where_it_breaches_and_none_elsewhere(fast):
    cloudwatch, namespace = fast.client("cloudwatch"), unique("Test")
    breaching, missing = unique("breaching"), unique("missing")
    cloudwatch.put_metric_alarm(**alarm(breaching, namespace))
    cloudwatch.put_metric_alarm(**alarm(missing, namespace, TreatMissingData="missing"))
    await_state(cloudwatch, breaching, "ALARM")
    assert state_of(cloudwatch, missing) == "INSUFFICIENT_DATA"


def test_disabled_actions_are_not_executed(fast):
    cloudwatch, name = fast.client("cloudwatch"), unique("muted")
    inbox = Inbox(fast, "cloudwatch.amazonaws.com")
    cloudwatch.put_metric_alarm(**alarm(name, unique("Test"), AlarmActions=[inbox.arn], OKActions=[inbox.arn]))
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    await_state(cloudwatch, name, "ALARM")
    cloudwatch.enable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="looked at")
    assert inbox.await_message("looked at")["Subject"].startswith("OK: ")
    assert json.loads(inbox.messages[0]["Message"])["NewStateValue"] == "OK"


def test_a_composite_alarm_goes_by_the_others(fast):
    cloudwatch, namespace = fast.client("cloudwatch"), unique("Test")
    late, full, unhealthy = unique("late"), unique("full"), unique("unhealthy")
    cloudwatch.put_metric_alarm(**alarm(late, namespace))
    cloudwatch.put_metric_alarm(**alarm(full, namespace, TreatMissingData="notBreaching"))
    inbox = Inbox(fast, "cloudwatch.amazonaws.com")
    cloudwatch.put_composite_alarm(
        AlarmName=unhealthy, AlarmRule=f'ALARM("{late}") AND NOT ALARM({full})', AlarmActions=[inbox.arn]
    )
    assert json.loads(inbox.await_message(unhealthy)["Message"])["AlarmRule"].startswith("ALARM(")
    assert cloudwatch.describe_alarms(AlarmNames=[unhealthy])["MetricAlarms"] == []
    with pytest.raises(ClientError, match=f"composite alarm {unhealthy} depends on it"):
        cloudwatch.delete_alarms(AlarmNames=[late])
    cloudwatch.delete_alarms(AlarmNames=[late, unhealthy])
    with pytest.raises(ClientError, match=f"alarms \\[{late}\\] in the alarm rule do not exist"):
        cloudwatch.put_composite_alarm(AlarmName=unhealthy, AlarmRule=f"ALARM({late})")


def test_an_alarm_that_is_defined_anew_keeps_its_state(fast):
    cloudwatch, namespace, name = fast.client("cloudwatch"), unique("Test"), unique("again")
    cloudwatch.put_metric_alarm(**alarm(name, namespace), Tags=[{"Key": "owner", "Value": "a"}])
    await_state(cloudwatch, name, "ALARM")
    cloudwatch.put_metric_alarm(
        **alarm(name, namespace, TreatMissingData="ignore"), Tags=[{"Key": "owner", "Value": "b"}]
    )
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
    assert state_of(cloudwatch, name) == "ALARM"
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "owner", "Value": "a"}]


@pytest.mark.parametrize(
    ("definition", "refusal"),
    [
        ({"EvaluationPeriods": 1, "DatapointsToAlarm": 2}, "DatapointsToAlarm must be less than or equal"),
        ({"Period": 90}, "The parameter Period must be"),
        ({"Period": 43200}, "more than a day|across more than a day"),
        ({"TreatMissingData": "panic"}, "Option panic is not supported"),
        ({"ComparisonOperator": "AboutThreshold"}, "enum value set"),
        ({"AlarmActions": ["arn:aws:lambda:eu-central-1:1:function:f"]}, "only SNS topics"),
        ({"ThresholdMetricId": "m"}, "NotImplementedByEmulator.*ThresholdMetricId"),
    ],
)
def test_what_is_no_alarm_is_refused(cloudwatch, definition, refusal):
    with pytest.raises(ClientError, match=refusal):
        cloudwatch.put_metric_alarm(**alarm("wrong", "Test", **definition))
    assert cloudwatch.describe_alarms(AlarmNames=["wrong"])["MetricAlarms"] == []


# --- What AWS measures itself


def test_a_database_s_storage_and_cpu_are_measured(fast):
    rds, cloudwatch = fast.client("rds"), fast.client("cloudwatch")
    rds.create_db_instance(
        DBInstanceIdentifier="measured",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        MasterUserPassword="the-owners-password",
    )

    def latest(name: str) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        return cloudwatch.get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName=name,
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "measured"}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Minimum", "Maximum"],
        )["Datapoints"]

    [storage, *_] = wait_for(lambda: latest("FreeStorageSpace"), bool)
    gib = 1024**3
    assert storage["Unit"] == "Bytes"
    assert 19 * gib < storage["Minimum"] < 20 * gib  # 20 GiB less a new server's files
    [cpu, *_] = wait_for(lambda: latest("CPUUtilization"), bool)
    assert cpu["Unit"] == "Percent"
    assert 0 <= cpu["Minimum"] <= cpu["Maximum"] <= 100


# --- Topics that refuse


def key_policy(*statements: dict[str, Any]) -> str:
    owner = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    return json.dumps({"Version": "2012-10-17", "Statement": [owner, *statements]})


def lets_in(service: str, **elements: Any) -> dict[str, Any]:
    return allow(["kms:Decrypt", "kms:GenerateDataKey"], Principal={"Service": service}, **elements)


def set_off(emulator: Emulator, topic: str) -> str:
    """Have a new alarm go off that tells a topic; returns the summary of what became of it."""
    cloudwatch, name = emulator.client("cloudwatch"), unique("refused")
    cloudwatch.put_metric_alarm(**alarm(name, unique("Test"), AlarmActions=[topic]))
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    [action, *_] = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    return action["HistorySummary"]


def test_a_topic_whose_policy_does_not_let_the_service_publish_gets_nothing(emulator):
    inbox = Inbox(emulator, "events.amazonaws.com")
    assert "is not authorized to perform: SNS:Publish on resource" in set_off(emulator, inbox.arn)
    assert inbox.receive() == []


def test_a_topic_s_default_policy_lets_the_account_s_alarms_in(emulator):
    inbox = Inbox(emulator)
    assert set_off(emulator, inbox.arn).startswith("Successfully executed action")


def test_conditions_of_a_topic_s_policy_hold(emulator):
    inbox = Inbox(emulator, "cloudwatch.amazonaws.com")

    def allow_from(account: str) -> None:
        condition = {"StringEquals": {"aws:SourceAccount": account}}
        policy = topic_policy(inbox.arn, "cloudwatch.amazonaws.com", Condition=condition)
        emulator.client("sns").set_topic_attributes(TopicArn=inbox.arn, AttributeName="Policy", AttributeValue=policy)

    allow_from("222222222222")
    assert set_off(emulator, inbox.arn).startswith("Failed to execute action")
    allow_from(ACCOUNT)
    assert set_off(emulator, inbox.arn).startswith("Successfully executed action")


def test_a_topic_whose_key_does_not_let_the_service_in_gets_nothing(emulator):
    kms = emulator.client("kms")
    key = kms.create_key(Policy=key_policy())["KeyMetadata"]["KeyId"]
    inbox = Inbox(emulator, "cloudwatch.amazonaws.com", KmsMasterKeyId=key)
    refusal = "cloudwatch.amazonaws.com is not authorized to access the SNS Topic encryption key"
    assert refusal in set_off(emulator, inbox.arn)

    def let_in(**elements: Any) -> None:
        policy = key_policy(lets_in("cloudwatch.amazonaws.com", **elements))
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)

    let_in(Condition={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:eu-central-1:1:other"}})
    assert refusal in set_off(emulator, inbox.arn)
    let_in(Condition={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": inbox.arn}})
    assert set_off(emulator, inbox.arn).startswith("Successfully executed action")
    kms.disable_key(KeyId=key)
    assert "is disabled" in set_off(emulator, inbox.arn)


def test_the_key_that_aws_manages_lets_no_service_in(emulator):
    inbox = Inbox(emulator, "cloudwatch.amazonaws.com", KmsMasterKeyId="alias/aws/sns")
    assert "not authorized to access the SNS Topic encryption key" in set_off(emulator, inbox.arn)


def test_mail_is_not_sent_before_it_is_wanted(emulator):
    inbox, sns = Inbox(emulator, "cloudwatch.amazonaws.com"), emulator.client("sns")
    arn = sns.subscribe(TopicArn=inbox.arn, Protocol="email", Endpoint="a@example.com", ReturnSubscriptionArn=True)
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn["SubscriptionArn"])["Attributes"]
    assert attributes["PendingConfirmation"] == "true"
    https = sns.subscribe(TopicArn=inbox.arn, Protocol="https", Endpoint="https://127.0.0.1:9/hook")
    assert https["SubscriptionArn"] == "pending confirmation"
    assert set_off(emulator, inbox.arn).startswith("Successfully executed action")
    assert inbox.await_message("refused")["Type"] == "Notification"


# --- Dashboards


def widget(**properties: Any) -> dict[str, Any]:
    return {"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": {"region": REGION, **properties}}


def test_a_dashboard_is_kept_as_it_was_put(cloudwatch):
    body = {
        "widgets": [widget(metrics=[["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "db", {"stat": "Maximum"}]])]
    }
    cloudwatch.put_dashboard(DashboardName="health", DashboardBody=json.dumps(body))
    assert json.loads(cloudwatch.get_dashboard(DashboardName="health")["DashboardBody"]) == body


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ("{", "Expecting property name"),
        ("[]", "property 'widgets'"),
        (json.dumps({"widgets": [{"type": "chart"}]}), "/widgets/0/type: Should match exactly one of"),
        (json.dumps({"widgets": [{**widget(), "x": 20}]}), "/widgets/0: x 20 and width 12"),
        (json.dumps({"widgets": [{"type": "text", "properties": {}}]}), "property 'markdown'"),
        (json.dumps({"widgets": [widget(metrics=[["AWS/RDS"]])]}), "/widgets/0/properties/metrics/0"),
        (json.dumps({"widgets": [widget(metrics=[["N", "m", "Dimension"]])]}), "pairs of a dimension and its value"),
    ],
)
def test_a_body_that_shows_nothing_sensible_is_refused(cloudwatch, body, refusal):
    with pytest.raises(ClientError, match=refusal):
        cloudwatch.put_dashboard(DashboardName="wrong", DashboardBody=body)
