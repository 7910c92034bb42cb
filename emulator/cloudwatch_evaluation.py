"""When an alarm changes its state: CloudWatch's rules over the datapoints of a metric alarm. Pure functions.

From "Configuring how CloudWatch alarms treat missing data" of the CloudWatch user guide, tables included.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

# How many periods more than EvaluationPeriods CloudWatch looks back for datapoints, by the guide's examples. It says
# that the number depends on the period, and not how.
_MORE_PERIODS = 2

_COMPARISONS = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
COMPARISONS = frozenset(_COMPARISONS)


@dataclass(frozen=True)
class Condition:
    """What a metric alarm asks of its datapoints."""

    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str = "missing"
    """TreatMissingData: missing, ignore, breaching, notBreaching."""

    @property
    def periods(self) -> int:
        """How many periods' datapoints the alarm looks at."""
        return self.evaluation_periods + _MORE_PERIODS

    def breached_by(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True)
class Verdict:
    """A state and the sentence that says why."""

    state: str
    reason: str


def evaluate(condition: Condition, points: Sequence[float | None]) -> Verdict | None:
    """The state by the datapoints of `condition.periods` periods, the oldest first; None leaves it as it is."""
    real = [point for point in points if point is not None]
    if not real:
        return _without_data(condition)
    recent = real[-condition.evaluation_periods :]
    breaching = sum(map(condition.breached_by, recent))
    # Datapoints that are missing count only as far as the real ones are too few.
    lacking = condition.evaluation_periods - len(recent)
    treated = ""
    if lacking and condition.missing == "breaching":
        breaching += lacking
        treated = f" ({_treated(lacking, 'Breaching')})"
    if breaching >= condition.datapoints_to_alarm:
        return Verdict(ALARM, _crossed(condition, recent, crossed=True) + treated)
    all_breach = all(map(condition.breached_by, recent))
    if lacking and all_breach and condition.missing in ("missing", "ignore"):
        # Nothing speaks for OK, and little for ALARM: only once the first breach is old enough.
        age = len(points) - next(number for number, point in enumerate(points) if point is not None)
        if condition.missing == "missing" and age >= condition.datapoints_to_alarm:
            return Verdict(ALARM, _crossed(condition, recent, crossed=True))
        return None
    return Verdict(OK, _crossed(condition, recent, crossed=False))


def _without_data(condition: Condition) -> Verdict | None:
    number = condition.evaluation_periods
    match condition.missing:
        case "ignore":
            return None
        case "missing":
            return Verdict(
                INSUFFICIENT_DATA,
                f"Insufficient Data: {number} datapoint{' was' if number == 1 else 's were'} unknown.",
            )
        case treated:
            state, shown = (ALARM, "Breaching") if treated == "breaching" else (OK, "NonBreaching")
            periods = "1 period" if number == 1 else f"{number} periods"
            return Verdict(
                state,
                f"Threshold Crossed: no datapoints were received for {periods} and {_treated(number, shown)}.",
            )


def _crossed(condition: Condition, recent: Sequence[float], *, crossed: bool) -> str:
    shown = ", ".join(str(value) for value in recent[::-1])
    concerned = sum(condition.breached_by(value) is crossed for value in recent)
    verb = ("was" if concerned == 1 else "were") + ("" if crossed else " not")
    return (
        f"Threshold Crossed: {concerned} out of the last {len(recent)} datapoints [{shown}] {verb} "
        f"{_COMPARISONS[condition.comparison][1]} the threshold ({condition.threshold})."
    )


def _treated(number: int, shown: str) -> str:
    return f"{number} missing datapoint{' was' if number == 1 else 's were'} treated as [{shown}]"
