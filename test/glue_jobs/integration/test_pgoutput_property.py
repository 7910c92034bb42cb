"""What the parser makes of a real server's stream rebuilds the tables as the server has them, whatever they look like.

Schemas, transactions and the sizes of the batches are generated; a failure is shrunk to the least that still fails.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count, cycle
from typing import Any

import pg8000.native
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_under_test import Platform
from trackman.changes import COLUMNS, ChangeFormat
from trackman.column_types import arrow_schema, iceberg_schema
from trackman.contract import Contract, load_contracts
from trackman.pgoutput import NULL, UNCHANGED, Batch, Parser, Relation
from trackman.postgres import Server, identifier, literal

_DATABASE = _SLOT = _PUBLICATION = "parsed"
_SYSTEM_COLUMNS = frozenset(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"])

# Generated schemas.

_names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=15
).filter(lambda name: name not in _SYSTEM_COLUMNS and len(name.encode()) < 64)
_texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.sampled_from(["", "NULL", "\\N", "{}", '"', "a,b", "'; drop table t --", "\u2028", "𝄞"]),
)
_integers = {size: st.integers(-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1) for size in (2, 4, 8)}


def _cast(values: st.SearchStrategy[Any], sql_type: str) -> st.SearchStrategy[str]:
    return values.map(lambda value: f"{literal(str(value))}::{sql_type}")


_instants = st.one_of(
    st.datetimes().map(str),
    st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "2026-03-29 02:30:00.000001", "12026-01-01"]),
)
_floats = st.one_of(st.floats(width=32), st.sampled_from(["NaN", "Infinity", "-0"]))
_TYPES: dict[str, st.SearchStrategy[str]] = {
    "boolean": _cast(st.booleans(), "boolean"),
    "smallint": _cast(_integers[2], "smallint"),
    "integer": _cast(_integers[4], "integer"),
    "bigint": _cast(_integers[8], "bigint"),
    "real": _cast(_floats, "real"),
    "double precision": _cast(st.one_of(st.floats(), _floats), "double precision"),
    "numeric(7,3)": _cast(st.decimals(-9999, 9999, places=3), "numeric(7,3)"),
    "numeric": _cast(st.one_of(st.decimals(-(10**30), 10**30, places=9), st.just("NaN")), "numeric"),
    "text": _texts.map(literal),
    "varchar(20)": _texts.map(literal),
    "char(20)": _texts.map(literal),
    "bytea": _cast(st.binary(max_size=20).map(lambda value: f"\\x{value.hex()}"), "bytea"),
    "date": _cast(st.one_of(st.dates().map(str), st.sampled_from(["infinity", "0001-01-01 BC"])), "date"),
    "time": _cast(st.one_of(st.times().map(str), st.just("24:00")), "time"),
    "timetz": _cast(st.times().map(lambda time: f"{time}+05:30"), "timetz"),
    "timestamp": _cast(_instants, "timestamp"),
    "timestamptz": _cast(_instants, "timestamptz"),
    "interval": _cast(st.integers(-(10**6), 10**6).map(lambda seconds: f"1 mon {seconds} seconds"), "interval"),
    "uuid": _cast(st.uuids(), "uuid"),
    "json": _cast(st.lists(st.integers(0, 9), max_size=3).map(lambda value: json.dumps({"a": value})), "json"),
    "jsonb": _cast(st.dictionaries(st.text("ab", max_size=3), st.none(), max_size=3).map(json.dumps), "jsonb"),
    "inet": _cast(st.ip_addresses(), "inet"),
    "int4range": _cast(st.integers(0, 9).map(lambda low: f"[{low},20)"), "int4range"),
    "bit varying": _cast(st.text("01", max_size=9), "bit varying"),
    "side": _cast(st.sampled_from(["left", 'it\'s "right"']), "side"),
    "metres": _cast(st.decimals(0, 99, places=2), "metres"),
    "tags": st.lists(_texts, max_size=3).map(lambda each: f"array[{', '.join(map(literal, each))}]::tags"),
    "text[]": st.lists(st.one_of(st.none(), _texts), max_size=3).map(
        lambda each: f"array[{', '.join('null' if text is None else literal(text) for text in each)}]::text[]"
    ),
    "integer[]": _cast(st.sampled_from(["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[2:3]={1,2}"]), "integer[]"),
    "timestamptz[]": _cast(st.just('{"2026-01-01 00:00Z",NULL,infinity}'), "timestamptz[]"),
    "side[]": _cast(st.just("{left,NULL}"), "side[]"),
}
_DEFINITIONS = (
    "create type side as enum ('left', 'it''s \"right\"')",
    "create domain metres as numeric(6, 2) check (value >= 0)",
    "create domain tags as text[]",
)


@dataclass(frozen=True)
class Column:
    name: str
    type: str


@dataclass(frozen=True)
class Table:
    name: str
    key: str
    """An integer."""
    columns: tuple[Column, ...]
    second: Column | None
    """Of the key."""
    identity: str
    """default, full or index"""

    @property
    def identity_columns(self) -> list[str]:
        return [self.key, *([self.second.name] if self.second else [])]

    @property
    def definition(self) -> list[str]:
        columns = [f"{identifier(self.key)} int not null"]
        columns += [f"{identifier(each.name)} {each.type} not null" for each in [self.second] if each]
        columns += [f"{identifier(each.name)} {each.type}" for each in self.columns]
        key = ", ".join(map(identifier, self.identity_columns))
        statements = [f"create table {identifier(self.name)} ({', '.join(columns)})"]
        if self.identity == "index":
            statements.append(f"create unique index chosen_{{}} on {identifier(self.name)} ({key})")
            statements.append(f"alter table {identifier(self.name)} replica identity using index chosen_{{}}")
        else:
            statements.append(f"alter table {identifier(self.name)} add primary key ({key})")
            statements.append(f"alter table {identifier(self.name)} replica identity {self.identity}")
        for each in self.columns:
            if each.type in ("text", "jsonb", "bytea", "text[]"):
                statements.append(
                    f"alter table {identifier(self.name)} alter {identifier(each.name)} set storage external"
                )
        return statements


@st.composite
def tables(draw: st.DrawFn) -> list[Table]:
    found = []
    for name in draw(st.lists(_names, min_size=1, max_size=3, unique=True)):
        wide = draw(st.integers(0, 9)) == 9
        low, high = (60, 300) if wide else (0, 8)
        size = draw(st.integers(low, high))
        key, second, *names = draw(st.lists(_names, min_size=12, max_size=12, unique=True))
        names = [*names, *(f"column {number}" for number in range(300))][:size]
        # The second column is text: it may be large, and most updates leave it as it is.
        types = draw(st.lists(st.sampled_from(sorted(_TYPES)), min_size=1, max_size=10))
        types.insert(1, "text")
        columns = tuple(Column(each, types[place % len(types)]) for place, each in enumerate(names))
        second_type = draw(st.sampled_from([None, "text", "timestamp", "uuid"]))
        found.append(
            Table(
                name,
                key,
                tuple(each for each in columns if each.name not in (key, second)),
                Column(second, second_type) if second_type else None,
                draw(st.sampled_from(["default", "full", "index"])),
            )
        )
    return found


@dataclass(frozen=True)
class Case:
    schema: list[Table]
    transactions: list[list[tuple]]
    values: dict[str, list[str]]
    """SQL of some values of each type."""
    commits: list[bool]
    """Whether the first transaction commits, the second, …, and the first again."""
    batch_sizes: list[int]
    """In messages, likewise."""


# Generated traffic. A row is named by how manieth it is, of those that there are.


@st.composite
def transactions(draw: st.DrawFn, schema: list[Table]) -> list[list[tuple]]:
    table = st.integers(0, len(schema) - 1)
    row = st.integers(0, 5)
    operation = st.one_of(
        st.tuples(st.just("insert"), table, st.sampled_from(["values", "nulls", "large"])),
        st.tuples(st.just("insert"), table, st.just("large")),
        st.tuples(st.just("update"), table, row, st.sampled_from(["values", "nulls", "large", "same"])),
        st.tuples(st.just("move"), table, row),
        st.tuples(st.just("delete"), table, row),
        st.tuples(st.just("bulk"), table, st.integers(2, 40)),
        st.tuples(st.just("truncate"), st.sets(table, min_size=1)),
        st.tuples(st.just("message"), st.booleans(), st.binary(max_size=30)),
        st.tuples(st.just("savepoint")),
        st.tuples(st.just("rollback to")),
        st.tuples(st.just("add column"), table),
        st.tuples(st.just("drop column"), table),
        st.tuples(st.just("elsewhere")),
    )
    first = [("insert", place, kind) for place in range(len(schema)) for kind in ("large", "values", "nulls")]
    return [first, *draw(st.lists(st.lists(operation, max_size=12), min_size=1, max_size=6))]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    schema = draw(tables())
    used = {column.type for table in schema for column in (*table.columns, table.second) if column} | {"text"}
    values = {each: draw(st.lists(_TYPES[each], min_size=2, max_size=6)) for each in sorted(used)}
    sizes = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    commits = draw(st.lists(st.booleans(), min_size=1, max_size=4).map(lambda each: [True, *each]))
    return Case(schema, draw(transactions(schema)), values, commits, sizes)


class _Traffic:
    """Carries a case's transactions out."""

    def __init__(self, connection: pg8000.native.Connection, schema: list[Table], values: dict[str, list[str]]) -> None:
        self._connection = connection
        self._schema = schema
        self._values = values
        self._numbers = count(1)
        self._large = count(1)
        self.messages: list[bytes] = []
        """Of transactions that committed."""

    def run(self, operations: list[tuple], commits: bool) -> None:
        said: list[bytes] = []
        savepoints: list[tuple[str, int]] = []
        self._connection.run("begin")
        for name, *arguments in operations:
            if name == "savepoint":
                savepoints.append((f"s{len(savepoints)}", len(said)))
                self._connection.run(f"savepoint {savepoints[-1][0]}")
            elif name == "rollback to":
                if savepoints:
                    savepoint, length = savepoints[-1]
                    self._connection.run(f"rollback to {savepoint}")
                    del said[length:]
            elif name == "message":
                transactional, content = arguments
                self._connection.run(
                    f"select pg_logical_emit_message({transactional}, 'said', '\\x{content.hex()}'::bytea)"
                )
                said += [content] if transactional else []
            elif name == "elsewhere":
                self._connection.run("insert into unpublished values (1)")
            elif name == "truncate":
                names = ", ".join(identifier(self._schema[place].name) for place in sorted(arguments[0]))
                self._connection.run(f"truncate {names}")
            else:
                place, *rest = arguments
                getattr(self, "_" + name.replace(" ", "_"))(self._schema[place], *rest)
        self._connection.run("commit" if commits else "rollback")
        self.messages += said if commits else []

    def _value(self, column: Column, kind: str) -> str:
        number = next(self._numbers)
        if kind == "nulls":
            return "null"
        if kind == "large" and column.type == "text":
            return f"repeat({literal(f'{number} ä')}, 30000)"
        of_type = self._values[column.type]
        # Some are null in any row.
        return "null" if number % 11 == 0 else of_type[number % len(of_type)]

    def _present(self, table: Table) -> list[Column]:
        rows = self._connection.run(
            f"select attname::text from pg_attribute where attrelid = {regclass(table)} and not attisdropped"
        )
        names = {row[0] for row in rows}
        return [column for column in table.columns if column.name in names]

    def _insert(self, table: Table, kind: str) -> None:
        values = {table.key: str(next(self._numbers))}
        if table.second:
            values[table.second.name] = self._values[table.second.type][0]
        values.update({column.name: self._value(column, kind) for column in self._present(table)})
        columns = ", ".join(map(identifier, values))
        self._connection.run(f"insert into {identifier(table.name)} ({columns}) values ({', '.join(values.values())})")

    def _bulk(self, table: Table, rows: int) -> None:
        for _ in range(rows):
            self._insert(table, "values")

    def _row(self, table: Table, number: int) -> str:
        name = identifier(table.name)
        place = f"(select {number} % greatest(count(*), 1) from {name})"
        return f"ctid = (select ctid from {name} order by {identifier(table.key)} offset {place} limit 1)"

    def _update(self, table: Table, row: int, kind: str) -> None:
        columns = self._present(table)[:: 1 if kind == "same" else 2]
        changes = {
            column.name: identifier(column.name) if kind == "same" else self._value(column, kind) for column in columns
        } or {table.key: identifier(table.key)}
        assignments = ", ".join(f"{identifier(name)} = {value}" for name, value in changes.items())
        self._connection.run(f"update {identifier(table.name)} set {assignments} where {self._row(table, row)}")

    def _move(self, table: Table, row: int) -> None:
        key = f"{identifier(table.key)} = {next(self._numbers)}"
        self._connection.run(f"update {identifier(table.name)} set {key} where {self._row(table, row)}")

    def _delete(self, table: Table, row: int) -> None:
        self._connection.run(f"delete from {identifier(table.name)} where {self._row(table, row)}")

    def _add_column(self, table: Table) -> None:
        self._connection.run(f'alter table {identifier(table.name)} add column "added {next(self._numbers)}" text')

    def _drop_column(self, table: Table) -> None:
        for column in self._present(table)[-1:]:
            self._connection.run(f"alter table {identifier(table.name)} drop column {identifier(column.name)}")


