"""The first copy of tables: in parallel ranges under one snapshot of the source, into files of the lake."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from trackman.judging import convert_and_judge, describe_key
from trackman.lake_table import LakeColumn, LakeTable
from trackman.lsn import parse_lsn
from trackman.pii import hash_texts
from trackman.postgres import Server, identifier, literal
from trackman.quality import EXAMPLES, CellRule, Reference, Unreferenced
from trackman.quarantine import RejectedRow, check_rejects
from trackman.reports import added
from trackman.source_tables import SourceTable
from trackman.watermarks import to_microseconds

_BLOCKS_PER_RANGE = 8192  # 64 MiB of 8 KiB blocks, at most
_BATCH_BYTES = 8 << 20
# No more different values are told apart from those that a reference finds.
_MOST_MISSING = 100_000

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
    quick_query: str
    """In which more columns are binary; it fails, or gives times out of bounds, where one value cannot be."""
    query: str
    table: LakeTable
    layout: Layout
    pepper: bytes | None = field(repr=False)
    reject_limit: int
    rules: Sequence[CellRule]


class CopiedRange(NamedTuple):
    table: TableName
    files: list[DataFile]
    rejected: list[RejectedRow]
    error: str | None
    """What kept the table from being copied. Other tables' ranges go on."""
    violations: Mapping[str, int]
    """Rows that are against each rule, by its name."""
    examples: Mapping[str, Sequence[str]]
    """Some of them, by their keys, of the rules that stop the table."""


def plan_copy(
    connection: pg8000.native.Connection,
    server: Server,
    snapshot: ExportedSnapshot,
    source_table: SourceTable,
    table: LakeTable,
    layout: Layout,
    pepper: bytes | None,
    reject_limit: int,
    rules: Sequence[CellRule],
    at_once: int,
    where: str = "true",
) -> list[RangeCopy]:
    """The ranges of a table, of all its partitions when it has some; `at_once` of them will be copied at a time.
    `where` selects rows."""
    outputs = {column.name: column.output for column in source_table.columns}
    select = ", ".join(_select_expression(column, outputs[column.name]) for column in table.columns)
    judged = {rule.column for rule in rules}
    quick_select = ", ".join(
        _quick_expression(column)
        if _is_quick(column, table, layout, judged)
        else _select_expression(column, outputs[column.name])
        for column in table.columns
    )
    copies = []
    for rows in rows_by_range(connection, table.oid, at_once, where):
        queries = (f"select {quick_select} {rows}", f"select {select} {rows}")
        copies.append(RangeCopy(server, snapshot.name, *queries, table, layout, pepper, reject_limit, rules))
    return copies


def rows_by_range(connection: pg8000.native.Connection, oid: int, at_once: int, where: str) -> list[str]:
    """A table and all its partitions, range by range: what follows on `select …`."""
    return [
        f"from only {identifier(schema, name)} where {condition} and {where}"
        for schema, name, blocks in connection.run(_LEAVES, oid=oid)
        for condition in _block_ranges(blocks, at_once)
    ]


def _is_quick(column: LakeColumn, table: LakeTable, layout: Layout, judged: Collection[str]) -> bool:
    """Whether most of a column's values can be binary. What a row's reader may be told is text: its key, and values of
    columns that are judged."""
    if column.hashed or column.type.is_array or column.name in table.key or column.name in judged:
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


