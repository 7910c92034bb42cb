"""The stage serve of the job publish: changed rows of the lake's current tables into dataengineering-db.

What changed is in the change log between two positions: the one that dataengineering-db holds and the one that the
lake's table holds. Rows go into staging tables by parallel tasks, then into the application's tables by one transaction
that also moves the bookmarks: the application always sees one moment of the source.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import pg8000.native
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from trackman.bookmark import EPOCH, FRONTIER, Bookmark, bookmark_property
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.column_types import postgres_type_of
from trackman.contract import Contract
from trackman.current import convert_struct, quote
from trackman.errors import RivalRunError
from trackman.iceberg import CATALOG, IcebergCatalog
from trackman.lake_table import DEFINITION, LakeColumn, LakeTable
from trackman.lsn import format_lsn, parse_lsn
from trackman.pending import NOTHING, Span, new_key, old_key, read_log, summarize
from trackman.postgres import Server, identifier, literal

_APP, _STAGING = "app", "staging"
_BOOKMARKS = identifier("trackman", "bookmark")
# A column of staging tables: the line is a row of the lake, or else only the key of a row that may be gone.
_IS_ROW = "trackman_is_row"


@dataclass(frozen=True)
class ServedTable:
    """A current table of the lake as one commit left it."""

    name: str
    """In the lake and in schema app."""
    definition: LakeTable
    spark_name: str
    snapshot_id: int
    schema: pa.Schema
    history: int
    position: int
    epoch: int
    frontier: str

    @property
    def bookmark_key(self) -> tuple[str, str]:
        """Names the table's bookmark."""
        return self.definition.source, self.name

    @property
    def target(self) -> str:
        return identifier(_APP, self.name)

    @property
    def staging(self) -> str:
        return identifier(_STAGING, self.name)


@dataclass(frozen=True)
class Held:
    """What dataengineering-db says that it holds of a table."""

    position: int
    epoch: int


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


def served_tables(catalog: IcebergCatalog, contracts: Sequence[Contract], lake_database: str) -> list[ServedTable]:
    """The current tables that the contracts serve, but for those whose copy was not caught up with yet."""
    by_source = {contract.source: contract for contract in contracts}
    served = []
    for iceberg in catalog.tables(lake_database):
        properties = iceberg.properties
        if DEFINITION not in properties or FRONTIER not in properties:
            continue
        definition = LakeTable.from_json(properties[DEFINITION])
        contract = by_source.get(definition.source)
        bookmark = Bookmark.from_json(properties[bookmark_property(definition.source)])
        if contract is None or not contract.serves(definition.name) or bookmark.snapshot:
            continue
        served.append(
            ServedTable(
                iceberg.name.removeprefix(f"{lake_database}."),
                definition,
                iceberg.spark_name,
                iceberg.snapshot_id,
                iceberg.layout.schema,
                bookmark.history,
                bookmark.position,
                int(properties[EPOCH]),
                properties[FRONTIER],
            )
        )
    return served


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
        behind = [table for table in tables if held.get(table.bookmark_key) != Held(table.position, table.epoch)]
        loads = list(_plan(spark, spark.table(f"{CATALOG}.{raw_database}.{CHANGE_LOG}"), behind, held))
        for load in loads:
            _stage(connection, server, load)
        checkpoint("staged")
        connection.run("begin")
        reports = [_apply(connection, load) for load in loads]
        checkpoint("applied")
        connection.run("commit")
        checkpoint("committed")
        for load in loads:
            connection.run(f"drop table if exists {load.table.staging}")
        return reports


def _lock(connection: pg8000.native.Connection) -> None:
    """Courtesy to a rival run, which would load the same staging tables. What holds are the bookmarks."""
    [[locked]] = connection.run("select pg_try_advisory_lock(hashtextextended('trackman publish', 0))")
    if not locked:
        raise RivalRunError("dataengineering-db: another run of publish is at work")


