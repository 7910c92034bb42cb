"""Current tables: the change log's changes of a table folded to one change a row, merged in.

A row's *life* is what becomes of one row in the changes at hand. It begins with the batch, for a row of the target that
is known by its key there, or with an insert, and ends with a delete or with the batch. An update that changes the key
ends the stay at one key and begins one at another, of the same life. Within a life the last value that was sent for a
column is its value; a column that was never sent (an unchanged large value) keeps what the target has.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from trackman.judging import check_failing, check_rules, convert_and_judge, describe_key, failing_rules
from trackman.lake_table import LakeTable, Rejected
from trackman.pending import Summary, new_key, old_key
from trackman.quality import EXAMPLES, CellRule, ColumnRule
from trackman.quarantine import RejectedRow, check_rejects
from trackman.references import Parent, with_reference

Stay = Row
# Types of key columns by whose least and greatest value the target's files are told apart.
_BOUNDED = (IntegerType, LongType, StringType, DateType)


def apply_changes(
    changes: DataFrame,
    summary: Summary,
    branch: str,
    table: LakeTable,
    target: StructType,
    arrow: pa.Schema,
    reject_limit: int,
    rules: Sequence[CellRule] = (),
    parents: Sequence[Parent] = (),
) -> "Merged":
    """Apply a table's pending changes to a branch of it, whose Spark and Arrow schemas are given.

    Rows are judged by `rules` and by the references to `parents`. Raises TableError when more than `reject_limit` rows
    have a value that the table has no place for or that a rule sets aside, or when one is against a rule that stops it.
    """
    check_rules(table.name, rules, arrow)
    if summary.truncated_at:
        changes.sparkSession.sql(f"delete from {branch}")
        lsn, ordinal = summary.truncated_at
        is_later_in_transaction = (F.col("commit_lsn") == lsn) & (F.col("ordinal") > ordinal)
        changes = changes.where((F.col("commit_lsn") > lsn) | is_later_in_transaction)
    lives = fold(changes, table.key, [column.name for column in table.columns], summary.may_move)
    lives = typed(lives, table, target, arrow, reject_limit, rules)
    if not parents:
        return merge(lives, branch, table, reject_limit, rules)
    lives.persist()  # for what is asked of the parents, and for the merge
    try:
        judged = reduce(lambda some, parent: with_reference(some, table.name, parent, _BOUNDED), parents, lives)
        return merge(judged, branch, table, reject_limit, [*rules, *(parent.rule for parent in parents)])
    finally:
        lives.unpersist()


def fold(changes: DataFrame, key: Sequence[str], columns: Sequence[str], may_move: bool) -> DataFrame:
    """One row a life, of changes of one table among which there is no truncate.

    Columns: `origin`, the key of the target's row that the life may have begun as, a struct or null; `is_new`, whether
    it began with an insert; `deleted`; `values` and `sent`, structs with each column's last value and whether any was
    sent. All values are text. `may_move` says that keys may have changed.
    """
    stays = lives_of(changes, key, may_move)
    position = F.when(F.col("has_image"), F.col("position"))

    def sent(column: str) -> Column:
        return F.coalesce(F.map_contains_key("after", column) & F.col("has_image"), F.lit(False))

    lives = stays.groupBy("life").agg(
        # A life that begins with an insert takes the place of what the target may have at its key, but only when
        # nothing else of the batch was there before.
        F.bool_or((F.col("stay") == F.col("life")) & (F.col("stay.arrivals") == F.col("first_arrivals"))).alias(
            "is_origin"
        ),
        F.max_by(F.col("op") == "D", "position").alias("deleted"),
        F.struct(
            *[
                F.max_by(F.col("after").getItem(column), F.when(sent(column), position)).alias(column)
                for column in columns
            ]
        ).alias("values"),
        F.struct(*[F.bool_or(sent(column)).alias(column) for column in columns]).alias("sent"),
    )
    return lives.select(
        F.when(F.col("is_origin"), F.col("life.key")).alias("origin"),
        (F.col("life.arrivals") > 0).alias("is_new"),
        "deleted",
        "values",
        "sent",
    )


def lives_of(changes: DataFrame, key: Sequence[str], may_move: bool) -> DataFrame:
    """Each change at each key that it concerns, with the life that it is part of: `life`, a struct of the key and the
    number of arrivals there at which it began. A change without `has_image` is of a row on its way to another key."""
    stays = _stays(changes, key)
    return _join_moved(stays) if may_move else stays.withColumn("life", F.col("stay"))


def _stays(changes: DataFrame, key: Sequence[str]) -> DataFrame:
    """Each change at each key that it concerns, with the stay there that it belongs to.

    A stay is numbered by the arrivals at its key so far: 0 is the row that was there when the batch began. An update
    that moves a row is a departure from one key, without image, and an arrival at another.
    """
    old, new = old_key(key), new_key(key)
    is_insert, is_update = F.col("op") == "I", F.col("op") == "U"

    def visit(at: Column, arrives: Column | bool, has_image: bool) -> Column:
        return F.struct(
            at.alias("key"), F.lit(arrives).cast("int").alias("arrives"), F.lit(has_image).alias("has_image")
        )

    visits = F.when(
        is_update & (old != new), F.array(visit(old, False, has_image=False), visit(new, True, has_image=True))
    ).otherwise(F.array(visit(old, is_insert, has_image=True)))
    visited = changes.select(
        F.struct("commit_lsn", "ordinal").alias("position"),
        "committed_at",
        "op",
        "after",
        F.explode(visits).alias("visit"),
    ).select("position", "committed_at", "op", "after", "visit.*")
    at_key = Window.partitionBy("key")
    arrivals = F.sum("arrives").over(at_key.orderBy("position"))
    return (
        visited.withColumn("arrivals", arrivals)
        .withColumn("first_arrivals", F.min("arrivals").over(at_key))
        .withColumn("stay", F.struct("key", "arrivals"))
    )


def _join_moved(stays: DataFrame) -> DataFrame:
    """Adds `life`: the first stay of the row's way over several keys.

    Rows whose key changes are few, so the driver follows their ways.
    """
    moves = (
        stays.groupBy("position")
        .agg(
            F.count("*").alias("visits"),
            F.max(F.when(~F.col("has_image"), F.col("stay"))).alias("before"),
            F.max(F.when(F.col("has_image"), F.col("stay"))).alias("after"),
        )
        .where("visits > 1")
        .select("before", "after")
        .collect()
    )
    first_stays = follow_moves([(move.before, move.after) for move in moves])
    if not first_stays:
        return stays.withColumn("life", F.col("stay"))
    stay_type = stays.schema["stay"].dataType
    schema = StructType([StructField("stay", stay_type), StructField("life", stay_type)])
    lives = stays.sparkSession.createDataFrame(list(first_stays.items()), schema)
    joined = stays.join(F.broadcast(lives), "stay", "left")
    return joined.withColumn("life", F.coalesce("life", "stay"))


def follow_moves(moves: Sequence[tuple[Stay, Stay]]) -> dict[Stay, Stay]:
    """For each stay that a row moved to, the first stay of its way. `moves` are pairs of the stays left and entered."""
    left = {entered: before for before, entered in moves}
    first: dict[Stay, Stay] = {}
    for entered in left:
        way = [entered]
        while way[-1] in left and way[-1] not in first:
            way.append(left[way[-1]])
        beginning = first.get(way[-1], way[-1])
        first.update((stay, beginning) for stay in way[:-1])
    return first


_REJECTED = StructType([StructField(name, StringType()) for name in Rejected._fields])


def typed(
    lives: DataFrame,
    table: LakeTable,
    target: StructType,
    arrow: pa.Schema,
    reject_limit: int,
    rules: Sequence[CellRule] = (),
    keep: Sequence[str] = (),
) -> DataFrame:
    """Folded lives with their values in the types of the lake table, whose Spark and Arrow schemas are given.

    A value without a place there, or that a rule sets aside, is null, and told in the column `rejected`. The column
    `violated` says for each rule whether a value that was sent is against it. Columns of `keep` stay as they are.
    """
    fields = {field.name: field for field in target}
    schema = StructType(
        [
            StructField("origin", StructType([fields[name] for name in table.key])),
            lives.schema["is_new"],
            lives.schema["deleted"],
            StructField("values", StructType([fields[column.name] for column in table.columns])),
            lives.schema["sent"],
            StructField("rejected", ArrayType(_REJECTED)),
            StructField("violated", ArrayType(BooleanType())),
            *[lives.schema[name] for name in keep],
        ]
    )

    def convert(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            sent, stays = _columns(batch["sent"]), pc.invert(batch["deleted"])
            judged = convert_and_judge(
                table,
                _columns(batch["values"]),
                arrow,
                reject_limit,
                rules,
                lambda column, sent=sent, stays=stays: pc.and_(sent[column], stays),
            )
            yield pa.RecordBatch.from_arrays(
                [
                    convert_struct(batch["origin"], table, arrow),
                    batch["is_new"],
                    batch["deleted"],
                    _struct(judged.columns),
                    batch["sent"],
                    _told(judged.rejected, len(batch)),
                    _flags(judged.violations, len(batch)),
                    *[batch[name] for name in keep],
                ],
                schema.names,
            )

    return lives.mapInArrow(convert, schema)


def _told(rejected: Mapping[int, Sequence[Rejected]], rows: int) -> pa.ListArray:
    lists = [[each._asdict() for each in rejected[row]] if row in rejected else None for row in range(rows)]
    return pa.array(lists, pa.list_(pa.struct([(name, pa.string()) for name in Rejected._fields])))


def _flags(violations: Sequence[pa.BooleanArray], rows: int) -> pa.ListArray:
    """For each row a list with a place for each rule."""
    count = len(violations)
    flags = np.zeros((rows, count), bool)
    for place, against in enumerate(violations):
        flags[:, place] = against.to_numpy(zero_copy_only=False)
    offsets = pa.array(np.arange(rows + 1) * count, pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(flags.ravel(), pa.bool_()))


def convert_struct(texts: pa.StructArray, table: LakeTable, arrow: pa.Schema) -> pa.StructArray:
    """A struct of some of the table's columns, from text to the table's types. The key's columns are among them."""
    return _struct(table.convert(_columns(texts), arrow))