def find_unreferenced(
    server: Server,
    snapshot: ExportedSnapshot,
    source_table: SourceTable,
    table: LakeTable,
    layout: Layout,
    pepper: bytes | None,
    rule: Reference,
) -> Unreferenced:
    """What the table that a reference points to lacks, both as the snapshot has them. Raises TableError when the source
    cannot compare the two."""
    column = table.column(rule.column)
    [output] = [each.output for each in source_table.columns if each.name == rule.column]
    query = f"""
        select distinct {_select_expression(column, output)}
        from (select {identifier(rule.column)} from {identifier(*table.name)} c where not exists
          (select from {identifier(*rule.table)} p where p.{identifier(rule.to)} = c.{identifier(rule.column)})) c
        where {identifier(rule.column)} is not null limit {_MOST_MISSING}"""
    try:
        found = [batch.column(0) for batch in read_in_snapshot(server, snapshot.name, query)]
    except adbc_driver_manager.Error as error:
        told = str(error).splitlines()[0]
        raise TableError(f"{table.name}: the contract's {rule.name} expects {rule.expected}: {told}") from error
    values = pa.concat_arrays(found) if found else pa.array([], pa.string())
    if column.hashed:
        values = hash_texts(values, pepper)
    converted, _ = table.convert_or_reject({rule.column: values}, layout.schema, len(values))
    return Unreferenced(rule, pc.drop_null(converted[rule.column]))


def _select_expression(column: LakeColumn, output: str) -> str:
    name = identifier(column.name)
    if column.hashed or column.type.is_array or column.type.name not in _BINARY_TYPES:
        return text_expression(column.name, output)
    return name


def text_expression(column: str, output: str) -> str:
    """SQL of a column's value as text, as logical decoding sends it."""
    return f"textin({output}({identifier(column)}))"


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
        if copy.quick_query == copy.query:
            raise
        # Where it is not for a value that cannot be binary, the same happens again.
        print(f"{copy.table.name}: read as text: {reason_of(error)}", flush=True)
        return _copy_range(copy, copy.query)


def _copy_range(copy: RangeCopy, query: str) -> CopiedRange:
    found = _Found()
    with DataFileWriter(copy.layout) as writer:
        try:
            for batch in read_in_snapshot(copy.server, copy.snapshot, query):
                writer.write(_convert(copy, batch, found))
                by_rules = {
                    rule.name: found.violations[rule.name] for rule in copy.rules if rule.action == "quarantine"
                }
                check_rejects(copy.table.name, len(found.rejected), copy.reject_limit, by_rules)
        except TableError as error:
            return CopiedRange(copy.table.name, [], [], str(error), {}, {})
        return CopiedRange(copy.table.name, writer.close(), found.rejected, None, found.violations, found.examples)


def read_in_snapshot(server: Server, snapshot: str, query: str) -> Iterator[pa.RecordBatch]:
    """The rows of a query as an exported snapshot has them."""
    with server.connect_arrow() as connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute(f"set transaction snapshot {literal(snapshot)}")
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


@dataclass
class _Found:
    """What a range's rows are told of."""

    rejected: list[RejectedRow] = field(default_factory=list)
    violations: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)


def _convert(copy: RangeCopy, batch: pa.RecordBatch, found: _Found) -> pa.Table:
    """The lake's types, personal data hashed, values that have no place there or that a rule sets aside null."""
    columns = dict(zip((column.name for column in copy.table.columns), batch.columns, strict=True))
    for column in copy.table.columns:
        name = column.name
        if column.hashed:
            columns[name] = hash_texts(columns[name], copy.pepper)
        else:
            columns[name] = _from_binary(column, columns[name], copy.layout.schema.field(name).type)
    judged = convert_and_judge(copy.table, columns, copy.layout.schema, copy.reject_limit, copy.rules)

    def key(row: int) -> dict[str, str]:
        return {name: str(columns[name][row].as_py()) for name in copy.table.key}

    found.rejected += [RejectedRow(key(row), tuple(values)) for row, values in judged.rejected.items()]
    for rule, against in zip(copy.rules, judged.violations, strict=True):
        found.violations = added(found.violations, {rule.name: against.true_count})
        if rule.action == "fail" and against.true_count:
            rows = pc.indices_nonzero(against).slice(0, EXAMPLES).to_pylist()
            found.examples.setdefault(rule.name, []).extend(describe_key(key(row)) for row in rows)
    # Columns of the lake that the source no longer has.
    absent = {field.name: pa.nulls(batch.num_rows, field.type) for field in copy.layout.schema}
    return pa.table({**absent, **judged.columns}, schema=copy.layout.schema)
