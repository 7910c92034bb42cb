"""What the jobs measure for CloudWatch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackman import aws

NAMESPACE = "Trackman"
_MOST_A_REQUEST = 1000


@dataclass(frozen=True)
class Measurement:
    """One value of a metric."""

    metric: str
    value: float
    unit: str
    """CloudWatch's: Bytes, Seconds, Count."""
    dimensions: Mapping[str, str]

    def as_datum(self) -> dict[str, Any]:
        """As PutMetricData takes it."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions.items()]
        return {"MetricName": self.metric, "Dimensions": dimensions, "Value": self.value, "Unit": self.unit}


Measure = Callable[[Sequence[Measurement]], None]
"""Takes what was measured just now."""


def to_cloudwatch(measurements: Sequence[Measurement]) -> None:
    """Sends measurements; none, none."""
    for start in range(0, len(measurements), _MOST_A_REQUEST):
        data = [measurement.as_datum() for measurement in measurements[start : start + _MOST_A_REQUEST]]
        aws.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)


def nowhere(_measurements: Sequence[Measurement]) -> None:
    """Forgets measurements."""
