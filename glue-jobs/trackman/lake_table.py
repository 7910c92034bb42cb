"""What a lake table was made from: stored as a property of the table, compared with the source before each run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from trackman.column_types import ColumnDefinition, PostgresType, iceberg_type, serving_type, type_note
from trackman.contract import TableName, TableOptions
from trackman.errors import TableError
from trackman.source_tables import SourceColumn, SourceTable
from trackman.values import UnrepresentableValueError, from_text

DEFINITION = "trackman.table"

_REMEDY = "the table has to be copied anew"


@dataclass(frozen=True)
class LakeColumn:
    """A column that the contract keeps."""

    name: str
    number: int
    """`attnum` in the source."""
    type: PostgresType
    hashed: bool
    comment: str | None
    decimal: tuple[int, int] | None
    """The contract's (precision, scale)."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LakeColumn":
        decimal = values["decimal"]
        return cls(**{**values, "type": PostgresType(**values["type"]), "decimal": decimal and tuple(decimal)})

    @property
    def serving_type(self) -> str:
        """Its type in dataengineering-db."""
        return "text" if self.hashed else serving_type(self.type)

    @property
    def iceberg(self) -> ColumnDefinition:
        """The column of the lake's table."""
        if self.hashed:
            return self.name, "string", _joined(self.comment, "keyed hash")
        return self.name, iceberg_type(self.type, self.decimal), _joined(self.comment, type_note(self.type))


@dataclass(frozen=True)
class LakeTable:
    """A table of the source as the lake keeps it."""

    source: str
    name: TableName
    oid: int
    key: tuple[str, ...]
    comment: str | None
    last_number: int
    """The highest `attnum` when the columns were last compared, of columns that the contract drops too."""
    columns: tuple[LakeColumn, ...]

    def convert(
        self, column: LakeColumn, texts: pa.StringArray, target: pa.DataType, key: Sequence[pa.Array]
    ) -> pa.Array:
        """A column's values in the lake's type. Raises TableError for a value that it has no place for, naming the row
        by its values in `key`."""
        if column.hashed:
            return texts
        try:
            return from_text(texts, column.type, target)
        except UnrepresentableValueError as error:
            row = ", ".join(f"{name} = {values[error.row]}" for name, values in zip(self.key, key, strict=True))
            raise TableError(f"{self.name}.{column.name}, row {row}: {error}") from error

    def column(self, name: str) -> LakeColumn:
        return next(column for column in self.columns if column.name == name)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "LakeTable":
        values = json.loads(text)
        return cls(
            values["source"],
            TableName(*values["name"]),
            values["oid"],
            tuple(values["key"]),
            values["comment"],
            values["last_number"],
            tuple(LakeColumn.from_dict(column) for column in values["columns"]),
        )


def describe(source: str, table: SourceTable, options: TableOptions) -> LakeTable:
    """The lake table of a source table; TableError when the contract does not fit it."""
    names = {column.name for column in table.columns}
    for option, columns in {"pii": options.pii, "decimals": options.decimals}.items():
        if unknown := sorted(set(columns) - names):
            raise TableError(
                f"{table.name}: the contract's {option} names {', '.join(unknown)}, which is no column of it"
            )
    if dropped := [column for column in table.key if options.pii.get(column) == "drop"]:
        raise TableError(f"{table.name}: the contract drops {', '.join(dropped)}, which is part of the key: hash it")
    kept = [column for column in table.columns if options.pii.get(column.name) != "drop"]
    return LakeTable(
        source,
        table.name,
        table.oid,
        table.key,
        table.comment,
        max(column.number for column in table.columns),
        tuple(_lake_column(table.name, column, options) for column in kept),
    )


def _lake_column(table: TableName, column: SourceColumn, options: TableOptions) -> LakeColumn:
    if column.is_generated:
        raise TableError(
            f"{table}.{column.name}: is a generated column, which the source's log does not carry: "
            "leave it out by the contract (pii: drop)"
        )
    lake_column = LakeColumn(
        column.name,
        column.number,
        column.type,
        options.pii.get(column.name) == "hash",
        column.comment,
        options.decimals.get(column.name),
    )
    try:
        _ = lake_column.iceberg
    except ValueError as error:
        raise TableError(f"{table}.{column.name}: {error}") from error
    return lake_column


def added_columns(stored: LakeTable, table: SourceTable, options: TableOptions) -> Sequence[LakeColumn]:
    """The source's columns that the lake table lacks and can get as they are.

    A column that the source no longer has stays in the lake. Raises TableError for a change that would leave older rows
    of the lake with other values than the source's.
    """
    present = describe(stored.source, table, options)
    if present.oid != stored.oid:
        raise TableError(f"{table.name}: was dropped and created again: {_REMEDY}")
    if present.key != stored.key:
        raise TableError(f"{table.name}: its key was {', '.join(stored.key)}, now {', '.join(present.key)}: {_REMEDY}")
    known = {column.name: column for column in stored.columns}
    has_default = {column.name: column.has_default for column in table.columns}
    added = []
    for column in present.columns:
        if column.name in known:
            _refuse_other_definition(table.name, known[column.name], column)
        elif column.number <= stored.last_number or has_default[column.name]:
            raise TableError(
                f"{table.name}.{column.name}: was renamed, or added with a default or by the contract, so that older "
                f"rows hold values that the lake has not: {_REMEDY}"
            )
        else:
            added.append(column)
    return added


def with_columns(table: LakeTable, added: Sequence[LakeColumn]) -> LakeTable:
    """The table with columns that `added_columns` found."""
    last_number = max(table.last_number, *(column.number for column in added))
    return replace(table, columns=(*table.columns, *added), last_number=last_number)


def _refuse_other_definition(table: TableName, stored: LakeColumn, present: LakeColumn) -> None:
    def definition(column: LakeColumn) -> tuple:
        return column.number, column.type, column.hashed, column.decimal

    if definition(stored) != definition(present):
        raise TableError(
            f"{table}.{present.name}: was {_described(stored)}, now {_described(present)}: {_REMEDY}; "
            "its changes wait in the change log"
        )


def _described(column: LakeColumn) -> str:
    return f"{column.type.sql}{', hashed' if column.hashed else ''} (column number {column.number})"


def _joined(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None
