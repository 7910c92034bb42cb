"""CloudWatch's own tables of how missing data is treated, and the rules of composite alarms."""

import pytest

from emulator.cloudwatch_evaluation import Condition, evaluate
from emulator.cloudwatch_rules import AlarmRule, RuleError

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
VALUES = {"0": 0.0, "X": 9.0, "-": None}


# "Configuring how CloudWatch alarms treat missing data": X breaches, 0 does not, - is missing; states by treatment.
@pytest.mark.parametrize(
    ("points", "datapoints_to_alarm", "states"),
    [
        ("0-X-X", 3, ["OK", "OK", "OK", "OK"]),
        ("----0", 3, ["OK", "OK", "OK", "OK"]),
        ("-----", 3, ["INSUFFICIENT_DATA", None, "ALARM", "OK"]),
        ("0XX-X", 3, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("--X--", 3, ["ALARM", None, "ALARM", "OK"]),
        ("0-X-X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("00X0X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0-X--", 2, ["OK", "OK", "ALARM", "OK"]),
        ("----0", 2, ["OK", "OK", "ALARM", "OK"]),
        ("---X-", 2, ["ALARM", None, "ALARM", "OK"]),
    ],
)
def test_missing_data(points, datapoints_to_alarm, states):
    for treatment, expected in zip(TREATMENTS, states, strict=True):
        condition = Condition("GreaterThanThreshold", 5.0, 3, datapoints_to_alarm, treatment)
        verdict = evaluate(condition, [VALUES[point] for point in points])
        assert (verdict and verdict.state) == expected, treatment


@pytest.mark.parametrize("points", ["00000", "0-000", "000--", "00-0-"])
def test_one_or_two_lost_samples_are_no_alarm_where_missing_ones_breach(points):
    condition = Condition("GreaterThanThreshold", 5.0, 3, 1, "breaching")
    assert evaluate(condition, [VALUES[point] for point in points]).state == "OK"


def test_three_lost_samples_in_a_row_are():
    condition = Condition("GreaterThanThreshold", 5.0, 3, 1, "breaching")
    assert evaluate(condition, [0.0, 0.0, None, None, None]).state == "ALARM"


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", [6.0]),
        ("GreaterThanOrEqualToThreshold", [5.0, 6.0]),
        ("LessThanThreshold", [4.0]),
        ("LessThanOrEqualToThreshold", [4.0, 5.0]),
    ],
)
def test_comparisons(comparison, breaching):
    condition = Condition(comparison, 5.0, 1, 1)
    states = {value: evaluate(condition, [None, None, value]).state for value in (4.0, 5.0, 6.0)}
    assert [value for value, state in states.items() if state == "ALARM"] == breaching


def test_reasons_name_datapoints_and_threshold():
    condition = Condition("GreaterThanThreshold", 5.0, 1, 1, "breaching")
    assert evaluate(condition, [None, None, 6.5]).reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [6.5] was greater than the threshold (5.0)."
    )
    assert evaluate(condition, [None, None, None]).reason == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[Breaching]."
    )
    longer = Condition("GreaterThanThreshold", 5.0, 3, 1, "breaching")
    assert evaluate(longer, [None, None, None, None, 1.0]).reason == (
        "Threshold Crossed: 0 out of the last 1 datapoints [1.0] were greater than the threshold (5.0). "
        "(2 missing datapoints were treated as [Breaching])"
    )


STATES = {"late": "ALARM", "full": "OK", "new": "INSUFFICIENT_DATA", "arn:aws:cloudwatch:r:1:alarm:far": "ALARM"}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ('ALARM("late")', True),
        ("ALARM('full')", False),
        ("ALARM(late) AND ALARM(full)", False),
        ("ALARM(late) OR ALARM(full)", True),
        ("NOT ALARM(late)", False),
        ("NOT (ALARM(full) OR OK(late))", True),
        ("ALARM(full) AND ALARM(full) OR OK(full)", True),
        ("INSUFFICIENT_DATA(new) AND TRUE", True),
        ("FALSE", False),
        ("ALARM(arn:aws:cloudwatch:r:1:alarm:far)", True),
    ],
)
def test_composite_rules(rule, holds):
    assert AlarmRule.parse(rule).holds(STATES.__getitem__) is holds


@pytest.mark.parametrize(
    "text", ["", "ALARM", "ALARM(", "ALARM()", "late", "ALARM(a) ALARM(b)", "(ALARM(a)", "ALARM(a) &"]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(RuleError):
        AlarmRule.parse(text)


def test_a_rule_names_the_alarms_that_it_asks_about():
    assert AlarmRule.parse('ALARM("a b") AND NOT OK(c)').alarms == ("a b", "c")