def _read_bookmarks(connection: pg8000.native.Connection) -> dict[tuple[str, str], Held]:
    rows = connection.run(f"select source, table_name, position::text, epoch from {_BOOKMARKS}")
    return {(source, table): Held(parse_lsn(position), epoch) for source, table, position, epoch in rows}


def _plan(
    spark: SparkSession, log: DataFrame, tables: Sequence[ServedTable], held: Mapping[tuple[str, str], Held]
) -> Iterator[Load]:
    """What each table lacks."""
    for source in sorted({table.definition.source for table in tables}):
        of_source = [table for table in tables if table.definition.source == source]
        changes = read_log(log, source)
        spans = {
            table.name: Span(
                table.definition.name,
                Bookmark(held[table.bookmark_key].position, history=table.history),
                table.position,
            )
            for table in of_source
            if _continues(held.get(table.bookmark_key), table)
        }
        summaries = summarize(changes, list(spans.values()))
        for table in of_source:
            summary = summaries.get(table.definition.name, NOTHING)
            is_whole = table.name not in spans or summary.truncated_at is not None
            rows = None
            if is_whole:
                rows = _lake_rows(spark, table).withColumn(_IS_ROW, F.lit(True))
            elif summary.changes:
                rows = _changed_rows(spark, table, spans[table.name].of(changes))
            yield Load(table, held.get(table.bookmark_key), is_whole, rows)


def _continues(held: Held | None, table: ServedTable) -> bool:
    """Whether the change log leads from what is held to the table. It does not across a new copy of the table."""
    return held is not None and held.epoch == table.epoch and held.position <= table.position


def _lake_rows(spark: SparkSession, table: ServedTable) -> DataFrame:
    """The table's rows at its position; a column that is younger than the snapshot is null in all of them."""
    rows = spark.read.option("snapshot-id", table.snapshot_id).table(table.spark_name)
    present = spark.table(table.spark_name).schema
    younger = {field.name: F.lit(None).cast(field.dataType) for field in present if field.name not in rows.columns}
    return rows.withColumns(younger).select(*map(quote, table.schema.names))


