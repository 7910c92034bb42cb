"""Rows of the change log from the source's tables themselves: those of a range of the watermark, or all that differ.

A row that was read is an update with all its columns: it is inserted where there is none. One that says of itself that
it is deleted, or that is gone, is a delete by its key.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from trackman.contract import TableName
from trackman.current import quote, typed
from trackman.data_files import DataFile, DataFileWriter, Layout, write_rows
from trackman.iceberg import IcebergTable
from trackman.lake_table import LakeColumn, LakeTable
from trackman.pii import hash_texts
from trackman.postgres import Server, identifier, literal
from trackman.quality import CellRule
from trackman.snapshot import read_in_snapshot, text_expression
from trackman.source_tables import SourceTable

_TEXTS = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True)
class Stamp:
    """What all rows of a reading have in common in the change log."""

    source: str
    table: TableName
    history: int
    position: int
    clock: datetime
    run_id: str

    def values(self) -> dict[str, object]:
        """Of the change log's columns, those that are the same in all rows."""
        return {
            "source": self.source,
            "schema_name": self.table.schema,
            "table_name": self.table.table,
            "history": self.history,
            "commit_lsn": self.position,
            "xid": self.position,
            "committed_at": self.clock.astimezone(UTC).replace(tzinfo=None),
            "run_id": self.run_id,
        }


@dataclass(frozen=True)
class Reading:
    """How a table's rows are read as text, in one snapshot of the source. It can be sent to Spark's workers."""

    server: Server
    snapshot: str
    table: LakeTable
    select: str
    pepper: bytes | None = field(repr=False)

    @classmethod
    def of(
        cls,
        server: Server,
        snapshot: str,
        source_table: SourceTable,
        table: LakeTable,
        alive: str,
        pepper: bytes | None,
    ) -> "Reading":
        """`table` is what the contract keeps of the source's; `alive` SQL of whether a row is not deleted."""
        outputs = {column.name: column.output for column in source_table.columns}
        texts = [text_expression(column.name, outputs[column.name]) for column in table.columns]
        return cls(server, snapshot, table, ", ".join([f"not ({alive})", *texts]), pepper)

    def rows(self, query: str) -> Iterator[tuple[pa.BooleanArray, dict[str, pa.StringArray]]]:
        """Which rows are deleted, and the rows' columns as text, personal data hashed."""
        for batch in read_in_snapshot(self.server, self.snapshot, query):
            deleted, *texts = batch.columns
            columns = {}
            for column, values in zip(self.table.columns, texts, strict=True):
                columns[column.name] = hash_texts(values, self.pepper) if column.hashed else values
            yield deleted, columns


def range_query(reading: Reading, watermark: str, after: datetime, until: datetime) -> str:
    """The rows that are stamped in (after, until]."""
    column = identifier(watermark)
    low, high = (f"{literal(time.astimezone(UTC).isoformat())}::timestamptz" for time in (after, until))
    source = identifier(*reading.table.name)
    return f"select {reading.select} from {source} where {column} > {low} and {column} <= {high}"


def log_range(reading: Reading, query: str, stamp: Stamp, layout: Layout) -> list[DataFile]:
    """Write what a query reads as files of the change log."""
    ordinal = 0
    with DataFileWriter(layout) as writer:
        for deleted, columns in reading.rows(query):
            if len(deleted):
                writer.write(change_rows(deleted, columns, reading.table.key, stamp, ordinal, layout.schema))
                ordinal += len(deleted)
        return writer.close()


