"""Rules on the quality of data, judged on values alone."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from trackman.column_types import PostgresType
from trackman.contract import TableName, TableOptions
from trackman.errors import TableError
from trackman.judging import check_failing, check_rules, convert_and_judge, judge_row_count
from trackman.lake_table import LakeTable, Rejected, describe
from trackman.quality import (
    Allowed,
    CellRule,
    NotNull,
    Quality,
    Range,
    Reference,
    RowCount,
    Unreferenced,
    judge,
    rows_set_aside,
)
from trackman.quarantine import check_rejects
from trackman.references import in_order
from trackman.source_tables import Leaf, SourceColumn, SourceTable

SPEED = pa.decimal128(5, 2)
TIME = pa.timestamp("us")
SESSION = Reference("session", "warn", ("public", "sessions"), "id")


def decimals(*texts: str | None) -> list[Decimal | None]:
    return [text and Decimal(text) for text in texts]


@pytest.mark.parametrize(
    ("rule", "kind", "values", "against"),
    [
        (NotNull("c", "warn"), pa.int32(), [0, None], [False, True]),
        (NotNull("c", "warn"), pa.string(), ["", None], [False, True]),
        (Range("c", "warn", 1, 3), pa.int32(), [0, 1, 3, 4, None], [True, False, False, True, False]),
        (Range("c", "warn", 0.5), pa.int64(), [0, 1, 1 << 60], [True, False, False]),
        (Range("c", "warn", max=-0.5), pa.int64(), [0, -1], [True, False]),
        (
            Range("c", "warn", 2, 110),
            SPEED,
            decimals("1.99", "2.00", "110.00", "110.01", None),
            [True, False, False, True, False],
        ),
        # A bound between two values of the column is neither of them.
        (Range("c", "warn", 1.995, 2.005), SPEED, decimals("1.99", "2.00", "2.01"), [True, False, True]),
        (Range("c", "warn", 1e-9, 1e15), SPEED, decimals("0.00", "0.01", "999.99"), [True, False, False]),
        (Range("c", "warn", 0, 1e15), pa.decimal128(38, 9), decimals("-0.000000001", "1"), [True, False]),
        # As the column's own type has it: 0.1 is not the double's.
        (Range("c", "warn", 0.1, 0.3), pa.float32(), [0.1, 0.3, 0.31, None], [False, False, True, False]),
        (Range("c", "warn", 0), pa.float64(), [float("nan"), float("inf"), -0.0], [True, False, False]),
        (Range("c", "warn", "2026-01-01"), pa.date32(), [date(2025, 12, 31), date(2026, 1, 1)], [True, False]),
        (
            Range("c", "warn", "2026-01-01", "2026-01-01T12:00:00"),
            TIME,
            [datetime(2026, 1, 1), datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 12, 0, 0, 1)],
            [False, False, True],
        ),
        (Allowed("c", "warn", ("a", "b")), pa.string(), ["a", "A", "", None], [False, True, True, False]),
        (Allowed("c", "warn", (1, 2)), pa.int32(), [1, 3, None], [False, True, False]),
        (Allowed("c", "warn", (1.5, 2)), SPEED, decimals("1.50", "2.00", "1.51"), [False, False, True]),
        (Allowed("c", "warn", (True,)), pa.bool_(), [True, False, None], [False, True, False]),
        (Unreferenced(SESSION, pa.array([7], pa.int32())), pa.int64(), [7, 8, None], [True, False, False]),
    ],
)
def test_values_against_a_rule(rule: CellRule, kind: pa.DataType, values: list[Any], against: list[bool]) -> None:
    assert rule.violations(pa.array(values, kind)).to_pylist() == against


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (Range("c", "warn", 1), pa.string()),
        (Range("c", "warn", 1), pa.bool_()),
        (Range("c", "warn", 1), pa.date32()),
        (Range("c", "warn", "2026-01-01"), pa.int32()),
        (Range("c", "warn", 1), pa.list_(pa.int32())),
        (Allowed("c", "warn", ("a",)), pa.int32()),
        (Allowed("c", "warn", (1.5,)), pa.int32()),
        (Allowed("c", "warn", (1,)), pa.string()),
    ],
)
def test_rule_that_does_not_fit_its_column_is_refused(rule: CellRule, kind: pa.DataType) -> None:
    with pytest.raises(
        TableError, match=rf"public\.shots: the contract's {re.escape(rule.name)} expects .* in a column of type"
    ):
        check_rules(SHOTS.name, [rule], pa.schema([("c", kind)]))


SHOTS = SourceTable(
    TableName("public", "shots"), 16400, None, False, "d", ("id",), True,
    tuple(
        SourceColumn(name, number, PostgresType(kind, modifier, False, sql, True), "textout", None, False, False)
        for number, (name, kind, modifier, sql) in enumerate(
            [("id", "int4", -1, "integer"), ("speed", "numeric", 327686, "numeric(5,2)"), ("club", "text", -1, "text")],
            start=1,
        )
    ),
    (Leaf(16400, 1, 8192),),
)  # fmt: skip
SCHEMA = pa.schema([("id", pa.int32()), ("speed", SPEED), ("club", pa.string())])


def shots(quality: Quality) -> LakeTable:
    return describe("backend", SHOTS, TableOptions(quality=quality))


def texts(*rows: tuple[str | None, str | None]) -> dict[str, pa.Array]:
    return {
        "id": pa.array([str(row) for row in range(len(rows))]),
        "speed": pa.array([speed for speed, _ in rows], pa.string()),
        "club": pa.array([club for _, club in rows], pa.string()),
    }


def test_only_what_is_quarantined_is_null_and_told() -> None:
    rules = (
        Range("speed", "quarantine", 1, 110),
        Range("speed", "warn", max=90),
        NotNull("club", "quarantine"),
        Allowed("club", "fail", ("driver",)),
    )
    judged = convert_and_judge(
        shots(Quality(rules)), texts(("70.5", "driver"), ("200", "iron"), ("NaN", None)), SCHEMA, 10, rules
    )
    assert judged.columns["speed"].to_pylist() == [Decimal("70.50"), None, None]
    assert judged.columns["club"].to_pylist() == ["driver", "iron", None]
    assert [each.to_pylist() for each in judged.violations] == [
        [False, True, False],
        [False, True, False],
        [False, False, True],
        [False, True, False],
    ]
    assert judged.rejected == {
        1: [Rejected("speed", "200", "range(speed): expected 1 to 110")],
        2: [
            Rejected("speed", "NaN", "has no place in decimal128(5, 2)"),
            Rejected("club", None, "notNull(club): expected a value"),
        ],
    }


def test_value_that_has_no_place_is_not_missing() -> None:
    rules = (NotNull("speed", "fail"),)
    judged = convert_and_judge(shots(Quality(rules)), texts(("NaN", "a"), (None, "a")), SCHEMA, 10, rules)
    assert judged.violations[0].to_pylist() == [False, True]


def test_only_values_in_question_are_judged() -> None:
    rules = (NotNull("speed", "quarantine"),)
    in_question = {"speed": pa.array([True, False])}
    judged = convert_and_judge(
        shots(Quality(rules)), texts((None, "a"), (None, "a")), SCHEMA, 10, rules, in_question.__getitem__
    )
    assert judged.violations[0].to_pylist() == [True, False]
    assert judged.rejected.keys() == {0}


def test_of_many_quarantined_values_one_more_than_the_limit_is_told() -> None:
    rules = (Range("speed", "quarantine", 1),)
    judged = convert_and_judge(shots(Quality(rules)), texts(*[("0", "a")] * 50), SCHEMA, 3, rules)
    assert len(judged.rejected) == 4
    assert judged.columns["speed"].null_count == judged.violations[0].true_count == 50
    with pytest.raises(TableError, match=r"50 rows have values that .*, 50 by range\(speed\), at most 3 are set aside"):
        check_rejects(SHOTS.name, 50, 3, {rules[0].name: 50})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (NotNull("clubb", "warn"), "quality names clubb, which is no column that the lake keeps"),
        (Reference("id", "quarantine", ("public", "a"), "id"), r"reference\(id\) quarantines values of the key"),
    ],
)
def test_rule_that_does_not_fit_its_table_is_refused(rule: CellRule, message: str) -> None:
    with pytest.raises(TableError, match=rf"public\.shots: the contract's {message}"):
        shots(Quality((rule,)))


def test_error_of_a_table_that_stops_names_rule_count_and_rows() -> None:
    expected = {"range(speed)": "at most 110", "allowed(club)": "one of driver"}
    check_failing(SHOTS.name, expected, {"range(speed)": 0, "allowed(club)": 0}, {})
    with pytest.raises(TableError) as error:
        check_failing(
            SHOTS.name, expected, {"range(speed)": 2, "allowed(club)": 0}, {"range(speed)": ["id = 4", "id = 5"]}
        )
    assert str(error.value).startswith(
        "public.shots: 2 rows are against range(speed), expected at most 110, such as id = 4; id = 5: nothing of it is "
        "published until"
    )


@pytest.mark.parametrize(
    ("rule", "after", "before", "problem"),
    [
        (RowCount("warn", min=1), 0, None, "0 rows, expected at least 1"),
        (RowCount("warn", min=1, max=2), 1, None, None),
        (RowCount("warn", max=2), 3, None, "3 rows, expected at most 2"),
        (RowCount("warn", max_loss=0.2), 80, 100, None),
        (RowCount("warn", max_loss=0.2), 79, 100, "79 rows after 100, expected a loss of at most 20%"),
        (RowCount("warn", max_growth=0.5), 150, 100, None),
        (RowCount("warn", max_growth=0.5), 151, 100, "151 rows after 100, expected a growth of at most 50%"),
        (RowCount("warn", max_loss=0.2, max_growth=0.5), 10, None, None),
        (RowCount("warn", max_growth=0.5), 10, 0, None),
    ],
)
def test_row_counts(rule: RowCount, after: int, before: int | None, problem: str | None) -> None:
    assert rule.problem(after, before) == problem


def test_row_count_is_told_or_stops_the_table() -> None:
    assert judge_row_count(SHOTS.name, Quality(), 0, 5) == {}
    assert judge_row_count(SHOTS.name, Quality((), RowCount("warn", min=1)), 0, 5) == {"rowCount": 1}
    assert judge_row_count(SHOTS.name, Quality((), RowCount("fail", min=1)), 1, 5) == {"rowCount": 0}
    with pytest.raises(TableError, match=r"would have 0 rows, expected at least 1 \(rowCount\)"):
        judge_row_count(SHOTS.name, Quality((), RowCount("fail", min=1)), 0, 5)


def test_row_that_is_set_aside_is_told_by_its_first_rule() -> None:
    rules = (Range("c", "warn", 2), Range("c", "quarantine", 1), NotNull("c", "quarantine"))
    columns = {"c": pa.array([0, 1, None])}
    found = rows_set_aside(rules, judge(rules, columns))
    assert {row: rule.reason for row, rule in found.items()} == {
        0: "range(c): expected at least 1",
        2: "notNull(c): expected a value",
    }


def test_tables_come_behind_what_they_refer_to() -> None:
    a, b, c, d = (TableName("public", name) for name in "abcd")
    refers = {
        a: [Reference("x", "warn", c, "id")],
        c: [Reference("x", "warn", d, "id"), Reference("y", "warn", b, "id")],
    }
    assert in_order([a, b, c, d], refers) == [d, b, c, a]
    assert in_order([a, b], refers) == [a, b]