def regclass(table: Table) -> str:
    """SQL of a table's oid."""
    return f"{literal(identifier('public', table.name))}::regclass"


# What the stream says.


@dataclass(frozen=True)
class Parsed:
    server: Server
    contract: Contract

    def stream(self) -> pa.BinaryArray:
        """All that the slot has not delivered yet; it is consumed."""
        query = (
            f"select data from pg_logical_slot_get_binary_changes('{_SLOT}', null, null, 'proto_version', '1',"
            f" 'messages', 'true', 'publication_names', '{_PUBLICATION}')"
        )
        with self.server.connect_arrow() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            table = cursor.fetch_arrow_table()
            connection.commit()
        return pa.concat_arrays([pa.array([], pa.binary()), *table["data"].chunks])


def rebuilt(contract: Contract, batches: list[Batch], schema: list[Table]) -> dict[str, dict[tuple, dict]]:
    """Each table's rows by their key, after all changes."""
    rows_format = ChangeFormat(contract, None, "run", 0, arrow_schema(iceberg_schema(COLUMNS)), lambda xid: xid)
    changes = [
        (name.table, row) for batch in batches for name, rows in rows_format.tables(batch) for row in rows.to_pylist()
    ]
    places = Counter((table, row["commit_lsn"], row["ordinal"]) for table, row in changes)
    assert set(places.values()) <= {1}
    keys = {table.name: table.identity_columns for table in schema}
    states: dict[str, dict[tuple, dict]] = {table.name: {} for table in schema}
    for table, row in sorted(changes, key=lambda each: (each[1]["commit_lsn"], each[1]["ordinal"])):
        state, before, after = states[table], dict(row["before"] or []), dict(row["after"] or [])

        def key(values: dict[str, str], names: list[str] = keys[table]) -> tuple:
            return tuple(values[name] for name in names)

        if row["op"] == "T":
            state.clear()
        elif row["op"] == "D":
            del state[key(before)]
        elif row["op"] == "I":
            assert key(after) not in state
            state[key(after)] = after
        else:
            held = state.pop(key(before or after))
            state[key(after)] = {**held, **after}
    return states


