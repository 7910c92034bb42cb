"""CloudWatch's alarms: their definitions, states and history. What evaluates them is in cloudwatch_clock.py."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from emulator import cloudwatch_metrics
from emulator.cloudwatch_evaluation import COMPARISONS, INSUFFICIENT_DATA, Condition
from emulator.cloudwatch_rules import AlarmRule, RuleError
from emulator.overlay import AwsError, Context, not_emulated, operation

_MISSING = ("missing", "ignore", "breaching", "notBreaching")
_DAY = 86_400  # seconds that the periods of one evaluation may span
_ALARMS_A_PAGE = 50
_HISTORY_A_PAGE = 100

# What PutMetricAlarm takes and an evaluation here does not know.
_NOT_EMULATED = ("EvaluationCriteria", "ExtendedStatistic", "Metrics", "ThresholdMetricId")


class Alarm:
    """A metric alarm or, when it has a rule, a composite one."""

    def __init__(self, account: str, region: str, definition: dict[str, Any]) -> None:
        self.account = account
        self.region = region
        self.state = INSUFFICIENT_DATA
        self.reason = "Unchecked: Initial alarm creation"
        self.reason_data = "{}"
        self.state_updated = datetime.now(UTC)
        self.tags: dict[str, str] = {}
        self.history: list[dict[str, Any]] = []
        self.define(definition)

    def define(self, definition: dict[str, Any]) -> None:
        """Put a definition in force; the state stays until the next evaluation."""
        self.definition = {
            "ActionsEnabled": True,
            "OKActions": [],
            "AlarmActions": [],
            "InsufficientDataActions": [],
            **definition,
        }
        self.configured = datetime.now(UTC)
        self.rule = AlarmRule.parse(definition["AlarmRule"]) if "AlarmRule" in definition else None

    @property
    def name(self) -> str:
        return self.definition["AlarmName"]

    @property
    def arn(self) -> str:
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"

    @property
    def kind(self) -> str:
        return "CompositeAlarm" if self.rule else "MetricAlarm"

    @property
    def actions(self) -> list[str]:
        """ARNs of what is told that the alarm is in the state that it is in."""
        kind = {"OK": "OKActions", "ALARM": "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}[self.state]
        return self.definition[kind] if self.definition["ActionsEnabled"] else []

    @property
    def metric(self) -> cloudwatch_metrics.Metric:
        return cloudwatch_metrics.Metric.of(self.definition)

    @property
    def condition(self) -> Condition:
        definition = self.definition
        return Condition(
            comparison=definition["ComparisonOperator"],
            threshold=definition["Threshold"],
            evaluation_periods=definition["EvaluationPeriods"],
            datapoints_to_alarm=definition.get("DatapointsToAlarm", definition["EvaluationPeriods"]),
            missing=definition.get("TreatMissingData", "missing"),
        )

    def as_dict(self) -> dict[str, Any]:
        """As DescribeAlarms has it."""
        return {
            **self.definition,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateReasonData": self.reason_data,
            "StateUpdatedTimestamp": self.state_updated,
            "StateTransitionedTimestamp": self.state_updated,
        }

    def note(self, kind: str, summary: str, data: dict[str, Any]) -> None:
        """Add to the history: a ConfigurationUpdate, StateUpdate or Action."""
        self.history.append(
            {
                "AlarmName": self.name,
                "AlarmType": self.kind,
                "Timestamp": datetime.now(UTC),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps({"version": "1.0", **data}, default=str),
            }
        )


_alarms: dict[tuple[str, str], dict[str, Alarm]] = defaultdict(dict)
changing = threading.RLock()
"""Held while alarms are defined, evaluated or set: a state changes once, and is told once."""


def all_alarms() -> Iterator[Alarm]:
    """Every account's and region's."""
    for alarms in list(_alarms.values()):
        yield from list(alarms.values())


def find(account: str, region: str, name_or_arn: str) -> Alarm | None:
    """An alarm, None when there is none of that name or ARN."""
    name = name_or_arn.split(":alarm:", 1)[-1] if name_or_arn.startswith("arn:") else name_or_arn
    return _alarms[account, region].get(name)


# --- Definitions


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(ctx: Context, params: dict[str, Any]) -> None:
    """Define an alarm over the statistic of one metric."""
    for name in _NOT_EMULATED:
        if name in params:
            raise not_emulated("cloudwatch", "PutMetricAlarm", f"{name}, only Statistic of one metric")
    for name in ("Namespace", "MetricName", "Statistic", "Period", "Threshold"):
        if name not in params:
            raise AwsError("ValidationError", f"The parameter {name} is required for an alarm over a metric")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise not_emulated("cloudwatch", "PutMetricAlarm", params["ComparisonOperator"])
    cloudwatch_metrics.check_period(params["Period"])
    periods = params["EvaluationPeriods"]
    if params["Period"] * periods > _DAY:
        raise AwsError(
            "ValidationError",
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
        )
    if params.get("DatapointsToAlarm", periods) > periods:
        raise AwsError("ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if (option := params.get("TreatMissingData", "missing")) not in _MISSING:
        raise AwsError(
            "ValidationError",
            f"Option {option} is not supported. Supported options for parameter TreatMissingData are "
            f"{', '.join(_MISSING)}.",
        )
    _define(ctx, params)


@operation("cloudwatch", "PutCompositeAlarm")
def put_composite_alarm(ctx: Context, params: dict[str, Any]) -> None:
    """Define an alarm over other alarms' states."""
    if "ActionsSuppressor" in params:
        raise not_emulated("cloudwatch", "PutCompositeAlarm", "ActionsSuppressor")
    try:
        rule = AlarmRule.parse(params["AlarmRule"])
    except RuleError as error:
        raise AwsError("ValidationError", f"AlarmRule must be a valid expression: {error}") from error
    for name in rule.alarms:
        if find(ctx.account, ctx.region, name) is None:
            raise AwsError(
                "ValidationError",
                f"Could not save the composite alarm as alarms [{name}] in the alarm rule do not exist",
            )
    _define(ctx, params)