def _columns(struct: pa.StructArray) -> dict[str, pa.Array]:
    return dict(zip([field.name for field in struct.type], struct.flatten(), strict=True))


def _struct(columns: dict[str, pa.Array]) -> pa.StructArray:
    return pa.StructArray.from_arrays(list(columns.values()), list(columns))


@dataclass(frozen=True)
class Merged:
    """How many rows a merge changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rejected: tuple[RejectedRow, ...] = ()
    violations: Mapping[str, int] = field(default_factory=dict)
    """Rows that are against each rule, by its name."""


def merge(
    lives: DataFrame, branch: str, table: LakeTable, reject_limit: int, rules: Sequence[CellRule | ColumnRule] = ()
) -> Merged:
    """Apply typed lives to a branch of the current table. `rules` are those that their column `violated` speaks of."""
    lives = lives.persist()
    try:
        bounded = [name for name in table.key if isinstance(lives.schema["origin"].dataType[name].dataType, _BOUNDED)]
        survives, is_new = ~F.col("deleted"), F.col("is_new")
        against = [survives & F.col("violated")[place] for place in range(len(rules))]
        set_aside = [each for rule, each in zip(rules, against, strict=True) if rule.action == "quarantine"]
        is_rejected = reduce(Column.__or__, set_aside, survives & F.col("rejected").isNotNull())
        totals = lives.agg(
            F.count_if(survives & is_new).alias("inserted"),
            F.count_if(survives & ~is_new).alias("updated"),
            F.count_if(F.col("deleted") & ~is_new).alias("deleted"),
            F.count_if(is_rejected).alias("rejected"),
            *[F.count_if(each).alias(f"against{place}") for place, each in enumerate(against)],
            *[F.min(F.col("origin")[name]).alias(f"low{i}") for i, name in enumerate(bounded)],
            *[F.max(F.col("origin")[name]).alias(f"high{i}") for i, name in enumerate(bounded)],
        ).first()
        violations = {rule.name: totals[f"against{place}"] for place, rule in enumerate(rules)}
        failing = {rule.name: each for rule, each in zip(rules, against, strict=True) if rule.action == "fail"}
        check_failing(
            table.name,
            failing_rules(rules),
            violations,
            {name: _examples(lives.where(each), table) for name, each in failing.items() if violations[name]},
        )
        by_rules = {rule.name: violations[rule.name] for rule in rules if rule.action == "quarantine"}
        check_rejects(table.name, totals["rejected"], reject_limit, by_rules)
        bounds = {name: totals[name] for name in totals.asDict() if name.startswith(("low", "high"))}
        lives.createOrReplaceTempView(view := f"lives_{uuid.uuid4().hex}")
        lives.sparkSession.sql(_merge_statement(branch, view, table, bounded), bounds)
        lives.sparkSession.catalog.dropTempView(view)
        rejected = _rejected_rows(lives.where(survives), table) if totals["rejected"] else ()
        return Merged(totals["inserted"], totals["updated"], totals["deleted"], rejected, violations)
    finally:
        lives.unpersist()


def _key_text(table: LakeTable) -> Column:
    return F.struct(*[F.col("values")[name].cast("string").alias(name) for name in table.key])


def _examples(lives: DataFrame, table: LakeTable) -> list[str]:
    return [describe_key(row.key.asDict()) for row in lives.select(_key_text(table).alias("key")).head(EXAMPLES)]


def _rejected_rows(lives: DataFrame, table: LakeTable) -> tuple[RejectedRow, ...]:
    rows = lives.where(F.col("rejected").isNotNull()).select(_key_text(table).alias("key"), "rejected").collect()
    return tuple(RejectedRow(row.key.asDict(), tuple(Rejected(*each) for each in row.rejected)) for row in rows)


def _merge_statement(branch: str, view: str, table: LakeTable, bounded: Sequence[str]) -> str:
    """`bounded` key columns are kept between parameters, so that files of other keys are not read."""
    names = [quote(column.name) for column in table.columns]
    conditions = [f"t.{quote(name)} = s.origin.{quote(name)}" for name in table.key]
    conditions += [f"t.{quote(name)} between :low{i} and :high{i}" for i, name in enumerate(bounded)]
    assignments = ", ".join(f"{name} = if(s.sent.{name}, s.values.{name}, t.{name})" for name in names)
    return f"""
        merge into {branch} as t using {view} as s on {" and ".join(conditions)}
        when matched and s.deleted then delete
        when matched then update set {assignments}
        when not matched and not s.deleted then
          insert ({", ".join(names)}) values ({", ".join(f"s.values.{name}" for name in names)})"""


def quote(name: str) -> str:
    """Spark SQL of a name."""
    return "`" + name.replace("`", "``") + "`"
