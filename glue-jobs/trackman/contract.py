"""A source's contract, as it was resolved when the platform was synthesized."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from types import UnionType
from typing import Any, NamedTuple, TypeVar

from trackman.errors import ContractError
from trackman.quality import ACTIONS, NO_RULES, Allowed, NotNull, Quality, Range, Reference, RowCount

PII_RULES = ("keep", "hash", "drop")
SETTERS = ("trigger", "default")


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
class Watermark:
    """The column that tells when a row was last changed."""

    column: str
    set_by: str
    """trigger, at each insert and update; or default, at inserts only."""


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
    watermark: "Watermark | None" = None
    """Another one than the source's, in watermark mode."""
    soft_delete: str | None = None
    """Column that says of a row that it is deleted: by true, or by any time. In watermark mode."""
    quality: Quality = NO_RULES

    def columns_with(self, rule: str) -> frozenset[str]:
        return frozenset(column for column, its_rule in self.pii.items() if its_rule == rule)


@dataclass(frozen=True)
class Retention:
    """For how long what was noted of a source is kept at least."""

    changes: timedelta
    """In the change log."""
    quarantine: timedelta


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
    """One source that is a database."""

    source: str
    connection: Connection
    catalog_database: str
    pepper_secret: str
    inline_snapshot_bytes: int
    """Larger tables are copied by the job snapshot, not by ingest."""
    reject_limit: int
    """Most rows of a table that a run sets aside values of."""
    retention: Retention
    selection: Selection
    tables: Mapping[TableName, TableOptions]
    serving: Selection
    indexes: Mapping[TableName, tuple[tuple[str, ...], ...]]
    """The columns of each that served tables have beside their key's."""

    def options(self, name: TableName) -> TableOptions:
        return self.tables.get(name, TableOptions())

    def lake_table(self, name: TableName) -> str:
        """The table's name in the lake and in dataengineering-db: in lower case, which is all that the catalog has."""
        plain = name.table if name.schema == "public" else f"{name.schema}_{name.table}"
        return self.options(name).lake_table or plain.lower()

    def serves(self, name: TableName) -> bool:
        return name in self.selection and name in self.serving

    @property
    def hashes(self) -> bool:
        """Whether any column is hashed."""
        return any(options.columns_with("hash") for options in self.tables.values())


@dataclass(frozen=True)
class LogContract(Contract):
    """One in log mode."""

    publication: str
    slot: str
    wal_bytes_per_step: int


@dataclass(frozen=True)
class WatermarkContract(Contract):
    """One in watermark mode."""

    watermark: Watermark
    margin: timedelta
    """How much older than the oldest transaction that is open a row must be to be read."""
    reconcile_every: timedelta
    """How often all rows are compared."""

    def watermark_of(self, name: TableName) -> Watermark:
        return self.options(name).watermark or self.watermark


@dataclass(frozen=True)
class FileColumn:
    """What a column of a feed's files is."""

    name: str
    type: str
    """boolean, int, long, float, double, decimal(p, s), date, timestamp, timestamptz or string."""
    nullable: bool
    pii: str
    comment: str | None


@dataclass(frozen=True)
class FilesContract:
    """One source in files mode: a feed of the landing zone."""

    source: str
    prefix: str
    table: str
    columns: tuple[FileColumn, ...]
    key: tuple[str, ...]
    """Empty when rows are only added."""
    partition_by: tuple[str, ...]
    bad_row_share: float
    """Up to this, bad rows are left out of a file; beyond, the file is."""
    max_file_bytes: int
    """As it is stored, and unpacked."""
    bytes_per_commit: int
    pepper_secret: str
    serves: bool
    """Whether dataengineering-db has it."""
    indexes: tuple[tuple[str, ...], ...]
    """There: the columns of each beside the key's."""
    quality: Quality = NO_RULES

    @property
    def kept(self) -> list[FileColumn]:
        """The columns that the lake has."""
        return [column for column in self.columns if column.pii != "drop"]

    @property
    def fingerprint(self) -> str:
        """Of what decides whether a file is taken."""
        columns = [(column.name, column.type, column.nullable, column.pii) for column in self.columns]
        asked = (columns, self.bad_row_share, self.max_file_bytes, self.quality)
        return sha256(repr(asked).encode()).hexdigest()[:16]

    @property
    def hashes(self) -> bool:
        """Whether any column is hashed."""
        return any(column.pii == "hash" for column in self.columns)


AnyContract = TypeVar("AnyContract", Contract, FilesContract)


def load_contracts(text: str, kind: type[AnyContract] | UnionType = Contract) -> list[AnyContract]:
    """Those of a kind among the contracts in a JSON list; what is wrong with any is an error."""
    contracts = [_contract(_Reader(item, f"contract {item.get('source', '(unnamed)')}")) for item in json.loads(text)]
    return [contract for contract in contracts if isinstance(contract, kind)]