def held(connection: pg8000.native.Connection, table: Table) -> dict[tuple, dict]:
    """The table's rows as the server has them, in the text of its types' output functions."""
    found = connection.run(
        f"select attname::text from pg_attribute where attrelid = {regclass(table)} and attnum > 0 and not attisdropped"
    )
    columns = [row[0] for row in found]
    texts = ", ".join(
        f"case when {identifier(column)} is not null then format('%s', {identifier(column)}) end" for column in columns
    )
    rows = [
        dict(zip(columns, row, strict=True)) for row in connection.run(f"select {texts} from {identifier(table.name)}")
    ]
    return {tuple(row[column] for column in table.identity_columns): row for row in rows}


@pytest.fixture(scope="module")
def parsed(platform: Platform, contract_values: dict[str, Any]) -> Iterator[Parsed]:
    with closing(platform.source.connect()) as connection:
        connection.run(f"create database {_DATABASE}")
    server = replace(platform.source, database=_DATABASE)
    with closing(server.connect()) as connection:
        connection.run("set search_path = public")
        for statement in (*_DEFINITIONS, "create table unpublished (id int)"):
            connection.run(statement)
        connection.run(f"create publication {_PUBLICATION}")
        connection.run(f"select pg_create_logical_replication_slot('{_SLOT}', 'pgoutput')")
        yield Parsed(server, load_contracts(json.dumps([contract_values]))[0])
        connection.run(f"select pg_drop_replication_slot('{_SLOT}')")


