"""Current tables: the change log's changes of a table folded to one change a row, merged in.

A row's *life* is what becomes of one row in the changes at hand. It begins with the batch, for a row of the target that
is known by its key there, or with an insert, and ends with a delete or with the batch. An update that changes the key
ends the stay at one key and begins one at another, of the same life. Within a life the last value that was sent for a
column is its value; a column that was never sent (an unchanged large value) keeps what the target has.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, IntegerType, LongType, StringType, StructField, StructType

from trackman.bookmark import Bookmark, Snapshot
from trackman.contract import TableName
from trackman.lake_table import LakeTable

Stay = Row
# Types of key columns by whose least and greatest value the target's files are told apart.
_BOUNDED = (IntegerType, LongType, StringType, DateType)


@dataclass(frozen=True)
class PendingChanges:
    """What the change log holds for a table beyond its bookmark, in short."""

    changes: int
    may_move: bool
    """Some update may have changed a row's key."""
    truncated_at: tuple[int, int] | None
    """Commit LSN and ordinal of the last truncate."""


NOTHING_PENDING = PendingChanges(0, False, None)


def pending_changes(log: DataFrame, source: str, table: TableName, bookmark: Bookmark, end: int) -> DataFrame:
    """A table's changes between its bookmark and position `end` that its first copy did not see."""
    return log.where((F.col("source") == source) & (F.col("commit_lsn") < end) & _is_pending(table, bookmark))


def summarize_pending(
    log: DataFrame, source: str, bookmarks: Mapping[TableName, Bookmark], end: int
) -> dict[TableName, PendingChanges]:
    """Of the tables with pending changes, what kinds there are: all tables in one reading of the log."""
    is_pending = reduce(Column.__or__, (_is_pending(table, bookmark) for table, bookmark in bookmarks.items()))
    rows = (
        log.where((F.col("source") == source) & (F.col("commit_lsn") < end) & is_pending)
        .groupBy("schema_name", "table_name")
        .agg(
            F.count("*").alias("changes"),
            F.bool_or((F.col("op") == "U") & F.col("before").isNotNull()).alias("may_move"),
            F.max(F.when(F.col("op") == "T", F.struct("commit_lsn", "ordinal"))).alias("truncated_at"),
        )
        .collect()
    )
    return {
        TableName(row.schema_name, row.table_name): PendingChanges(
            row.changes, row.may_move, row.truncated_at and tuple(row.truncated_at)
        )
        for row in rows
    }


def _is_pending(table: TableName, bookmark: Bookmark) -> Column:
    changes = (
        (F.col("schema_name") == table.schema)
        & (F.col("table_name") == table.table)
        & (F.col("commit_lsn") >= bookmark.position)
    )
    return changes & _unseen_by(bookmark.snapshot) if bookmark.snapshot else changes


def _unseen_by(snapshot: Snapshot) -> Column:
    """Of transactions that are known to have committed, those that were still in progress in the snapshot."""
    xmin, xmax, in_progress = snapshot.visible.split(":")
    xid = F.col("xid")
    # The first condition follows from the others; by it files whose transactions are all older are not read.
    return (xid >= int(xmin)) & ((xid >= int(xmax)) | xid.isin([int(x) for x in in_progress.split(",") if x]))


def apply_changes(
    changes: DataFrame,
    summary: PendingChanges,
    branch: str,
    table: LakeTable,
    target: StructType,
    arrow: pa.Schema,
) -> "Merged":
    """Apply a table's pending changes to a branch of it, whose Spark and Arrow schemas are given."""
    if summary.truncated_at:
        changes.sparkSession.sql(f"delete from {branch}")
        changes = changes.where(F.struct("commit_lsn", "ordinal") > F.struct(*map(F.lit, summary.truncated_at)))
    lives = fold(changes, table.key, [column.name for column in table.columns], summary.may_move)
    return merge(typed(lives, table, target, arrow), branch, table)


def fold(changes: DataFrame, key: Sequence[str], columns: Sequence[str], may_move: bool) -> DataFrame:
    """One row a life, of changes of one table among which there is no truncate.

    Columns: `origin`, the key of the target's row that the life may have begun as, a struct or null; `is_new`, whether
    it began with an insert; `deleted`; `values` and `sent`, structs with each column's last value and whether any was
    sent. All values are text. `may_move` says that keys may have changed.
    """
    stays = _stays(changes, key)
    stays = _join_moved(stays) if may_move else stays.withColumn("life", F.col("stay"))
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


