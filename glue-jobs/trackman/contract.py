"""A source's contract, as it was resolved when the platform was synthesized."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from trackman.errors import ContractError

PII_RULES = ("keep", "hash", "drop")


class TableName(NamedTuple):
    """A table of a source."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Connection:
    """Where the source's owners keep its address and credentials, and the Glue connection of its crawl."""

    glue_connection: str
    url_parameter: str
    ca_parameter: str
    secret: str


@dataclass(frozen=True)
class TableOptions:
    """What the contract says of one table."""

    pii: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    lake_table: str | None = None
    decimals: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(precision, scale) of numeric columns that declare none, or that are wanted otherwise."""
    history: bool = False
    """All states that its rows had are kept beside it."""

    def columns_with(self, rule: str) -> frozenset[str]:
        return frozenset(column for column, its_rule in self.pii.items() if its_rule == rule)


@dataclass(frozen=True)
class Selection:
    """Tables by patterns of `schema.table` in which `*` stands for anything."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def __contains__(self, name: TableName) -> bool:
        def matches(patterns: tuple[str, ...]) -> bool:
            return any(fnmatchcase(str(name), pattern) for pattern in patterns)

        return matches(self.include) and not matches(self.exclude)


@dataclass(frozen=True)
class Contract:
    """One source in log mode."""

    source: str
    connection: Connection
    catalog_database: str
    publication: str
    slot: str
    pepper_secret: str
    wal_bytes_per_step: int
    inline_snapshot_bytes: int
    """Larger tables are copied by the job snapshot, not by ingest."""
    reject_limit: int
    """Most rows of a table that a run sets aside values of."""
    selection: Selection
    tables: Mapping[TableName, TableOptions]
    serving: Selection

    def options(self, name: TableName) -> TableOptions:
        return self.tables.get(name, TableOptions())

    def lake_table(self, name: TableName) -> str:
        """The table's name in the lake and in dataengineering-db."""
        plain = name.table if name.schema == "public" else f"{name.schema}_{name.table}"
        return self.options(name).lake_table or plain

    def serves(self, name: TableName) -> bool:
        return name in self.selection and name in self.serving


def load_contracts(text: str) -> list[Contract]:
    """The contracts in a JSON list."""
    return [_contract(_Reader(item, f"contract {item.get('source', '(unnamed)')}")) for item in json.loads(text)]


class _Reader:
    """A JSON object whose values are taken one by one, so that what is missing or left over is named."""

    def __init__(self, values: Mapping[str, Any], path: str) -> None:
        self._values = dict(values)
        self.path = path

    def take(self, name: str, kind: type, default: Any = None) -> Any:
        value = self._values.pop(name, default)
        if not isinstance(value, kind):
            raise ContractError(f"{self.path}: {name} is {value!r}, expected a value of type {kind.__name__}")
        return value

    def take_object(self, name: str) -> "_Reader":
        return _Reader(self.take(name, dict), f"{self.path}.{name}")

    def end(self) -> None:
        if self._values:
            raise ContractError(f"{self.path}: {', '.join(sorted(self._values))} is not known to this release's jobs")


def _contract(reader: _Reader) -> Contract:
    mode = reader.take("mode", str)
    if mode != "log":
        raise ContractError(f'{reader.path}: mode is "{mode}", expected "log"')
    contract = Contract(
        source=reader.take("source", str),
        connection=_connection(reader.take_object("connection")),
        catalog_database=reader.take("catalogDatabase", str),
        publication=reader.take("publication", str),
        slot=reader.take("slot", str),
        pepper_secret=reader.take("pepperSecret", str),
        wal_bytes_per_step=reader.take("walBytesPerStep", int),
        inline_snapshot_bytes=reader.take("inlineSnapshotBytes", int),
        reject_limit=reader.take("rejectLimit", int),
        selection=Selection(tuple(reader.take("include", list)), tuple(reader.take("exclude", list, []))),
        tables={
            parse_table_name(name, reader.path): _table_options(_Reader(options, f"{reader.path}.tables.{name}"))
            for name, options in reader.take("tables", dict, {}).items()
        },
        serving=_selection(reader.take_object("serving")),
    )
    reader.end()
    return contract


def _connection(reader: _Reader) -> Connection:
    connection = Connection(
        glue_connection=reader.take("glueConnection", str),
        url_parameter=reader.take("urlParameter", str),
        ca_parameter=reader.take("caParameter", str),
        secret=reader.take("secret", str),
    )
    reader.end()
    return connection


def _selection(reader: _Reader) -> Selection:
    selection = Selection(tuple(reader.take("include", list)), tuple(reader.take("exclude", list, [])))
    reader.end()
    return selection


def _table_options(reader: _Reader) -> TableOptions:
    options = TableOptions(
        pii=reader.take("pii", dict, {}),
        partition_by=tuple(reader.take("partitionBy", list, [])),
        lake_table=reader.take("lakeTable", str, "") or None,
        decimals={column: tuple(shape) for column, shape in reader.take("decimals", dict, {}).items()},
        history=reader.take("history", bool, False),
    )
    for column, rule in options.pii.items():
        if rule not in PII_RULES:
            raise ContractError(f'{reader.path}: pii of {column} is "{rule}", expected one of {", ".join(PII_RULES)}')
    reader.end()
    return options


def parse_table_name(text: str, where: str = "") -> TableName:
    """Of `schema.table`. `where` says in an error what names it."""
    schema, dot, table = text.partition(".")
    if not (schema and dot and table):
        raise ContractError(f'{where}{": " if where else ""}table "{text}" is not of the form schema.table')
    return TableName(schema, table)
