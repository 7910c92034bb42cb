"""CloudWatch's metrics: what PutMetricData and other services of the emulator measured, kept and summarized by periods.

Percentiles, metric math and Metrics Insights are not there; a call that asks for them is refused.
"""

import bisect
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.overlay import AwsError, Context, not_emulated, operation

_EARLIEST, _LATEST = timedelta(days=14), timedelta(hours=2)  # around now, for a datapoint's time
_METRICS_A_PAGE = 500
_POINTS_A_CALL = 1440  # of GetMetricStatistics


@dataclass(frozen=True)
class Metric:
    """What identifies a metric. Dimensions count all of them: those of `a, b` are no part of those of `a`."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> "Metric":
        """The metric that Namespace, MetricName and Dimensions of a request name."""
        dimensions = frozenset((each["Name"], each["Value"]) for each in description.get("Dimensions", []))
        return cls(description["Namespace"], description["MetricName"], dimensions)

    def as_dict(self) -> dict[str, Any]:
        dimensions = [{"Name": name, "Value": value} for name, value in sorted(self.dimensions)]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


@dataclass(frozen=True)
class Sample:
    """One or several values of one moment, as CloudWatch keeps them: as their statistics."""

    time: datetime
    count: float
    total: float
    smallest: float
    largest: float
    unit: str = "None"

    @classmethod
    def single(cls, time: datetime, value: float, unit: str = "None") -> "Sample":
        return cls(time, 1, value, value, value, unit)


STATISTICS = {
    "SampleCount": lambda samples: sum(sample.count for sample in samples),
    "Sum": lambda samples: sum(sample.total for sample in samples),
    "Average": lambda samples: sum(sample.total for sample in samples) / sum(sample.count for sample in samples),
    "Minimum": lambda samples: min(sample.smallest for sample in samples),
    "Maximum": lambda samples: max(sample.largest for sample in samples),
}

_series: dict[tuple[str, str], dict[Metric, list[Sample]]] = defaultdict(dict)
_lock = threading.Lock()


def put(account: str, region: str, metric: Metric, sample: Sample) -> None:
    """Keep a sample, in the order of time."""
    with _lock:
        samples = _series[account, region].setdefault(metric, [])
        bisect.insort(samples, sample, key=lambda each: each.time)


def read(
    account: str, region: str, metric: Metric, start: datetime, end: datetime, unit: str | None = None
) -> list[Sample]:
    """The samples from `start` up to, but without, `end`; of all units unless one is named."""
    with _lock:
        samples = _series[account, region].get(metric, [])
        first, last = (bisect.bisect_left(samples, time, key=lambda each: each.time) for time in (start, end))
        return [sample for sample in samples[first:last] if unit in (None, sample.unit)]


# --- Writing


@operation("cloudwatch", "PutMetricData")
def put_metric_data(ctx: Context, params: dict[str, Any]) -> None:
    """Keep what is measured: single values, values with their counts, or statistics."""
    namespace = params["Namespace"]
    if namespace.startswith("AWS/"):
        raise AwsError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
    if "EntityMetricData" in params:
        raise not_emulated("cloudwatch", "PutMetricData", "EntityMetricData")
    now = datetime.now(UTC)
    # All are looked at before the first is kept: the call succeeds or fails as a whole.
    samples = [
        (Metric.of({**datum, "Namespace": namespace}), sample)
        for number, datum in enumerate(params.get("MetricData", []), start=1)
        for sample in _samples(datum, f"MetricData.member.{number}", now)
    ]
    for metric, sample in samples:
        put(ctx.account, ctx.region, metric, sample)


def _samples(datum: Mapping[str, Any], name: str, now: datetime) -> list[Sample]:
    given = [kind for kind in ("Value", "Values", "StatisticValues") if kind in datum]
    if len(given) != 1:
        raise AwsError(
            "InvalidParameterCombination", f"{name} must have exactly one of Value, Values and StatisticValues"
        )
    time = utc(datum.get("Timestamp", now))
    if not now - _EARLIEST <= time <= now + _LATEST:
        raise AwsError(
            "InvalidParameterValue",
            f"The parameter {name}.Timestamp must specify a time within the past two weeks and the next two hours.",
        )
    unit = datum.get("Unit", "None")
    if given == ["StatisticValues"]:
        values = datum["StatisticValues"]
        _check_numbers(values.values(), name)
        return [
            Sample(time, values["SampleCount"], values["Sum"], values["Minimum"], values["Maximum"], unit),
        ]
    values = datum["Values"] if given == ["Values"] else [datum["Value"]]
    counts = datum.get("Counts", [1] * len(values))
    if len(counts) != len(values):
        raise AwsError(
            "InvalidParameterValue", f"The parameters {name}.Values and {name}.Counts must be of the same size."
        )
    _check_numbers([*values, *counts], name)
    return [Sample(time, count, value * count, value, value, unit) for value, count in zip(values, counts, strict=True)]


def _check_numbers(numbers: Iterable[float], name: str) -> None:
    for number in numbers:
        if not -(2.0**360) <= number <= 2.0**360:  # neither is NaN
            raise AwsError("InvalidParameterValue", f"The value {number} for parameter {name}.Value is invalid.")


# --- Reading


@operation("cloudwatch", "ListMetrics")
def list_metrics(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Metrics by namespace, name and dimensions; here those named may be some of a metric's."""
    wanted = [(each["Name"], each.get("Value")) for each in params.get("Dimensions", [])]
    found = [
        metric
        for metric in list(_series[ctx.account, ctx.region])
        if params.get("Namespace") in (None, metric.namespace)
        and params.get("MetricName") in (None, metric.name)
        and all(any(name == n and value in (None, v) for n, v in metric.dimensions) for name, value in wanted)
    ]
    start = int(params.get("NextToken", 0))
    page = found[start : start + _METRICS_A_PAGE]
    following = start + _METRICS_A_PAGE
    result: dict[str, Any] = {"Metrics": [metric.as_dict() for metric in page]}
    return {**result, "NextToken": str(following)} if following < len(found) else result