class _Reader:
    """A JSON object whose values are taken one by one, so that what is missing or left over is named."""

    def __init__(self, values: Mapping[str, Any], path: str) -> None:
        self._values = dict(values)
        self.path = path

    def take(self, name: str, kind: type | UnionType, default: Any = None) -> Any:
        value = self._values.pop(name, default)
        if not isinstance(value, kind):
            raise ContractError(
                f"{self.path}: {name} is {value!r}, expected a value of type {getattr(kind, '__name__', kind)}"
            )
        return value

    def take_object(self, name: str) -> "_Reader":
        return _Reader(self.take(name, dict), f"{self.path}.{name}")

    def end(self) -> None:
        if self._values:
            raise ContractError(f"{self.path}: {', '.join(sorted(self._values))} is not known to this release's jobs")


def _contract(reader: _Reader) -> Contract | FilesContract:
    mode = reader.take("mode", str)
    if mode not in _MODES:
        raise ContractError(f'{reader.path}: mode is "{mode}", expected one of {", ".join(_MODES)}')
    return _MODES[mode](reader)


def _log_contract(reader: _Reader) -> LogContract:
    contract = LogContract(
        **_of_a_database(reader),
        publication=reader.take("publication", str),
        slot=reader.take("slot", str),
        wal_bytes_per_step=reader.take("walBytesPerStep", int),
    )
    reader.end()
    return contract


def _watermark_contract(reader: _Reader) -> WatermarkContract:
    contract = WatermarkContract(
        **_of_a_database(reader),
        watermark=_watermark(reader.take_object("watermark")),
        margin=timedelta(seconds=reader.take("marginSeconds", int | float)),
        reconcile_every=timedelta(hours=reader.take("reconcileHours", int | float)),
    )
    if referring := [str(name) for name, options in contract.tables.items() if options.quality.references]:
        raise ContractError(
            f"{reader.path}: rules reference of {', '.join(referring)}: expected none in watermark mode, where tables "
            "are read up to different moments"
        )
    reader.end()
    return contract


def _of_a_database(reader: _Reader) -> dict[str, Any]:
    """What contracts of both modes have."""
    serving = reader.take_object("serving")
    indexes = serving.take("indexes", dict, {})
    return {
        "source": reader.take("source", str),
        "connection": _connection(reader.take_object("connection")),
        "catalog_database": reader.take("catalogDatabase", str),
        "pepper_secret": reader.take("pepperSecret", str),
        "inline_snapshot_bytes": reader.take("inlineSnapshotBytes", int),
        "reject_limit": reader.take("rejectLimit", int),
        "retention": _retention(reader.take_object("retention")),
        "selection": Selection(tuple(reader.take("include", list)), tuple(reader.take("exclude", list, []))),
        "tables": {
            parse_table_name(name, reader.path): _table_options(_Reader(options, f"{reader.path}.tables.{name}"))
            for name, options in reader.take("tables", dict, {}).items()
        },
        "serving": _selection(serving),
        "indexes": {parse_table_name(name, serving.path): _indexes(columns) for name, columns in indexes.items()},
    }


def _watermark(reader: _Reader) -> Watermark:
    watermark = Watermark(reader.take("column", str), reader.take("setBy", str))
    if watermark.set_by not in SETTERS:
        raise ContractError(f'{reader.path}: setBy is "{watermark.set_by}", expected one of {", ".join(SETTERS)}')
    reader.end()
    return watermark


