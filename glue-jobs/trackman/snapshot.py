"""The first copy of tables: in parallel ranges under one snapshot of the source, into files of the lake."""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import adbc_driver_manager
import numpy as np
import pg8000.native
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import SparkContext

from trackman.bookmark import Snapshot
from trackman.column_types import numeric_shape
from trackman.contract import TableName
from trackman.data_files import DataFile, DataFileWriter, Layout
from trackman.errors import TableError
from trackman.failures import reason_of
from trackman.lake_table import LakeColumn, LakeTable
from trackman.lsn import parse_lsn
from trackman.pii import hash_texts
from trackman.postgres import Server, identifier, literal
from trackman.quarantine import RejectedRow, check_rejects
from trackman.source_tables import SourceTable

_BLOCKS_PER_RANGE = 8192  # 64 MiB of 8 KiB blocks, at most
_BATCH_BYTES = 8 << 20

# Types whose values Arrow holds as they are. All others come as the text that logical decoding sends too; of some of
# them nearly all values could come as they are, in half the time, which is tried first.
_BINARY_TYPES = frozenset(["bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar"])
_TIMES = frozenset(["date", "timestamp", "timestamptz"])
_MOST_DIGITS = 18  # of a decimal whose digits an int8 holds
# The years 1 to 9999, since 1970.
_DAYS = [(day - date(1970, 1, 1)).days for day in (date.min, date.max)]
_MICROSECONDS = [_DAYS[0] * 86_400_000_000, (_DAYS[1] + 1) * 86_400_000_000 - 1]

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
def exported_snapshot(server: Server) -> Iterator[tuple[ExportedSnapshot, pg8000.native.Connection]]:
    """A snapshot of the source, for as long as the block runs, and a session that reads in it."""
    with closing(server.connect()) as connection:
        # It waits in its transaction while others read.
        connection.run("set idle_in_transaction_session_timeout = 0")
        connection.run("begin isolation level repeatable read, read only")
        [[name, visible]] = connection.run("select pg_export_snapshot(), pg_current_snapshot()::text")
        # Read after the snapshot was taken: what it sees was committed before.
        [[position]] = connection.run("select pg_current_wal_insert_lsn()::text")
        yield ExportedSnapshot(name, Snapshot(visible, parse_lsn(position))), connection


@dataclass(frozen=True)
class RangeCopy:
    """Some blocks of a table, to be copied by one task."""

    server: Server
    snapshot: str
    quick_query: str
    """In which more columns are binary; it fails, or gives times out of bounds, where one value cannot be."""
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
    at_once: int,
) -> list[RangeCopy]:
    """The ranges of a table, of all its partitions when it has some; `at_once` of them will be copied at a time."""
    outputs = {column.name: column.output for column in source_table.columns}
    select = ", ".join(_select_expression(column, outputs[column.name]) for column in table.columns)
    quick_select = ", ".join(
        _quick_expression(column)
        if _is_quick(column, table, layout)
        else _select_expression(column, outputs[column.name])
        for column in table.columns
    )
    copies = []
    for schema, name, blocks in connection.run(_LEAVES, oid=table.oid):
        for condition in _block_ranges(blocks, at_once):
            rows = f"from only {identifier(schema, name)} where {condition}"
            queries = (f"select {quick_select} {rows}", f"select {select} {rows}")
            copies.append(RangeCopy(server, snapshot.name, *queries, table, layout, pepper, reject_limit))
    return copies


def _is_quick(column: LakeColumn, table: LakeTable, layout: Layout) -> bool:
    """Whether most of a column's values can be binary. A key's are told as text where something is wrong with a row."""
    if column.hashed or column.type.is_array or column.name in table.key:
        return False
    target = layout.schema.field(column.name).type
    if column.type.name == "numeric":
        # The digits that its type in the source has, no value has more of.
        has_its_digits = numeric_shape(column.type.modifier) == (target.precision, target.scale)
        return has_its_digits and target.precision <= _MOST_DIGITS
    return column.type.name in _TIMES


def _quick_expression(column: LakeColumn) -> str:
    name = identifier(column.name)
    if column.type.name != "numeric":
        return name
    _, scale = numeric_shape(column.type.modifier)
    return f"({name} * {10**scale})::int8"


def _select_expression(column: LakeColumn, output: str) -> str:
    name = identifier(column.name)
    if column.hashed or column.type.is_array or column.type.name not in _BINARY_TYPES:
        return f"textin({output}({name}))"
    return name


