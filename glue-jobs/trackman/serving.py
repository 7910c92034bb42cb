"""The stage serve of the job publish: changed rows of the lake's tables into dataengineering-db.

What changed of a current table is in the change log between two positions: the one that dataengineering-db holds and
the one that the lake's table holds. The position of a mart or a feed is its snapshot. What changed of a mart is what
two of them differ by, for it is small beside what it was made from; of a feed, what the files hold that were added
between them. Rows go into staging tables by parallel tasks, then into the tables behind the application's views by one
transaction that also moves the bookmarks: the application always sees one moment of the source.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

import pg8000.native
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StructField, StructType

from trackman.bookmark import Bookmark
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.column_types import postgres_type_of
from trackman.current import quote
from trackman.data_files import read_batches
from trackman.errors import RivalRunError
from trackman.file_merging import last_rows
from trackman.iceberg import CATALOG, AddedFile
from trackman.lsn import format_lsn, parse_lsn
from trackman.pending import NOTHING, Span, read_log, summarize
from trackman.postgres import Server, identifier
from trackman.served import STAGING, ServedTable
from trackman.serving_layout import follow_definition, follow_indexes
from trackman.versions import TableVersion

LOCK_TIMEOUT = "30s"
"""For how long a change of a table's definition waits for its readers: those that come meanwhile wait behind it."""
_BOOKMARKS = identifier("trackman", "bookmark")
# A column of staging tables: the line is a row of the lake, or else only the key of a row that may be gone.
_IS_ROW = "trackman_is_row"
# Of a file's rows: when they came into the table.
_SEQUENCE = "trackman_sequence"


@dataclass(frozen=True)
class Held:
    """What dataengineering-db says that it holds of a table."""

    position: int
    epoch: int
    frontier: str


@dataclass(frozen=True)
class Load:
    """What dataengineering-db lacks of a table."""

    table: ServedTable
    held: Held | None
    is_whole: bool
    """The rows are all that the table has; others go."""
    rows: DataFrame | None
    """None when nothing changed and only the bookmark moves."""


@dataclass(frozen=True)
class ServingReport:
    """What a run did to a table of dataengineering-db."""

    table: str
    reloaded: bool
    upserted: int
    deleted: int
    frontier: str
    problem: str | None = None
    """What of the contract could not be followed, while the rows were."""