def _stays(changes: DataFrame, key: Sequence[str]) -> DataFrame:
    """Each change at each key that it concerns, with the stay there that it belongs to.

    A stay is numbered by the arrivals at its key so far: 0 is the row that was there when the batch began. An update
    that moves a row is a departure from one key, without image, and an arrival at another.
    """
    old = F.struct(*[F.coalesce(F.col("before")[c], F.col("after")[c]).alias(c) for c in key])
    new = F.struct(*[F.coalesce(F.col("after")[c], F.col("before")[c]).alias(c) for c in key])
    is_insert, is_update = F.col("op") == "I", F.col("op") == "U"

    def visit(at: Column, arrives: Column | bool, has_image: bool) -> Column:
        return F.struct(
            at.alias("key"), F.lit(arrives).cast("int").alias("arrives"), F.lit(has_image).alias("has_image")
        )

    visits = F.when(
        is_update & (old != new), F.array(visit(old, False, has_image=False), visit(new, True, has_image=True))
    ).otherwise(F.array(visit(F.when(is_insert, new).otherwise(old), is_insert, has_image=True)))
    visited = changes.select(
        F.struct("commit_lsn", "ordinal").alias("position"), "op", "after", F.explode(visits).alias("visit")
    ).select("position", "op", "after", "visit.*")
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


def typed(lives: DataFrame, table: LakeTable, target: StructType, arrow: pa.Schema) -> DataFrame:
    """Folded lives with their values in the types of the lake table, whose Spark and Arrow schemas are given."""
    fields = {field.name: field for field in target}
    schema = StructType(
        [
            StructField("origin", StructType([fields[name] for name in table.key])),
            lives.schema["is_new"],
            lives.schema["deleted"],
            StructField("values", StructType([fields[column.name] for column in table.columns])),
            lives.schema["sent"],
        ]
    )
    columns = {column.name: column for column in table.columns}

    def convert_struct(batch: pa.RecordBatch, struct: str, names: Sequence[str]) -> pa.StructArray:
        texts = dict(zip(names, batch[struct].flatten(), strict=True))
        key = [texts[name] for name in table.key]
        arrays = [table.convert(columns[name], texts[name], arrow.field(name).type, key) for name in names]
        return pa.StructArray.from_arrays(arrays, names)

    def convert(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_arrays(
                [
                    convert_struct(batch, "origin", table.key),
                    batch["is_new"],
                    batch["deleted"],
                    convert_struct(batch, "values", list(columns)),
                    batch["sent"],
                ],
                schema.names,
            )

    return lives.mapInArrow(convert, schema)


@dataclass(frozen=True)
class Merged:
    """How many rows a merge changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


def merge(lives: DataFrame, branch: str, table: LakeTable) -> Merged:
    """Apply typed lives to a branch of the current table."""
    lives = lives.persist()
    try:
        bounded = [name for name in table.key if isinstance(lives.schema["origin"].dataType[name].dataType, _BOUNDED)]
        survives, is_new = ~F.col("deleted"), F.col("is_new")
        totals = lives.agg(
            F.count_if(survives & is_new).alias("inserted"),
            F.count_if(survives & ~is_new).alias("updated"),
            F.count_if(F.col("deleted") & ~is_new).alias("deleted"),
            *[F.min(F.col("origin")[name]).alias(f"low{i}") for i, name in enumerate(bounded)],
            *[F.max(F.col("origin")[name]).alias(f"high{i}") for i, name in enumerate(bounded)],
        ).first()
        bounds = {name: totals[name] for name in totals.asDict() if name.startswith(("low", "high"))}
        lives.createOrReplaceTempView(view := f"lives_{uuid.uuid4().hex}")
        lives.sparkSession.sql(_merge_statement(branch, view, table, bounded), bounds)
        lives.sparkSession.catalog.dropTempView(view)
        return Merged(totals["inserted"], totals["updated"], totals["deleted"])
    finally:
        lives.unpersist()


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
