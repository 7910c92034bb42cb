"""The first copy of tables: in parallel ranges under one snapshot of the source, into files of the lake."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import pg8000.native
import pyarrow as pa
from pyspark import SparkContext

from trackman.bookmark import Snapshot
from trackman.contract import TableName
from trackman.data_files import DataFile, DataFileWriter, Layout
from trackman.errors import TableError
from trackman.lake_table import LakeColumn, LakeTable
from trackman.lsn import parse_lsn
from trackman.pii import hash_texts
from trackman.postgres import Server, identifier, literal
from trackman.quarantine import RejectedRow, check_rejects
from trackman.source_tables import SourceTable
from trackman.watermarks import to_microseconds

_BLOCKS_PER_RANGE = 8192  # 64 MiB of 8 KiB blocks
_BATCH_BYTES = 8 << 20

# Types whose values Arrow holds as they are. All others come as the text that logical decoding sends too.
_BINARY_TYPES = frozenset(["bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar"])

_LEAVES = """
select n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and (c.oid = :oid or c.oid in (select relid from pg_partition_tree(:oid)))
"""


@dataclass(frozen=True)
class ExportedSnapshot:
    """A snapshot that other sessions can read in while the one that exported it is open."""

    name: str
    seen: Snapshot


@contextmanager
def exported_snapshot(
    server: Server, clock_positions_from: int | None = None
) -> Iterator[tuple[ExportedSnapshot, pg8000.native.Connection]]:
    """A snapshot of the source, for as long as the block runs, and a session that reads in it.

    In watermark mode, where positions are times of the source's clock, they go on from the one that is given.
    """
    with closing(server.connect()) as connection:
        # It waits in its transaction while others read.
        connection.run("set idle_in_transaction_session_timeout = 0")
        if clock_positions_from is not None:
            # Read before the snapshot is taken: what was read before this moment, it sees.
            [[clock]] = connection.run("select clock_timestamp()")
            moment = max(to_microseconds(clock), clock_positions_from)
        connection.run("begin isolation level repeatable read, read only")
        [[name, visible]] = connection.run("select pg_export_snapshot(), pg_current_snapshot()::text")
        if clock_positions_from is not None:
            yield ExportedSnapshot(name, Snapshot(f"{moment}:{moment}:", moment)), connection
            return
        # Read after the snapshot was taken: what it sees was committed before.
        [[position]] = connection.run("select pg_current_wal_insert_lsn()::text")
        yield ExportedSnapshot(name, Snapshot(visible, parse_lsn(position))), connection


@dataclass(frozen=True)
class RangeCopy:
    """Some blocks of a table, to be copied by one task."""

    server: Server
    snapshot: str
    query: str
    table: LakeTable
    layout: Layout
    pepper: bytes | None = field(repr=False)
    reject_limit: int


class CopiedRange(NamedTuple):
    table: TableName
    files: list[DataFile]
    rejected: list[RejectedRow]
    error: str | None
    """What kept the table from being copied. Other tables' ranges go on."""


def plan_copy(
    connection: pg8000.native.Connection,
    server: Server,
    snapshot: ExportedSnapshot,
    source_table: SourceTable,
    table: LakeTable,
    layout: Layout,
    pepper: bytes | None,
    reject_limit: int,
    where: str = "true",
) -> list[RangeCopy]:
    """The ranges of a table, of all its partitions when it has some. `where` selects rows."""
    outputs = {column.name: column.output for column in source_table.columns}
    select = ", ".join(_select_expression(column, outputs[column.name]) for column in table.columns)
    queries = range_queries(connection, table.oid, select, where)
    return [RangeCopy(server, snapshot.name, query, table, layout, pepper, reject_limit) for query in queries]


def range_queries(connection: pg8000.native.Connection, oid: int, select: str, where: str) -> list[str]:
    """Queries that read a table, and all its partitions, range by range."""
    return [
        f"select {select} from only {identifier(schema, name)} where {condition} and {where}"
        for schema, name, blocks in connection.run(_LEAVES, oid=oid)
        for condition in _block_ranges(blocks)
    ]


def _select_expression(column: LakeColumn, output: str) -> str:
    name = identifier(column.name)
    if column.hashed or column.type.is_array or column.type.name not in _BINARY_TYPES:
        return text_expression(column.name, output)
    return name


def text_expression(column: str, output: str) -> str:
    """SQL of a column's value as text, as logical decoding sends it."""
    return f"textin({output}({identifier(column)}))"


def _block_ranges(blocks: int) -> Iterator[str]:
    """Conditions that cover a table. The last has no end: blocks are added while others are read."""
    starts = range(0, max(blocks, 1), _BLOCKS_PER_RANGE)
    for start in starts[:-1]:
        yield f"ctid >= '({start},0)' and ctid < '({start + _BLOCKS_PER_RANGE},0)'"
    yield f"ctid >= '({starts[-1]},0)'"


def copy_ranges(spark_context: SparkContext, copies: Sequence[RangeCopy]) -> list[CopiedRange]:
    """Copy them, as many at a time as there are cores."""
    if not copies:
        return []
    return spark_context.parallelize(copies, len(copies)).map(copy_range).collect()


def copy_range(copy: RangeCopy) -> CopiedRange:
    """Read a range in the snapshot and upload it as files."""
    rejected: list[RejectedRow] = []
    with DataFileWriter(copy.layout) as writer:
        try:
            for batch in read_in_snapshot(copy.server, copy.snapshot, copy.query):
                writer.write(_convert(copy, batch, rejected))
                check_rejects(copy.table.name, len(rejected), copy.reject_limit)
        except TableError as error:
            return CopiedRange(copy.table.name, [], [], str(error))
        return CopiedRange(copy.table.name, writer.close(), rejected, None)


def read_in_snapshot(server: Server, snapshot: str, query: str) -> Iterator[pa.RecordBatch]:
    """The rows of a query as an exported snapshot has them."""
    with server.connect_arrow() as connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute(f"set transaction snapshot {literal(snapshot)}")
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        cursor.execute(query)
        yield from cursor.fetch_record_batch()


def _convert(copy: RangeCopy, batch: pa.RecordBatch, rejected: list[RejectedRow]) -> pa.Table:
    """The lake's types, personal data hashed. Rows with values that have no place there are added to `rejected`."""
    columns = dict(zip((column.name for column in copy.table.columns), batch.columns, strict=True))
    for column in copy.table.columns:
        if column.hashed:
            columns[column.name] = hash_texts(columns[column.name], copy.pepper)
    converted, without_place = copy.table.convert_or_reject(columns, copy.layout.schema, copy.reject_limit)
    for row, values in without_place.items():
        key = {name: str(columns[name][row].as_py()) for name in copy.table.key}
        rejected.append(RejectedRow(key, tuple(values)))
    # Columns of the lake that the source no longer has.
    absent = {field.name: pa.nulls(batch.num_rows, field.type) for field in copy.layout.schema}
    return pa.table({**absent, **converted}, schema=copy.layout.schema)