def serve(
    spark: SparkSession,
    tables: Sequence[ServedTable],
    raw_database: str,
    server: Server,
    checkpoint: Checkpoint = no_checkpoint,
) -> list[ServingReport]:
    """Bring dataengineering-db to the tables' positions, in one transaction. `checkpoint` is called after each step."""
    with closing(server.connect()) as connection:
        _lock(connection)
        held = _read_bookmarks(connection)
        behind = [
            table
            for table in tables
            if held.get(table.bookmark_key) != Held(table.position, table.epoch, table.frontier)
        ]
        loads = list(_plan(spark, spark.table(f"{CATALOG}.{raw_database}.{CHANGE_LOG}"), behind, held))
        for load in loads:
            _stage(connection, server, load)
        checkpoint("staged")
        connection.run("begin")
        connection.run(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
        reports = [_apply(connection, load) for load in loads]
        # Last, for who reads a table waits from when an index of it is dropped.
        problems = [follow_indexes(connection, load.table) for load in loads]
        checkpoint("applied")
        connection.run("commit")
        checkpoint("committed")
        for load in loads:
            connection.run(f"drop table if exists {load.table.staging}")
        return [replace(report, problem="; ".join(of) or None) for report, of in zip(reports, problems, strict=True)]


def _lock(connection: pg8000.native.Connection) -> None:
    """Courtesy to a rival run, which would load the same staging tables. What holds are the bookmarks."""
    [[locked]] = connection.run("select pg_try_advisory_lock(hashtextextended('trackman publish', 0))")
    if not locked:
        raise RivalRunError("dataengineering-db: another run of publish is at work")


def _read_bookmarks(connection: pg8000.native.Connection) -> dict[tuple[str, str], Held]:
    rows = connection.run(
        "select source, table_name, position::text, epoch,"
        f""" to_char(frontier at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from {_BOOKMARKS}"""
    )
    return {(source, table): Held(parse_lsn(position), *rest) for source, table, position, *rest in rows}


def _plan(
    spark: SparkSession, log: DataFrame, tables: Sequence[ServedTable], held: Mapping[tuple[str, str], Held]
) -> Iterator[Load]:
    """What each table lacks."""
    logged = [table for table in tables if table.version]
    for source in sorted({table.source for table in logged}):
        of_source = [table for table in logged if table.source == source]
        changes = read_log(log, source)
        spans = {
            table.name: Span(
                table.version.definition.name,
                Bookmark(held[table.bookmark_key].position, history=table.version.history),
                table.position,
            )
            for table in of_source
            if _continues(held.get(table.bookmark_key), table)
        }
        summaries = summarize(changes, list(spans.values()))
        for table in of_source:
            summary = summaries.get(table.version.definition.name, NOTHING)
            is_whole = table.name not in spans or summary.truncated_at is not None
            rows = None
            if is_whole:
                rows = _all_rows(spark, table)
            elif summary.changes:
                rows = _changed_rows(spark, table.version, spans[table.name].of(changes))
            yield Load(table, held.get(table.bookmark_key), is_whole, rows)
    for table in tables:
        if table.version is None:
            plan = _plan_feed if table.is_feed else _plan_mart
            yield plan(spark, table, held.get(table.bookmark_key))


def _continues(held: Held | None, table: ServedTable) -> bool:
    """Whether the change log leads from what is held to the table. It does not across a new copy of the table, nor from
    what is older than the log, such as a database that was restored."""
    return (
        held is not None and held.epoch == table.epoch and table.version.log_begins <= held.position <= table.position
    )


def _plan_mart(spark: SparkSession, mart: ServedTable, held: Held | None) -> Load:
    if held is None or held.epoch != mart.epoch or not mart.iceberg.has_snapshot(held.position):
        return Load(mart, held, is_whole=True, rows=_all_rows(spark, mart))
    if held.position == mart.position:
        return Load(mart, held, is_whole=False, rows=None)
    before, after = (_rows(spark, mart, snapshot_id) for snapshot_id in (held.position, mart.snapshot_id))
    key = list(map(quote, mart.key))
    changed = after.exceptAll(before).withColumn(_IS_ROW, F.lit(True))
    gone = before.select(key).join(after.select(key), list(mart.key), "left_anti").withColumn(_IS_ROW, F.lit(False))
    return Load(mart, held, is_whole=False, rows=changed.unionByName(gone, allowMissingColumns=True))


def _plan_feed(spark: SparkSession, feed: ServedTable, held: Held | None) -> Load:
    files = feed.iceberg.files_added_since(held.position) if held and held.epoch == feed.epoch else None
    if files is None:
        # Of a feed that got its key late, older rows may share one.
        rows = spark.read.option("snapshot-id", feed.snapshot_id).table(feed.iceberg.spark_name)
        whole = last_rows(rows, feed.key).select(*map(quote, feed.schema.names)).withColumn(_IS_ROW, F.lit(True))
        return Load(feed, held, is_whole=True, rows=whole)
    return Load(feed, held, is_whole=False, rows=_added_rows(spark, feed, files) if files else None)


def _added_rows(spark: SparkSession, feed: ServedTable, files: Sequence[AddedFile]) -> DataFrame:
    """Of each key in the files, the row that came last, which is the table's: no commit writes two of a key."""
    schema = feed.schema
    fields = spark.table(feed.iceberg.spark_name).schema
    read_schema = StructType([*(fields[name] for name in schema.names), StructField(_SEQUENCE, LongType())])

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for file in (file for batch in batches for file in batch.to_pylist()):
            for rows in read_batches(file["location"]):
                present = set(rows.schema.names)  # without columns that are younger than the file
                columns = {
                    field.name: rows[field.name].cast(field.type) if field.name in present
                    else pa.nulls(rows.num_rows, field.type)
                    for field in schema
                }  # fmt: skip
                columns[_SEQUENCE] = pa.repeat(pa.scalar(file["sequence"], pa.int64()), rows.num_rows)
                yield pa.RecordBatch.from_pydict(columns)

    locations = spark.createDataFrame(
        spark.sparkContext.parallelize([tuple(file) for file in files], len(files)), "location string, sequence long"
    )
    latest_first = Window.partitionBy(*map(quote, feed.key)).orderBy(F.desc(_SEQUENCE))
    rows = locations.mapInArrow(read, read_schema).withColumn("place", F.row_number().over(latest_first))
    return rows.where("place = 1").drop("place", _SEQUENCE).withColumn(_IS_ROW, F.lit(True))


def _rows(spark: SparkSession, table: ServedTable, snapshot_id: int) -> DataFrame:
    rows = spark.read.option("snapshot-id", snapshot_id).table(table.iceberg.spark_name)
    return rows.select(*map(quote, table.schema.names))


def _all_rows(spark: SparkSession, table: ServedTable) -> DataFrame:
    rows = table.version.rows(spark) if table.version else _rows(spark, table, table.snapshot_id)
    return rows.withColumn(_IS_ROW, F.lit(True))


def _changed_rows(spark: SparkSession, version: TableVersion, changes: DataFrame) -> DataFrame:
    """The rows that changed, and behind them the keys of all rows that did or are gone."""
    keys = version.changed_keys(spark, changes)
    key = list(version.definition.key)
    changed = version.rows(spark).join(F.broadcast(keys), key, "left_semi").withColumn(_IS_ROW, F.lit(True))
    return changed.unionByName(keys.withColumn(_IS_ROW, F.lit(False)), allowMissingColumns=True)


def _stage(connection: pg8000.native.Connection, server: Server, load: Load) -> None:
    """Copy a load's rows into a staging table, in parallel."""
    if load.rows is None:
        return
    table = load.table
    columns = [f"{identifier(field.name)} {postgres_type_of(field.type)}" for field in table.schema]
    connection.run(f"drop table if exists {table.staging}")
    connection.run(f"create unlogged table {table.staging} ({', '.join(columns)}, {_IS_ROW} boolean)")
    name = table.name

    def copy(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        first = next(batches, None)
        if first is not None:
            reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
            with server.connect_arrow() as destination, destination.cursor() as cursor:
                cursor.adbc_ingest(name, reader, mode="append", db_schema_name=STAGING)
                destination.commit()
        yield from ()

    load.rows.mapInArrow(copy, StructType([])).collect()


def _apply(connection: pg8000.native.Connection, load: Load) -> ServingReport:
    """Bring the application's table and its bookmark to the load's, as part of a transaction."""
    table, deleted, upserted = load.table, 0, 0
    gone = follow_definition(connection, table, load.is_whole)
    if load.rows is not None:
        connection.run(_delete_statement(load))
        deleted = connection.row_count
        connection.run(_upsert_statement(table, gone))
        upserted = connection.row_count
    _move_bookmark(connection, load)
    return ServingReport(table.name, load.is_whole, upserted, deleted, table.frontier)


def _delete_statement(load: Load) -> str:
    """Deletes what is no row of the lake any more, of all rows or of those that changed."""
    table = load.table

    def of_key(line: str) -> str:
        return " and ".join(
            f"t.{identifier(name)} = {line}.{identifier(name)}::{table.type_of(name)}" for name in table.key
        )

    is_gone = f"not exists (select from {table.staging} r where r.{_IS_ROW} and {of_key('r')})"
    if load.is_whole:
        return f"delete from {table.target} t where {is_gone}"
    staged = f"{table.staging} s where not s.{_IS_ROW} and {of_key('s')}"
    return f"delete from {table.target} t using {staged} and {is_gone}"


def _upsert_statement(table: ServedTable, gone: Sequence[str]) -> str:
    """`gone` columns are in the application's table alone: a row that comes has no value of them."""
    names = [identifier(column.name) for column in table.columns]
    # A timestamp of the lake is in UTC, as is the session, by which a cast to timestamptz goes.
    values = [f"s.{identifier(column.name)}::{column.type}" for column in table.columns]
    others = [identifier(column.name) for column in table.columns if column.name not in table.key]
    assignments = ", ".join(
        [*(f"{name} = excluded.{name}" for name in others), *(f"{identifier(name)} = null" for name in gone)]
    )
    return (
        f"insert into {table.target} ({', '.join(names)})"
        f" select {', '.join(values)} from {table.staging} s where s.{_IS_ROW}"
        f" on conflict ({', '.join(map(identifier, table.key))})"
        f" do {f'update set {assignments}' if assignments else 'nothing'}"
    )


def _move_bookmark(connection: pg8000.native.Connection, load: Load) -> None:
    table = load.table
    source, name = table.bookmark_key
    values = {
        "source": source,
        "name": name,
        "position": format_lsn(table.position),
        "epoch": table.epoch,
        "frontier": table.frontier,
    }
    if load.held is None:
        connection.run(
            f"insert into {_BOOKMARKS} (source, table_name, position, epoch, frontier)"
            " values (:source, :name, cast(:position as pg_lsn), :epoch, cast(:frontier as timestamptz))"
            " on conflict do nothing",
            **values,
        )
    else:
        connection.run(
            f"update {_BOOKMARKS} set position = cast(:position as pg_lsn), epoch = :epoch,"
            " frontier = cast(:frontier as timestamptz), updated_at = now()"
            " where source = :source and table_name = :name"
            " and position = cast(:held_position as pg_lsn) and epoch = :held_epoch",
            **values,
            held_position=format_lsn(load.held.position),
            held_epoch=load.held.epoch,
        )
    if connection.row_count != 1:
        raise RivalRunError(f"{table.target}: its bookmark is no longer where it was when this run began")
