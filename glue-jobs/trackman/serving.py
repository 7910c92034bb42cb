"""The stage serve of the job publish: changed rows of the lake's current tables and marts into dataengineering-db.

What changed of a current table is in the change log between two positions: the one that dataengineering-db holds and
the one that the lake's table holds. A mart's position is its snapshot, and what changed is what two of them differ by,
for it is small beside what it was made from. Rows
go into staging tables by parallel tasks, then into the application's tables by one transaction that also moves the
bookmarks: the application always sees one moment of the source.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import pg8000.native
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from trackman.bookmark import EPOCH, FRONTIER, Bookmark
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.column_types import postgres_type_of
from trackman.contract import Contract
from trackman.current import quote
from trackman.errors import RivalRunError
from trackman.iceberg import CATALOG, IcebergCatalog, IcebergTable
from trackman.lsn import format_lsn, parse_lsn
from trackman.marts import MADE_FROM, MadeFrom, Mart
from trackman.pending import NOTHING, Span, read_log, summarize
from trackman.postgres import Server, identifier, literal
from trackman.versions import TableVersion

_APP, _STAGING = "app", "staging"
_BOOKMARKS = identifier("trackman", "bookmark")
# A column of staging tables: the line is a row of the lake, or else only the key of a row that may be gone.
_IS_ROW = "trackman_is_row"


@dataclass(frozen=True)
class ServedColumn:
    name: str
    type: str
    """Postgres's."""
    comment: str | None


@dataclass(frozen=True)
class ServedTable:
    """A table of the lake, as one commit left it, and what dataengineering-db has of it."""

    name: str
    """In the lake and in schema app."""
    source: str
    comment: str | None
    key: tuple[str, ...]
    columns: tuple[ServedColumn, ...]
    iceberg: IcebergTable
    snapshot_id: int
    schema: pa.Schema
    position: int
    epoch: int
    frontier: str
    version: TableVersion | None
    """Of a current table; None of a mart."""

    @property
    def bookmark_key(self) -> tuple[str, str]:
        """Names the table's bookmark."""
        return self.source, self.name

    @property
    def target(self) -> str:
        return identifier(_APP, self.name)

    @property
    def staging(self) -> str:
        return identifier(_STAGING, self.name)

    def type_of(self, column: str) -> str:
        return next(each.type for each in self.columns if each.name == column)


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


def served_tables(versions: Sequence[TableVersion], contracts: Sequence[Contract]) -> list[ServedTable]:
    """The current tables that the contracts serve."""
    by_source = {contract.source: contract for contract in contracts}
    served = []
    for version in versions:
        definition = version.definition
        contract = by_source.get(definition.source)
        if contract is not None and contract.serves(definition.name):
            columns = (ServedColumn(each.name, each.serving_type, each.comment) for each in definition.columns)
            served.append(
                ServedTable(
                    version.name,
                    definition.source,
                    definition.comment,
                    definition.key,
                    tuple(columns),
                    version.iceberg,
                    version.snapshot_id,
                    version.schema,
                    version.position,
                    version.epoch,
                    version.frontier,
                    version,
                )
            )
    return served


def served_marts(
    catalog: IcebergCatalog, marts: Sequence[Mart], versions: Sequence[TableVersion], marts_database: str
) -> list[ServedTable]:
    """The marts that are there, but for those whose name a current table has."""
    taken = {version.name for version in versions}
    served = []
    for mart in marts:
        iceberg = None if mart.name in taken else catalog.find(marts_database, mart.name)
        # One whose definition changed and that could not be made anew stays as it was served.
        if iceberg is not None and MadeFrom.from_json(iceberg.properties[MADE_FROM]).definition == mart.hash:
            columns = (ServedColumn(each.name, each.serving_type, each.comment) for each in mart.columns)
            served.append(
                ServedTable(
                    mart.name,
                    marts_database,
                    mart.description,
                    mart.key,
                    tuple(columns),
                    iceberg,
                    iceberg.snapshot_id,
                    iceberg.layout.schema,
                    iceberg.snapshot_id,
                    int(iceberg.properties[EPOCH]),
                    iceberg.properties[FRONTIER],
                    None,
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
    for mart in tables:
        if mart.version is None:
            yield _plan_mart(spark, mart, held.get(mart.bookmark_key))


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
    table = load.table
    present = dict(connection.run(_PRESENT_COLUMNS, schema=_APP, name=table.name))
    missing = [column for column in table.columns if column.name not in present]
    if not present:
        columns = ", ".join(map(_column_definition, table.columns))
        connection.run(f"create table {table.target} ({columns}, {_primary_key(table)})")
        if table.comment:
            connection.run(f"comment on table {table.target} is {literal(table.comment)}")
    else:
        changed = [each for each in table.columns if present.get(each.name, each.type) != each.type]
        changes = [f"add column {_column_definition(column)}" for column in missing]
        if load.is_whole:
            changes += _redefine(connection, table, changed, present)
        else:
            changes += [f"alter column {identifier(each.name)} type {each.type}" for each in changed]
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
    connection: pg8000.native.Connection, table: ServedTable, changed: Sequence[ServedColumn], present: Collection[str]
) -> list[str]:
    """What makes another table of one all of whose rows are about to come: it is emptied, unless it is as it has to be.

    Columns that the lake's table has no more stay, without the values that they had.
    """
    [[constraint, key]] = connection.run(_PRESENT_KEY, schema=_APP, name=table.name)
    gone = set(present) - {column.name for column in table.columns}
    if not changed and not gone and tuple(key) == table.key:
        return []
    connection.run(f"truncate {table.target}")
    changes = []
    if changed or tuple(key) != table.key:
        changes = [f"drop constraint {identifier(constraint)}", f"add {_primary_key(table)}"]
        changes += [f"alter column {identifier(name)} drop not null" for name in key if name not in table.key]
    return changes + [
        f"alter column {identifier(each.name)} type {each.type} using null::{each.type}" for each in changed
    ]


def _primary_key(table: ServedTable) -> str:
    return f"primary key ({', '.join(map(identifier, table.key))})"


def _column_definition(column: ServedColumn) -> str:
    return f"{identifier(column.name)} {column.type}"


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


def _upsert_statement(table: ServedTable) -> str:
    names = [identifier(column.name) for column in table.columns]
    # A timestamp of the lake is in UTC, as is the session, by which a cast to timestamptz goes.
    values = [f"s.{identifier(column.name)}::{column.type}" for column in table.columns]
    others = [identifier(column.name) for column in table.columns if column.name not in table.key]
    assignments = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"insert into {table.target} ({', '.join(names)})"
        f" select {', '.join(values)} from {table.staging} s where s.{_IS_ROW}"
        f" on conflict ({', '.join(map(identifier, table.key))})"
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
