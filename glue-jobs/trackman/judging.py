"""Rows on their way into a table of the lake: converted to its types, and judged by the rules of its contract."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trackman.contract import TableName
from trackman.errors import TableError
from trackman.lake_table import LakeTable, Rejected
from trackman.quality import CellRule, ColumnRule, Quality, judge, misfit, without_quarantined

_REMEDY = (
    "nothing of it is published until the source is mended or the contract has another rule; its changes wait in the "
    "change log"
)


@dataclass(frozen=True)
class Judged:
    """Rows as they go into the lake."""

    columns: dict[str, pa.Array]
    rejected: dict[int, list[Rejected]]
    """What became null, by row: all that has no place, and of what a rule sets aside at most one above the limit."""
    violations: list[pa.BooleanArray]
    """For each rule, the rows that are against it."""


def convert_and_judge(
    table: LakeTable,
    texts: Mapping[str, pa.Array],
    schema: pa.Schema,
    limit: int,
    rules: Sequence[CellRule],
    is_in_question: Callable[[str], pa.BooleanArray] | None = None,
) -> Judged:
    """Columns in the lake's types, as `LakeTable.convert_or_reject` makes them, and judged.

    `is_in_question` gives for a column the rows of which its value is judged; all are by default. What has no place in
    the lake is not judged again.
    """
    columns, rejected = table.convert_or_reject(texts, schema, limit)
    if not rules:
        return Judged(columns, rejected, [])
    violations = []
    for rule, against in zip(rules, judge(rules, columns), strict=True):
        if is_in_question:
            against = pc.and_(against, is_in_question(rule.column))
        if without_place := [
            row for row, values in rejected.items() if any(rule.column == each.column for each in values)
        ]:
            against = pc.and_(against, pa.array(~np.isin(np.arange(len(against)), without_place)))
        violations.append(against)
    rejected = {row: list(values) for row, values in rejected.items()}
    for rule, against in zip(rules, violations, strict=True):
        if rule.action == "quarantine":
            for row in pc.indices_nonzero(against).slice(0, limit + 1).to_pylist():
                rejected.setdefault(row, []).append(
                    Rejected(rule.column, as_text(texts[rule.column][row]), rule.reason)
                )
    return Judged(without_quarantined(rules, columns, violations), rejected, violations)


def as_text(value: pa.Scalar) -> str | None:
    """A value that came as text, or as one of the types that copies bring as they are."""
    if isinstance(value, pa.BooleanScalar):
        return {True: "t", False: "f", None: None}[value.as_py()]
    plain = value.as_py()
    return None if plain is None else str(plain)


def describe_key(key: Mapping[str, str]) -> str:
    """A row by its key, as errors name it."""
    return ", ".join(f"{name} = {value}" for name, value in key.items())


def check_rules(table: TableName, rules: Sequence[CellRule], schema: pa.Schema) -> None:
    """Refuses rules that do not fit the columns' types."""
    if problem := misfit(rules, schema):
        raise TableError(f"{table}: the contract's {problem}: correct it")


def failing_rules(rules: Sequence[CellRule | ColumnRule]) -> dict[str, str]:
    """What rules expect by which a table stops, by their names."""
    return {rule.name: rule.expected for rule in rules if rule.action == "fail"}


def judge_row_count(table: TableName, quality: Quality, after: int | None, before: int | None) -> dict[str, int]:
    """Whether a table's number of rows is against the rule on it, as reports have it. Raises TableError when the table
    stops by that."""
    rule = quality.row_count
    if rule is None or after is None:
        return {}
    problem = rule.problem(after, before)
    if problem and rule.action == "fail":
        raise TableError(f"{table}: would have {problem} ({rule.name}): {_REMEDY}")
    if problem:
        print(f"{table}: has {problem} ({rule.name})", flush=True)
    return {rule.name: int(problem is not None)}


def check_failing(
    table: TableName, expected: Mapping[str, str], rows: Mapping[str, int], examples: Mapping[str, Sequence[str]]
) -> None:
    """Refuses rows that are against rules by which their table stops. All are by the rules' names: what was expected,
    how many rows are otherwise, the keys of some."""
    told = [
        f"{rows[name]} rows are against {name}, expected {expected[name]}, such as {'; '.join(examples[name])}"
        for name in expected
        if rows.get(name)
    ]
    if told:
        raise TableError(f"{table}: {', '.join(told)}: {_REMEDY}")