def _block_ranges(blocks: int, at_once: int) -> Iterator[str]:
    """Conditions that cover a table. The last has no end: blocks are added while others are read."""
    ranges = max(math.ceil(blocks / _BLOCKS_PER_RANGE), 1)
    if ranges > 1:
        ranges = math.ceil(ranges / at_once) * at_once  # so that nobody is idle in the last round
    starts = [blocks * number // ranges for number in range(ranges)]
    for start, end in pairwise(starts):
        yield f"ctid >= '({start},0)' and ctid < '({end},0)'"
    yield f"ctid >= '({starts[-1]},0)'"


def copy_ranges(spark_context: SparkContext, copies: Sequence[RangeCopy]) -> list[CopiedRange]:
    """Copy them, as many at a time as there are cores."""
    if not copies:
        return []
    return spark_context.parallelize(copies, len(copies)).map(copy_range).collect()


def copy_range(copy: RangeCopy) -> CopiedRange:
    """Read a range in the snapshot and upload it as files."""
    try:
        return _copy_range(copy, copy.quick_query)
    except (adbc_driver_manager.Error, pa.ArrowException, OSError, _NotBinaryError) as error:
        # Where it is not for a value that cannot be binary, the same happens again.
        print(f"{copy.table.name}: read as text: {reason_of(error)}", flush=True)
        return _copy_range(copy, copy.query)


def _copy_range(copy: RangeCopy, query: str) -> CopiedRange:
    rejected: list[RejectedRow] = []
    with DataFileWriter(copy.layout) as writer:
        try:
            for batch in _read(copy, query):
                writer.write(_convert(copy, batch, rejected))
                check_rejects(copy.table.name, len(rejected), copy.reject_limit)
        except TableError as error:
            return CopiedRange(copy.table.name, [], [], str(error))
        return CopiedRange(copy.table.name, writer.close(), rejected, None)


def _read(copy: RangeCopy, query: str) -> Iterator[pa.RecordBatch]:
    with copy.server.connect_arrow() as connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute(f"set transaction snapshot {literal(copy.snapshot)}")
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        cursor.execute(query)
        yield from cursor.fetch_record_batch()


class _NotBinaryError(Exception):
    """A value cannot be read in binary form."""


def _from_binary(column: LakeColumn, values: pa.Array, target: pa.DataType) -> pa.Array:
    """Values of the lake's type out of those that a quick query gives."""
    if pa.types.is_decimal(target) and pa.types.is_int64(values.type):
        return _decimals(values, target)
    if not pa.types.is_temporal(values.type):
        return values
    values = values.cast(target)
    bounds = pc.min_max(values.cast(pa.int32() if pa.types.is_date(target) else pa.int64()))
    first, last = _DAYS if pa.types.is_date(target) else _MICROSECONDS
    if bounds["min"].is_valid and not first <= bounds["min"].as_py() <= bounds["max"].as_py() <= last:
        raise _NotBinaryError(f"{column.name} has a time out of the lake's bounds")
    return values


def _decimals(digits: pa.Int64Array, target: pa.Decimal128Type) -> pa.Decimal128Array:
    """Decimals of their digits: 128 bits each, of which the upper 64 repeat the sign."""
    validity, data = digits.buffers()
    low = np.frombuffer(data, np.int64, digits.offset + len(digits))
    halves = np.empty((len(low), 2), np.int64)
    halves[:, 0] = low
    np.right_shift(low, 63, out=halves[:, 1])
    buffers = [validity, pa.py_buffer(halves)]
    return pa.Array.from_buffers(target, len(digits), buffers, digits.null_count, digits.offset)


def _convert(copy: RangeCopy, batch: pa.RecordBatch, rejected: list[RejectedRow]) -> pa.Table:
    """The lake's types, personal data hashed. Rows with values that have no place there are added to `rejected`."""
    columns = dict(zip((column.name for column in copy.table.columns), batch.columns, strict=True))
    for column in copy.table.columns:
        name = column.name
        if column.hashed:
            columns[name] = hash_texts(columns[name], copy.pepper)
        else:
            columns[name] = _from_binary(column, columns[name], copy.layout.schema.field(name).type)
    converted, without_place = copy.table.convert_or_reject(columns, copy.layout.schema, copy.reject_limit)
    for row, values in without_place.items():
        key = {name: str(columns[name][row].as_py()) for name in copy.table.key}
        rejected.append(RejectedRow(key, tuple(values)))
    # Columns of the lake that the source no longer has.
    absent = {field.name: pa.nulls(batch.num_rows, field.type) for field in copy.layout.schema}
    return pa.table({**absent, **converted}, schema=copy.layout.schema)