def _define(ctx: Context, params: dict[str, Any]) -> None:
    _check_actions(params)
    tags = params.pop("Tags", [])
    alarms = _alarms[ctx.account, ctx.region]
    with changing:
        alarm = alarms.get(params["AlarmName"])
        if alarm is None:
            alarm = alarms[params["AlarmName"]] = Alarm(ctx.account, ctx.region, params)
            alarm.tags = {tag["Key"]: tag["Value"] for tag in tags}  # CloudWatch ignores them for one that is there
            change = "Created"
        else:
            alarm.define(params)
            change = "Updated"
        alarm.note("ConfigurationUpdate", f'Alarm "{alarm.name}" {change.lower()}', {"type": change[:-1]})


def _check_actions(params: dict[str, Any]) -> None:
    for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for arn in params.get(kind, []):
            if not arn.startswith("arn:aws:sns:"):
                raise not_emulated("cloudwatch", "PutMetricAlarm", f"action {arn}, only SNS topics")


@operation("cloudwatch", "DeleteAlarms")
def delete_alarms(ctx: Context, params: dict[str, Any]) -> None:
    """Delete all or none: one that a composite alarm asks about cannot go."""
    alarms = _alarms[ctx.account, ctx.region]
    names = set(params["AlarmNames"])
    with changing:
        for alarm in alarms.values():
            asked = {each.split(":alarm:", 1)[-1] for each in alarm.rule.alarms} if alarm.rule else set()
            if alarm.name not in names and asked & names:
                raise AwsError(
                    "ValidationError",
                    f"Cannot delete {sorted(asked & names)[0]}: the composite alarm {alarm.name} depends on it",
                )
        for name in names:
            alarms.pop(name, None)


