"""What follows when an alarm changes its state: an item of its history, messages to SNS topics, an event."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from emulator import cloudwatch_alarms, event_rules, sns
from emulator.cloudwatch_alarms import Alarm
from emulator.overlay import AwsError, Context, operation

# As messages name them; a region that is not here goes by its code.
_REGIONS = {"eu-central-1": "EU (Frankfurt)", "eu-west-1": "EU (Ireland)", "us-east-1": "US East (N. Virginia)"}

_log = logging.getLogger(__name__)


@operation("cloudwatch", "SetAlarmState")
def set_alarm_state(ctx: Context, params: dict[str, Any]) -> None:
    """Put an alarm into a state until its next evaluation, with all that follows."""
    data = params.get("StateReasonData", "{}")
    try:
        json.loads(data)
    except json.JSONDecodeError:
        raise AwsError("InvalidFormat", "TestAlarm: StateReasonData is not JSON") from None
    with cloudwatch_alarms.changing:
        alarm = cloudwatch_alarms.find(ctx.account, ctx.region, params["AlarmName"])
        if alarm is None:
            raise AwsError("ResourceNotFound", f"Unknown alarm {params['AlarmName']}", 404)
        if alarm.state != params["StateValue"]:
            change_state(alarm, params["StateValue"], params["StateReason"], data)


def change_state(alarm: Alarm, state: str, reason: str, reason_data: str = "{}") -> None:
    """Put an alarm into another state and tell everybody concerned. The caller holds `cloudwatch_alarms.changing`."""
    before = {
        "state": alarm.state,
        "reason": alarm.reason,
        "reasonData": alarm.reason_data,
        "since": alarm.state_updated,
    }
    alarm.state, alarm.reason, alarm.reason_data = state, reason, reason_data
    alarm.state_updated = datetime.now(UTC)
    _log.info("alarm %s: %s -> %s (%s)", alarm.name, before["state"], state, reason)
    alarm.note(
        "StateUpdate",
        f"Alarm updated from {before['state']} to {state}",
        {
            "oldState": {"stateValue": before["state"], "stateReason": before["reason"]},
            "newState": {"stateValue": state, "stateReason": reason},
        },
    )
    for arn in alarm.actions:
        _publish(alarm, arn, before["state"])
    event_rules.emit(
        alarm.account,
        alarm.region,
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        _detail(alarm, before),
        [alarm.arn],
    )


def _publish(alarm: Alarm, topic: str, old_state: str) -> None:
    """Send the message; a topic that refuses it is noted in the alarm's history, and nowhere else, as on AWS."""
    region = _REGIONS.get(alarm.region, alarm.region)
    sender = sns.Sender("cloudwatch.amazonaws.com", alarm.account, alarm.arn)
    try:
        sns.publish(
            sender, topic, json.dumps(_message(alarm, region, old_state)), f'{alarm.state}: "{alarm.name}" in {region}'
        )
    except AwsError as error:
        alarm.note(
            "Action", f'Failed to execute action {topic}. Received error: "{error.message}"', {"error": error.message}
        )
        _log.warning("alarm %s: %s", alarm.name, error.message)
    else:
        alarm.note("Action", f"Successfully executed action {topic}", {"actionState": "Succeeded"})


def _message(alarm: Alarm, region: str, old_state: str) -> dict[str, Any]:
    definition = alarm.definition
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": definition.get("AlarmDescription"),
        "AWSAccountId": alarm.account,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configured),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": _time(alarm.state_updated),
        "Region": region,
        "AlarmArn": alarm.arn,
        "OldStateValue": old_state,
        "OKActions": definition["OKActions"],
        "AlarmActions": definition["AlarmActions"],
        "InsufficientDataActions": definition["InsufficientDataActions"],
        **({"AlarmRule": definition["AlarmRule"]} if alarm.rule else {"Trigger": _trigger(definition)}),
    }


def _trigger(definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "MetricName": definition["MetricName"],
        "Namespace": definition["Namespace"],
        "StatisticType": "Statistic",
        "Statistic": definition["Statistic"].upper(),
        "Unit": definition.get("Unit"),
        "Dimensions": [{"name": each["Name"], "value": each["Value"]} for each in definition.get("Dimensions", [])],
        "Period": definition["Period"],
        "EvaluationPeriods": definition["EvaluationPeriods"],
        "DatapointsToAlarm": definition.get("DatapointsToAlarm", definition["EvaluationPeriods"]),
        "ComparisonOperator": definition["ComparisonOperator"],
        "Threshold": definition["Threshold"],
        "TreatMissingData": definition.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": "",
    }


def _detail(alarm: Alarm, before: dict[str, Any]) -> dict[str, Any]:
    def state(value: str, reason: str, data: str, since: datetime) -> dict[str, str]:
        return {"value": value, "reason": reason, "reasonData": data, "timestamp": _time(since)}

    return {
        "alarmName": alarm.name,
        "configuration": {"description": alarm.definition.get("AlarmDescription", "")},
        "previousState": state(before["state"], before["reason"], before["reasonData"], before["since"]),
        "state": state(alarm.state, alarm.reason, alarm.reason_data, alarm.state_updated),
    }


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}+0000"
