"""References between tables of one source: a column whose values another table's column has to have.

Both are asked at one position of the source's log, so that it makes no difference in which order a run comes to them:

- changes are asked of the other table's rows in the lake, after this run has brought it to where it brings the table
  itself. Only values that changed are looked up. When the other table is not there, because it failed or is copied
  elsewhere, the rule is not judged, and the run says so;
- a copy is asked of the source, in the snapshot that it is a copy of.

Rows that did not change are not asked again when what they refer to is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, IntegralType

from trackman.contract import TableName
from trackman.errors import TableError
from trackman.quality import Reference


@dataclass(frozen=True)
class Parent:
    """What a reference points to."""

    rule: Reference
    rows: DataFrame
    """The other table, as it is where the run ends."""


def in_order(tables: Sequence[TableName], references: dict[TableName, Sequence[Reference]]) -> list[TableName]:
    """The tables, each behind those that it refers to; otherwise as they came. Contracts have no circles."""
    ordered: dict[TableName, None] = {}

    def visit(table: TableName) -> None:
        for rule in references.get(table, ()):
            if rule.table in pending:
                pending.discard(rule.table)
                visit(TableName(*rule.table))
        ordered[table] = None

    pending = set(tables)
    for table in tables:
        if table in pending:
            pending.discard(table)
            visit(table)
    return list(ordered)


def with_reference(
    lives: DataFrame, table: TableName, parent: Parent, bounded: tuple[type[DataType], ...]
) -> DataFrame:
    """Typed lives (of `current.typed`) with one more place in `violated`, for a reference. What it sets aside is null
    and among `rejected`. Of `bounded` types, a parent's values are read only between the least and the greatest."""
    rule = parent.rule
    value = F.col("values")[rule.column]
    is_asked = ~F.col("deleted") & F.col("sent")[rule.column] & value.isNotNull()
    values = lives.where(is_asked).select(value.alias("value")).distinct()
    known = _values_of(parent, values, table)
    kind = values.schema["value"].dataType
    if isinstance(kind, bounded):
        least, greatest = values.agg(F.min("value"), F.max("value")).first()
        known = known.where(F.col("value").between(F.lit(least).cast(kind), F.lit(greatest).cast(kind)))
    missing = values.join(known, "value", "left_anti").select(F.col("value").alias("missing"))
    judged = lives.join(F.broadcast(missing), is_asked & (value == F.col("missing")), "left")
    is_against = F.col("missing").isNotNull()
    columns = {"violated": F.concat("violated", F.array(is_against))}
    if rule.action == "quarantine":
        told = F.array(
            F.struct(
                F.lit(rule.column).alias("column"),
                value.cast("string").alias("value"),
                F.lit(rule.reason).alias("reason"),
            )
        )
        none = F.array().cast(lives.schema["rejected"].dataType)
        columns["rejected"] = F.when(is_against, F.concat(F.coalesce("rejected", none), told)).otherwise(
            F.col("rejected")
        )
        # As a struct anew: withField would take a dot in a name for a way into it.
        fields = lives.schema["values"].dataType.names
        columns["values"] = F.struct(
            *[
                (F.when(~is_against, value) if name == rule.column else F.col("values")[name]).alias(name)
                for name in fields
            ]
        )
    return judged.withColumns(columns).drop("missing")


def _values_of(parent: Parent, values: DataFrame, table: TableName) -> DataFrame:
    rule, kind = parent.rule, values.schema["value"].dataType
    fields = {field.name: field.dataType for field in parent.rows.schema}
    if rule.to not in fields:
        raise TableError(f"{table}: the contract's {rule.name} expects {rule.expected}, which is no column of the lake")
    both = (kind, fields[rule.to])
    if (both[0] != both[1] and not all(isinstance(each, IntegralType) for each in both)) or isinstance(kind, ArrayType):
        told = " of ".join(each.simpleString() for each in both)
        raise TableError(f"{table}: the contract's {rule.name} expects {rule.expected}: of one type, not {told}")
    return parent.rows.select(F.col(f"`{rule.to}`").cast(kind).alias("value"))