@operation("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Statistics of one metric by periods; those without a sample are left out."""
    if "ExtendedStatistics" in params:
        raise not_emulated("cloudwatch", "GetMetricStatistics", "ExtendedStatistics")
    if not params.get("Statistics"):
        raise AwsError("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
    period, start, end = params["Period"], utc(params["StartTime"]), utc(params["EndTime"])
    _check_times(start, end)
    check_period(period)
    if (end - start).total_seconds() / period > _POINTS_A_CALL:
        raise AwsError(
            "InvalidParameterCombination",
            f"You have requested up to {(end - start).total_seconds() / period:.0f} datapoints, which exceeds the "
            f"limit of {_POINTS_A_CALL}. You may reduce the datapoints requested by increasing Period, or decreasing "
            "the time range.",
        )
    samples = read(ctx.account, ctx.region, Metric.of(params), start, end, params.get("Unit"))
    datapoints = [
        {
            "Timestamp": time,
            "Unit": within[0].unit,
            **{statistic: STATISTICS[statistic](within) for statistic in params["Statistics"]},
        }
        for time, within in _by_periods(samples, period)
    ]
    return {"Label": params["MetricName"], "Datapoints": datapoints}


@operation("cloudwatch", "GetMetricData")
def get_metric_data(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The same of several metrics at once, each by a query."""
    start, end = utc(params["StartTime"]), utc(params["EndTime"])
    _check_times(start, end)
    descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    results = []
    for query in params["MetricDataQueries"]:
        points = _query(ctx, query, start, end)
        points = points[::-1] if descending else points
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label", query["MetricStat"]["Metric"]["MetricName"]),
                "Timestamps": [time for time, _ in points],
                "Values": [value for _, value in points],
                "StatusCode": "Complete",
            }
        )
    shown = [query.get("ReturnData", True) for query in params["MetricDataQueries"]]
    return {"MetricDataResults": [result for result, show in zip(results, shown, strict=True) if show], "Messages": []}


def _query(ctx: Context, query: Mapping[str, Any], start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    if "Expression" in query:
        raise not_emulated("cloudwatch", "GetMetricData", f"expression {query['Expression']}")
    stat = query["MetricStat"]
    if stat["Stat"] not in STATISTICS:
        raise not_emulated("cloudwatch", "GetMetricData", f"statistic {stat['Stat']}")
    check_period(stat["Period"])
    samples = read(ctx.account, ctx.region, Metric.of(stat["Metric"]), start, end, stat.get("Unit"))
    return [(time, STATISTICS[stat["Stat"]](within)) for time, within in _by_periods(samples, stat["Period"])]


def _by_periods(samples: Sequence[Sample], period: int) -> list[tuple[datetime, list[Sample]]]:
    """The samples by the periods that they are in. Periods begin at multiples of their length in seconds."""
    periods: dict[float, list[Sample]] = defaultdict(list)
    for sample in samples:
        periods[sample.time.timestamp() // period * period].append(sample)
    return [(datetime.fromtimestamp(begin, UTC), within) for begin, within in periods.items()]


def check_period(period: int) -> None:
    """Refuse a period (seconds) that CloudWatch has not."""
    if period not in (1, 5, 10, 20, 30) and (period < 60 or period % 60):
        raise AwsError(
            "InvalidParameterValue", f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60: {period}"
        )


def _check_times(start: datetime, end: datetime) -> None:
    if start >= end:
        raise AwsError("InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")


def utc(time: datetime) -> datetime:
    """A request's time, which is in UTC when it does not say."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