def change_rows(
    deleted: pa.BooleanArray,
    columns: Mapping[str, pa.StringArray],
    key: Sequence[str],
    stamp: Stamp,
    ordinal: int,
    schema: pa.Schema,
) -> pa.Table:
    """Rows of the change log, whose schema is given, numbered from `ordinal` on."""
    rows = len(deleted)
    is_deleted = deleted.to_numpy(zero_copy_only=False)
    common = {name: pa.scalar(value, schema.field(name).type) for name, value in stamp.values().items()}
    values = {
        **{name: pa.repeat(value, rows) for name, value in common.items()},
        "op": pa.array(np.where(is_deleted, "D", "U"), pa.string()),
        "ordinal": pa.array(np.arange(ordinal, ordinal + rows)),
        "before": text_maps({name: columns[name] for name in key}, is_deleted),
        "after": text_maps(columns, ~is_deleted),
    }
    return pa.table([values[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def text_maps(columns: Mapping[str, pa.StringArray], present: np.ndarray) -> pa.MapArray:
    """For each row, the columns' names → their texts; null where the row is not present."""
    rows = np.flatnonzero(present)
    names = pa.array(list(columns), pa.string())
    length = len(present)
    # Row by row, from columns one behind the other.
    places = (np.arange(len(columns))[None, :] * length + rows[:, None]).ravel()
    texts = pa.concat_arrays([values.cast(pa.string()) for values in columns.values()]).take(pa.array(places))
    keys = names.take(pa.array(np.tile(np.arange(len(columns)), len(rows))))
    offsets = np.concatenate([[0], np.cumsum(np.where(present, len(columns), 0))]).astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(offsets, mask=np.append(~present, False)), keys, texts)


def log_differences(
    spark: SparkSession,
    reading: Reading,
    queries: Sequence[str],
    current: IcebergTable,
    stamp: Stamp,
    layout: Layout,
    reject_limit: int,
    rules: Sequence[CellRule],
) -> list[DataFile]:
    """Write what makes the lake's current table the same as the source as files of the change log.

    `queries` read all of the source's rows that are not deleted, range by range. Values that `rules` set aside are null
    in the lake: to it they are no difference.
    """
    table = reading.table

    def read(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                for deleted, columns in reading.rows(queries[number]):
                    present = np.ones(len(deleted), bool)
                    yield pa.RecordBatch.from_arrays([text_maps(columns, present)], ["after"])

    names = [column.name for column in table.columns]
    texts = spark.range(0, len(queries), 1, len(queries)).mapInArrow(read, "after map<string, string>")
    as_lives = texts.select(
        F.struct(*[F.col("after")[name].alias(name) for name in table.key]).alias("origin"),
        F.lit(False).alias("is_new"),
        F.lit(False).alias("deleted"),
        F.struct(*[F.col("after")[name].alias(name) for name in names]).alias("values"),
        F.struct(*[F.lit(True).alias(name) for name in names]).alias("sent"),
        "after",
    )
    lake = spark.table(current.spark_name)
    here = typed(as_lives, table, lake.schema, current.layout.schema, reject_limit, rules, keep=("after",))
    there = lake.select(_struct(table.key).alias("key"), _struct(names).alias("row"))
    both = here.join(there, F.col("origin") == F.col("key"), "full")
    differing = both.where(~F.col("values").eqNullSafe(F.col("row")))
    is_gone = F.col("origin").isNull()
    rows = differing.select(
        *[F.lit(value).alias(name) for name, value in stamp.values().items() if name != "committed_at"],
        F.lit(str(stamp.values()["committed_at"])).cast("timestamp_ntz").alias("committed_at"),
        F.when(is_gone, "D").otherwise("U").alias("op"),
        F.monotonically_increasing_id().alias("ordinal"),
        F.when(is_gone, _key_texts(table)).alias("before"),
        "after",
    )
    return write_rows(rows, layout)


def _struct(names: Sequence[str]) -> Column:
    return F.struct(*map(quote, names))


def _key_texts(table: LakeTable) -> Column:
    """The lake's key as the source writes it."""
    return F.create_map(*[part for name in table.key for part in (F.lit(name), _key_text(table.column(name)))])


def _key_text(column: LakeColumn) -> Column:
    value = F.col("key")[column.name]
    if column.hashed:
        return value
    if column.type.name == "bool":
        return F.when(value, "t").otherwise("f")
    text = value.cast("string")
    return F.concat(text, F.lit("+00")) if column.type.name == "timestamptz" else text
