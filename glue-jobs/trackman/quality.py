"""Rules on the quality of data, as a contract has them: which rows of what a run brings are against one.

They are judged on values in the lake's types, with personal data hashed or gone, and on what a run brings only: the
rows that changed, or all of a copy. A row that is against a rule with the action

- `warn` is counted;
- `quarantine` loses the value, which is null in the lake and recorded in the quarantine. It is counted to the rejects;
- `fail` stops its table: nothing of the run is published of it, and its changes wait in the change log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

ACTIONS = ("warn", "quarantine", "fail")
Constant = int | float | str | bool
EXAMPLES = 3
"""How many rows an error names."""
# More digits than any bound of a contract and any decimal of the lake have together.
_DIGITS = 400


class _Rule:
    """What all rules on a column have."""

    name: str
    """In reports, metrics, errors and the quarantine."""
    expected: str
    """Continues the sentence "expected …"."""

    @property
    def reason(self) -> str:
        """What is said of a value that the rule sets aside."""
        return f"{self.name}: expected {self.expected}"


@dataclass(frozen=True)
class NotNull(_Rule):
    """A column always has a value."""

    column: str
    action: str

    @property
    def name(self) -> str:
        return f"notNull({self.column})"

    @property
    def expected(self) -> str:
        return "a value"

    def violations(self, values: pa.Array) -> pa.BooleanArray:
        """Whether each value is against the rule. Raises ValueError or a pyarrow error when the rule does not fit the
        values' type."""
        return pc.is_null(values)


@dataclass(frozen=True)
class Range(_Rule):
    """A column's values lie between two bounds, both included. A time's are ISO 8601, in UTC; NaN lies nowhere."""

    column: str
    action: str
    min: int | float | str | None = None
    max: int | float | str | None = None

    @property
    def name(self) -> str:
        return f"range({self.column})"

    @property
    def expected(self) -> str:
        if self.max is None:
            return f"at least {self.min}"
        return f"at most {self.max}" if self.min is None else f"{self.min} to {self.max}"

    def violations(self, values: pa.Array) -> pa.BooleanArray:
        inside = []
        if self.min is not None:
            inside.append(pc.greater_equal(values, _bound(self.min, values.type, ROUND_CEILING)))
        if self.max is not None:
            inside.append(pc.less_equal(values, _bound(self.max, values.type, ROUND_FLOOR)))
        return pc.fill_null(pc.invert(reduce(pc.and_, inside)), False)


@dataclass(frozen=True)
class Allowed(_Rule):
    """A column's values are among these."""

    column: str
    action: str
    values: tuple[Constant, ...]

    @property
    def name(self) -> str:
        return f"allowed({self.column})"

    @property
    def expected(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"

    def violations(self, values: pa.Array) -> pa.BooleanArray:
        constants = self.values
        if pa.types.is_decimal(values.type):
            constants = [Decimal(str(value)) for value in constants]
        allowed = pa.array(constants, values.type)
        if allowed.to_pylist() != list(constants):  # an integer column would take 1.5 for 1
            raise ValueError(f"{self.expected}: not of type {values.type}")
        return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=allowed)))


@dataclass(frozen=True)
class Reference(_Rule):
    """A column's values are among those of another table's column."""

    column: str
    action: str
    table: tuple[str, str]
    """Schema and name, in the same source."""
    to: str

    @property
    def name(self) -> str:
        return f"reference({self.column})"

    @property
    def expected(self) -> str:
        return f"a value of {'.'.join(self.table)}.{self.to}"


@dataclass(frozen=True)
class Unreferenced(_Rule):
    """A reference of which it is known what the other table lacks."""

    rule: Reference
    missing: pa.Array

    @property
    def column(self) -> str:
        return self.rule.column

    @property
    def action(self) -> str:
        return self.rule.action

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def expected(self) -> str:
        return self.rule.expected

    def violations(self, values: pa.Array) -> pa.BooleanArray:
        return pc.and_(pc.is_valid(values), pc.is_in(values, value_set=self.missing.cast(values.type)))