def _changed_rows(spark: SparkSession, table: ServedTable, changes: DataFrame) -> DataFrame:
    """The rows that changed, and behind them the keys of all rows that did or are gone."""
    definition, arrow = table.definition, table.schema
    rows = _lake_rows(spark, table)
    key_type = StructType([rows.schema[name] for name in definition.key])

    def convert(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_arrays([convert_struct(batch["key"], definition, arrow)], ["key"])

    keys = (
        changes.select(F.explode(F.array(old_key(definition.key), new_key(definition.key))).alias("key"))
        .distinct()
        .mapInArrow(convert, StructType([StructField("key", key_type)]))
        .select("key.*")
    )
    changed = rows.join(F.broadcast(keys), list(definition.key), "left_semi").withColumn(_IS_ROW, F.lit(True))
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
                cursor.adbc_ingest(name, reader, mode="append", db_schema_name=_STAGING)
                destination.commit()
        yield from ()

    load.rows.mapInArrow(copy, StructType([])).collect()


def _apply(connection: pg8000.native.Connection, load: Load) -> ServingReport:
    """Bring the application's table and its bookmark to the load's, as part of a transaction."""
    table, deleted, upserted = load.table, 0, 0
    _follow_definition(connection, load)
    if load.rows is not None:
        connection.run(_delete_statement(load))
        deleted = connection.row_count
        connection.run(_upsert_statement(table))
        upserted = connection.row_count
    _move_bookmark(connection, load)
    return ServingReport(table.name, load.is_whole, upserted, deleted, table.frontier)


def _follow_definition(connection: pg8000.native.Connection, load: Load) -> None:
    """Create the application's table, or bring its columns and key to the lake's. The loader's tables may be read by
    the application's role by default (see the job migrate)."""
    table, definition = load.table, load.table.definition
    present = dict(connection.run(_PRESENT_COLUMNS, schema=_APP, name=table.name))
    missing = [column for column in definition.columns if column.name not in present]
    if not present:
        columns = ", ".join(map(_column_definition, definition.columns))
        connection.run(f"create table {table.target} ({columns}, {_primary_key(definition)})")
        if definition.comment:
            connection.run(f"comment on table {table.target} is {literal(definition.comment)}")
    else:
        changed = [
            each for each in definition.columns if present.get(each.name, each.serving_type) != each.serving_type
        ]
        changes = [f"add column {_column_definition(column)}" for column in missing]
        if load.is_whole:
            changes += _redefine(connection, table, changed, present)
        else:
            changes += [f"alter column {identifier(each.name)} type {each.serving_type}" for each in changed]
        if changes:
            connection.run(f"alter table {table.target} {', '.join(changes)}")
    for column in missing:
        if column.comment:
            name = identifier(_APP, table.name, column.name)
            connection.run(f"comment on column {name} is {literal(column.comment)}")


# Of a table: its columns and their types.
_PRESENT_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = :schema and c.relname = :name and a.attnum > 0 and not a.attisdropped
"""
_PRESENT_KEY = """
select k.conname, array(select a.attname from unnest(k.conkey) with ordinality as c (number, place)
                        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.number order by c.place)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'p' and n.nspname = :schema and c.relname = :name
"""


def _redefine(
    connection: pg8000.native.Connection, table: ServedTable, changed: Sequence[LakeColumn], present: Collection[str]
) -> list[str]:
    """What makes another table of one all of whose rows are about to come: it is emptied, unless it is as it has to be.

    Columns that the lake's table has no more stay, without the values that they had.
    """
    definition = table.definition
    [[constraint, key]] = connection.run(_PRESENT_KEY, schema=_APP, name=table.name)
    gone = set(present) - {column.name for column in definition.columns}
    if not changed and not gone and tuple(key) == definition.key:
        return []
    connection.run(f"truncate {table.target}")
    changes = []
    if changed or tuple(key) != definition.key:
        changes = [f"drop constraint {identifier(constraint)}", f"add {_primary_key(definition)}"]
        changes += [f"alter column {identifier(name)} drop not null" for name in key if name not in definition.key]
    return changes + [
        f"alter column {identifier(each.name)} type {each.serving_type} using null::{each.serving_type}"
        for each in changed
    ]


def _primary_key(definition: LakeTable) -> str:
    return f"primary key ({', '.join(map(identifier, definition.key))})"


def _column_definition(column: LakeColumn) -> str:
    return f"{identifier(column.name)} {column.serving_type}"


def _delete_statement(load: Load) -> str:
    """Deletes what is no row of the lake any more, of all rows or of those that changed."""
    definition = load.table.definition

    def of_key(line: str) -> str:
        return " and ".join(
            f"t.{identifier(name)} = {line}.{identifier(name)}::{definition.column(name).serving_type}"
            for name in definition.key
        )

    is_gone = f"not exists (select from {load.table.staging} r where r.{_IS_ROW} and {of_key('r')})"
    if load.is_whole:
        return f"delete from {load.table.target} t where {is_gone}"
    staged = f"{load.table.staging} s where not s.{_IS_ROW} and {of_key('s')}"
    return f"delete from {load.table.target} t using {staged} and {is_gone}"


def _upsert_statement(table: ServedTable) -> str:
    definition = table.definition
    names = [identifier(column.name) for column in definition.columns]
    # A timestamp of the lake is in UTC, as is the session, by which a cast to timestamptz goes.
    values = [f"s.{identifier(column.name)}::{column.serving_type}" for column in definition.columns]
    others = [identifier(column.name) for column in definition.columns if column.name not in definition.key]
    assignments = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"insert into {table.target} ({', '.join(names)})"
        f" select {', '.join(values)} from {table.staging} s where s.{_IS_ROW}"
        f" on conflict ({', '.join(map(identifier, definition.key))})"
        f" do {f'update set {assignments}' if others else 'nothing'}"
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