def test_stream_rebuilds_the_tables(parsed: Parsed) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=50, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(cases())
    def rebuilds(case: Case) -> None:
        with closing(parsed.server.connect()) as connection:
            connection.run("set search_path = public")
            create(connection, case.schema)
            try:
                messages = carry_out(connection, case)
                batches = list(parse(parsed.stream(), case.batch_sizes))
                seen.update(what_is_in(batches))
                assert [message.content for batch in batches for message in batch.messages] == messages
                states = rebuilt(parsed.contract, batches, case.schema)
                for table in case.schema:
                    assert_same(states[table.name], held(connection, table))
            finally:
                connection.run("rollback")
                for table in case.schema:
                    connection.run(f"drop table {identifier(table.name)}")
                parsed.stream()

    rebuilds()
    for each in ("old key", "old row", "unchanged", "all null", "wide", "over 64 KB", "truncate", "truncate of several",
                 "message", "Relation again", "batch within a transaction"):  # fmt: skip
        assert seen[each] > 0, f"no example has {each}: {seen}"


def create(connection: pg8000.native.Connection, schema: list[Table]) -> None:
    for number, table in enumerate(schema):
        for statement in table.definition:
            connection.run(statement.replace("chosen_{}", f"chosen_{number}"))
        connection.run(f"alter publication {_PUBLICATION} add table {identifier(table.name)}")