@operation("cloudwatch", "EnableAlarmActions", "DisableAlarmActions")
def switch_actions(ctx: Context, params: dict[str, Any]) -> None:
    """Have changes of state told, or not."""
    for name in params["AlarmNames"]:
        if alarm := find(ctx.account, ctx.region, name):
            alarm.definition["ActionsEnabled"] = ctx.action == "EnableAlarmActions"


# --- Descriptions


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Alarms by names, prefix, state, action; metric alarms only unless composite ones are asked for."""
    for name in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
        if name in params:
            raise not_emulated("cloudwatch", "DescribeAlarms", name)
    kinds = params.get("AlarmTypes") or ["MetricAlarm"]
    names = params.get("AlarmNames")
    found = [
        alarm
        for alarm in sorted(_alarms[ctx.account, ctx.region].values(), key=lambda alarm: alarm.name)
        if alarm.kind in kinds
        and (not names or alarm.name in names)
        and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
        and params.get("StateValue") in (None, alarm.state)
        and any(arn.startswith(params.get("ActionPrefix", "")) for arn in [*alarm.definition["AlarmActions"], ""])
    ]
    page, following = _page(found, params, _ALARMS_A_PAGE)
    descriptions = {
        kind: [alarm.as_dict() for alarm in page if alarm.kind == kind] for kind in ("MetricAlarm", "CompositeAlarm")
    }
    return {f"{kind}s": alarms for kind, alarms in descriptions.items()} | following


@operation("cloudwatch", "DescribeAlarmHistory")
def describe_alarm_history(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """What became of one alarm or all, the newest first."""
    kinds = params.get("AlarmTypes") or ["MetricAlarm"]
    start, end = params.get("StartDate"), params.get("EndDate")
    items = [
        item
        for alarm in _alarms[ctx.account, ctx.region].values()
        if alarm.kind in kinds and params.get("AlarmName") in (None, alarm.name)
        for item in alarm.history
        if params.get("HistoryItemType") in (None, item["HistoryItemType"])
        and (start is None or item["Timestamp"] >= cloudwatch_metrics.utc(start))
        and (end is None or item["Timestamp"] <= cloudwatch_metrics.utc(end))
    ]
    newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    items.sort(key=lambda item: item["Timestamp"], reverse=newest_first)
    page, following = _page(items, params, _HISTORY_A_PAGE)
    return {"AlarmHistoryItems": page} | following


def _page(found: list[Any], params: dict[str, Any], default: int) -> tuple[list[Any], dict[str, str]]:
    start, size = int(params.get("NextToken", 0)), params.get("MaxRecords", default)
    following = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return found[start : start + size], following


@operation("cloudwatch", "DescribeAlarmsForMetric")
def refuse(ctx: Context, _params: dict[str, Any]) -> None:
    """moto would look among the alarms that it does not have."""
    raise not_emulated("cloudwatch", ctx.action)


# --- Tags


@operation("cloudwatch", "ListTagsForResource")
def list_tags(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Of an alarm; nothing else here has tags."""
    tags = _tagged(ctx, params).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@operation("cloudwatch", "TagResource")
def tag(ctx: Context, params: dict[str, Any]) -> None:
    """Add and replace tags."""
    _tagged(ctx, params).tags |= {each["Key"]: each["Value"] for each in params["Tags"]}


@operation("cloudwatch", "UntagResource")
def untag(ctx: Context, params: dict[str, Any]) -> None:
    """Remove tags by their keys."""
    for key in params["TagKeys"]:
        _tagged(ctx, params).tags.pop(key, None)


def _tagged(ctx: Context, params: dict[str, Any]) -> Alarm:
    alarm = find(ctx.account, ctx.region, params["ResourceARN"])
    if alarm is None:
        raise AwsError("ResourceNotFoundException", f"Unknown: {params['ResourceARN']}", 404)
    return alarm