@dataclass(frozen=True)
class RowCount:
    """How many rows a table has when a run leaves it, and which share of them a run takes away or adds."""

    action: str
    min: int | None = None
    max: int | None = None
    max_loss: float | None = None
    max_growth: float | None = None
    name = "rowCount"

    def problem(self, after: int, before: int | None = None) -> str | None:
        """What is wrong with a number of rows. Without the one before, or upon an empty table, no share is."""
        if self.min is not None and after < self.min:
            return f"{after} rows, expected at least {self.min}"
        if self.max is not None and after > self.max:
            return f"{after} rows, expected at most {self.max}"
        if not before:
            return None
        if self.max_loss is not None and before - after > self.max_loss * before:
            return f"{after} rows after {before}, expected a loss of at most {self.max_loss:.0%}"
        if self.max_growth is not None and after - before > self.max_growth * before:
            return f"{after} rows after {before}, expected a growth of at most {self.max_growth:.0%}"
        return None


CellRule = NotNull | Range | Allowed | Unreferenced
"""What is told by a value alone."""
ColumnRule = NotNull | Range | Allowed | Reference


@dataclass(frozen=True)
class Quality:
    """A table's rules."""

    columns: tuple[ColumnRule, ...] = ()
    row_count: RowCount | None = None

    @property
    def cells(self) -> tuple[NotNull | Range | Allowed, ...]:
        return tuple(rule for rule in self.columns if not isinstance(rule, Reference))

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(rule for rule in self.columns if isinstance(rule, Reference))

    def misfits(self, columns: Sequence[str], key: Sequence[str]) -> list[str]:
        """What is wrong with the rules for a table of these columns."""
        unknown = sorted({rule.column for rule in self.columns} - set(columns))
        in_key = [rule.name for rule in self.columns if rule.action == "quarantine" and rule.column in key]
        problems = [f"quality names {', '.join(unknown)}, which is no column that the lake keeps"] if unknown else []
        problems += [f"{name} quarantines values of the key, which no row can be without" for name in in_key]
        return problems


NO_RULES = Quality()


def judge(rules: Sequence[CellRule], columns: Mapping[str, pa.Array]) -> list[pa.BooleanArray]:
    """Which rows are against each rule."""
    return [rule.violations(columns[rule.column]) for rule in rules]


def without_quarantined(
    rules: Sequence[CellRule], columns: Mapping[str, pa.Array], violations: Sequence[pa.BooleanArray]
) -> dict[str, pa.Array]:
    """The columns, with null in the place of what a rule sets aside."""
    left = dict(columns)
    for rule, against in zip(rules, violations, strict=True):
        if rule.action == "quarantine" and pc.any(against).as_py():
            values = left[rule.column]
            left[rule.column] = pc.if_else(against, pa.scalar(None, values.type), values)
    return left


def rows_set_aside(rules: Sequence[CellRule], violations: Sequence[pa.BooleanArray]) -> dict[int, CellRule]:
    """The rows that rules set aside, each with the first such rule."""
    bad: dict[int, CellRule] = {}
    for rule, against in zip(rules, violations, strict=True):
        if rule.action == "quarantine":
            for row in pc.indices_nonzero(against).to_pylist():
                bad.setdefault(row, rule)
    return bad


def misfit(rules: Sequence[CellRule], schema: pa.Schema) -> str | None:
    """Says of the first rule whose column is of a type that it is not for."""
    for rule in rules:
        kind = schema.field(rule.column).type
        try:
            rule.violations(pa.array([], kind))
        except (ValueError, TypeError, ArithmeticError, pa.ArrowException):
            return f"{rule.name} expects {rule.expected} in a column of type {kind}"
    return None


def _bound(bound: int | float | str, kind: pa.DataType, rounding: str) -> pa.Scalar:
    """A bound in the column's type, rounded inwards where that is coarser: the same values lie inside."""
    if isinstance(bound, str):
        if not pa.types.is_date(kind) and not pa.types.is_timestamp(kind):
            raise ValueError(f"{bound} is a time")
        return pa.scalar(bound).cast(kind)
    if pa.types.is_floating(kind):
        return pa.scalar(float(bound), kind)
    scale = kind.scale if pa.types.is_decimal(kind) else 0
    with localcontext() as context:
        context.prec = _DIGITS
        exact = Decimal(str(bound)).quantize(Decimal(1).scaleb(-scale), rounding)
    if pa.types.is_decimal(kind):
        return pa.scalar(exact, pa.decimal128(38, scale))
    if pa.types.is_integer(kind):
        return pa.scalar(int(exact), pa.int64())
    raise ValueError(f"{bound} is a number")