def carry_out(connection: pg8000.native.Connection, case: Case) -> list[bytes]:
    """Run the case's transactions; the messages of those that committed."""
    traffic = _Traffic(connection, case.schema, case.values)
    for operations, commits in zip(case.transactions, cycle(case.commits)):
        traffic.run(operations, commits)
    return traffic.messages


def parse(stream: pa.BinaryArray, batch_sizes: list[int]) -> Iterator[Batch]:
    parser, start = Parser(), 0
    for size in cycle(batch_sizes):
        if start >= len(stream):
            return
        yield parser.parse(stream.slice(start, size))
        start += size


def assert_same(state: dict[tuple, dict], rows: dict[tuple, dict]) -> None:
    assert state.keys() == rows.keys()
    for key, row in rows.items():
        # A column that was added later is in no change of older rows; one that was dropped stays in them.
        assert {name: state[key].get(name) for name in row} == row


def what_is_in(batches: list[Batch]) -> Iterator[str]:
    """Names of what a stream can have that is out of the ordinary."""
    relations: dict[int, Relation] = {}
    for batch in batches:
        if batch.rows and not batch.commits:
            yield "batch within a transaction"
        yield from ["message"] * len(batch.messages)
        for truncate in batch.truncates:
            yield "truncate of several" if len(truncate.relations) > 1 else "truncate"
        for changes in batch.rows:
            if relations.setdefault(changes.relation.oid, changes.relation) != changes.relation:
                yield "Relation again"
            if len(changes.relation.columns) > 64:
                yield "wide"
            if changes.old.whole.any():
                yield "old row"
            if not changes.old.whole.all():
                yield "old key"
            if (changes.new.kind == UNCHANGED).any():
                yield "unchanged"
            nulls = (changes.new.kind == NULL).sum(axis=1)
            if (nulls >= max(len(changes.relation.columns) - 2, 2)).any():  # but for the key
                yield "all null"
            if ((changes.new.end - changes.new.start) > 1 << 16).any():
                yield "over 64 KB"