def _indexes(columns: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(map(tuple, columns))


def _files_contract(reader: _Reader) -> FilesContract:
    serves, indexes = _files_serving(reader)
    contract = FilesContract(
        source=reader.take("source", str),
        prefix=reader.take("prefix", str),
        table=reader.take("table", str),
        columns=tuple(
            _file_column(name, _Reader(values, f"{reader.path}.columns.{name}"))
            for name, values in reader.take("columns", dict).items()
        ),
        key=tuple(reader.take("key", list, [])),
        partition_by=tuple(reader.take("partitionBy", list, [])),
        bad_row_share=float(reader.take("badRowShare", int | float)),
        max_file_bytes=reader.take("maxFileBytes", int),
        bytes_per_commit=reader.take("bytesPerCommit", int),
        pepper_secret=reader.take("pepperSecret", str),
        serves=serves,
        indexes=indexes,
        quality=_quality(reader),
    )
    if serves and not contract.key:
        raise ContractError(f"{reader.path}: serving needs a key, by which rows take the place of earlier ones")
    reader.end()
    return contract


def _files_serving(reader: _Reader) -> tuple[bool, tuple[tuple[str, ...], ...]]:
    """`false`, or an object of what dataengineering-db needs."""
    values = reader.take("serving", bool | dict)
    if isinstance(values, bool):
        if values:
            raise ContractError(f"{reader.path}: serving is True, expected false or an object")
        return False, ()
    serving = _Reader(values, f"{reader.path}.serving")
    indexes = _indexes(serving.take("indexes", list, []))
    serving.end()
    return True, indexes


def _file_column(name: str, reader: _Reader) -> FileColumn:
    column = FileColumn(
        name,
        reader.take("type", str),
        reader.take("nullable", bool, True),
        reader.take("pii", str, "keep"),
        reader.take("comment", str, "") or None,
    )
    if column.pii not in PII_RULES:
        raise ContractError(f'{reader.path}: pii is "{column.pii}", expected one of {", ".join(PII_RULES)}')
    reader.end()
    return column


_MODES = {"log": _log_contract, "watermark": _watermark_contract, "files": _files_contract}


def _connection(reader: _Reader) -> Connection:
    connection = Connection(
        glue_connection=reader.take("glueConnection", str),
        url_parameter=reader.take("urlParameter", str),
        ca_parameter=reader.take("caParameter", str),
        secret=reader.take("secret", str),
    )
    reader.end()
    return connection


def _retention(reader: _Reader) -> Retention:
    retention = Retention(
        changes=timedelta(days=reader.take("changeDays", int)),
        quarantine=timedelta(days=reader.take("quarantineDays", int)),
    )
    reader.end()
    return retention


def _selection(reader: _Reader) -> Selection:
    selection = Selection(tuple(reader.take("include", list)), tuple(reader.take("exclude", list, [])))
    reader.end()
    return selection


def _table_options(reader: _Reader) -> TableOptions:
    watermark = reader.take("watermark", dict, {})
    options = TableOptions(
        pii=reader.take("pii", dict, {}),
        partition_by=tuple(reader.take("partitionBy", list, [])),
        lake_table=reader.take("lakeTable", str, "") or None,
        decimals={column: tuple(shape) for column, shape in reader.take("decimals", dict, {}).items()},
        history=reader.take("history", bool, False),
        watermark=_watermark(_Reader(watermark, f"{reader.path}.watermark")) if watermark else None,
        soft_delete=reader.take("softDelete", str, "") or None,
        quality=_quality(reader),
    )
    for column, rule in options.pii.items():
        if rule not in PII_RULES:
            raise ContractError(f'{reader.path}: pii of {column} is "{rule}", expected one of {", ".join(PII_RULES)}')
    reader.end()
    return options


def _quality(reader: _Reader) -> Quality:
    columns, row_counts = [], []
    for number, values in enumerate(reader.take("quality", list, [])):
        rule = _rule(_Reader(values, f"{reader.path}.quality.{number}"))
        (row_counts if isinstance(rule, RowCount) else columns).append(rule)
    if len(row_counts) > 1:
        raise ContractError(f"{reader.path}: quality has {len(row_counts)} rules rowCount, expected one")
    return Quality(tuple(columns), *row_counts)


def _rule(reader: _Reader) -> NotNull | Range | Allowed | Reference | RowCount:
    kind, action = reader.take("rule", str), reader.take("action", str)
    if kind not in _RULES:
        raise ContractError(f'{reader.path}: rule is "{kind}", expected one of {", ".join(_RULES)}')
    if action not in ACTIONS:
        raise ContractError(f'{reader.path}: action is "{action}", expected one of {", ".join(ACTIONS)}')
    rule = _RULES[kind](reader, action)
    reader.end()
    return rule


def _not_null(reader: _Reader, action: str) -> NotNull:
    return NotNull(reader.take("column", str), action)


def _range(reader: _Reader, action: str) -> Range:
    bound = int | float | str | None
    return Range(reader.take("column", str), action, reader.take("min", bound), reader.take("max", bound))


def _allowed(reader: _Reader, action: str) -> Allowed:
    return Allowed(reader.take("column", str), action, tuple(reader.take("values", list)))


def _reference(reader: _Reader, action: str) -> Reference:
    table = parse_table_name(reader.take("table", str), reader.path)
    return Reference(reader.take("column", str), action, table, reader.take("to", str))


def _row_count(reader: _Reader, action: str) -> RowCount:
    rows, share = int | None, int | float | None
    return RowCount(
        action,
        reader.take("min", rows),
        reader.take("max", rows),
        reader.take("maxLoss", share),
        reader.take("maxGrowth", share),
    )


_RULES = {
    "notNull": _not_null,
    "range": _range,
    "allowed": _allowed,
    "reference": _reference,
    "rowCount": _row_count,
}


def parse_table_name(text: str, where: str = "") -> TableName:
    """Of `schema.table`. `where` says in an error what names it."""
    schema, dot, table = text.partition(".")
    if not (schema and dot and table):
        raise ContractError(f'{where}{": " if where else ""}table "{text}" is not of the form schema.table')
    return TableName(schema, table)
