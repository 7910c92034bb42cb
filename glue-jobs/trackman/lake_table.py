"""What a lake table was made from: stored as a property of the table, compared with the source before each run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from trackman.column_types import (
    ColumnDefinition,
    PostgresType,
    iceberg_type,
    is_promotion,
    serving_type,
    type_note,
)
from trackman.contract import TableName, TableOptions
from trackman.errors import TableError
from trackman.source_tables import SourceColumn, SourceTable
from trackman.values import UnrepresentableValueError, from_text_or_null

DEFINITION = "trackman.table"


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


class Rejected(NamedTuple):
    """A value that the lake's column has no place for, or that a rule of the contract keeps out of it."""

    column: str
    value: str | None
    """As the source has it. None where a rule expected some."""
    reason: str


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
    leaves: dict[int, int]
    """`oid` → `relfilenode` of what its rows lie in: itself, or its partitions."""

    def convert(self, texts: Mapping[str, pa.Array], schema: pa.Schema) -> dict[str, pa.Array]:
        """Columns in the lake's types, which `schema` names. Those that are no text have them already, or nearly.

        Raises TableError for the first value that has no place there, naming its row.
        """
        values, _ = self._convert(texts, schema, 0)
        return values

    def convert_or_reject(
        self, texts: Mapping[str, pa.Array], schema: pa.Schema, limit: int
    ) -> tuple[dict[str, pa.Array], dict[int, list["Rejected"]]]:
        """As `convert`, with null in the place of values without one, which are told by row.

        A key's value cannot be left out. Raises TableError for that, and for more than `limit` values of a column.
        """
        return self._convert(texts, schema, limit)

    def _convert(
        self, texts: Mapping[str, pa.Array], schema: pa.Schema, limit: int
    ) -> tuple[dict[str, pa.Array], dict[int, list["Rejected"]]]:
        converted: dict[str, pa.Array] = {}
        rejected: dict[int, list[Rejected]] = {}
        for name, values in texts.items():
            column, target = self.column(name), schema.field(name).type
            if column.hashed or not pa.types.is_string(values.type):
                converted[name] = values.cast(target)
                continue
            try:
                allowed = 0 if name in self.key else limit
                converted[name], errors = from_text_or_null(values, column.type, target, allowed)
            except UnrepresentableValueError as error:
                row = ", ".join(f"{key} = {texts[key][error.row]}" for key in self.key)
                raise TableError(f"{self.name}.{name}, row {row}: {error}") from error
            for row, error in errors.items():
                rejected.setdefault(row, []).append(Rejected(name, error.text, f"has no place in {target}"))
        return converted, rejected

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
            {int(oid): file for oid, file in values["leaves"].items()},
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
    # The log does not carry generated columns.
    kept = [column for column in table.columns if options.pii.get(column.name) != "drop" and not column.is_generated]
    if misfits := options.quality.misfits([column.name for column in kept], table.key):
        raise TableError(f"{table.name}: the contract's {'; '.join(misfits)}: correct it")
    return LakeTable(
        source,
        table.name,
        table.oid,
        table.key,
        table.comment,
        max(column.number for column in table.columns),
        tuple(_lake_column(table.name, column, options) for column in kept),
        {leaf.oid: leaf.file for leaf in table.leaves},
    )


def _lake_column(table: TableName, column: SourceColumn, options: TableOptions) -> LakeColumn:
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


@dataclass(frozen=True)
class Drift:
    """What became of a source table since the lake's was made or last compared."""

    added: tuple[LakeColumn, ...]
    """New columns that are null in all older rows."""
    copy_reasons: tuple[str, ...]
    """Why rows of the lake may differ from the source's without a trace in its log: the table is copied anew."""
    incompatible: tuple[str, ...]
    """Changes that the lake's columns have no place for. Somebody has to ask for the copy."""
    present: LakeTable
    """The table as it would be copied now."""

    def followed(self, stored: LakeTable) -> LakeTable:
        """The stored table with what can be followed without a copy. Columns that the source dropped stay."""
        present = {column.name: column for column in self.present.columns}
        kept = tuple(present.get(column.name, column) for column in stored.columns)
        return replace(self.present, columns=(*kept, *self.added))


def compare(stored: LakeTable, table: SourceTable, options: TableOptions) -> Drift:
    """Raises TableError when the contract does not fit the table."""
    present = describe(stored.source, table, options)
    known = {column.name: column for column in stored.columns}
    has_default = {column.name: column.has_default for column in table.columns}
    added, reasons, incompatible = [], _storage_reasons(stored, table), []
    if present.key != stored.key:
        reasons.append(f"its key was {', '.join(stored.key)}, now {', '.join(present.key)}")
    for column in present.columns:
        before = known.get(column.name)
        if before is None:
            if column.number <= stored.last_number or has_default[column.name]:
                reasons.append(f"older rows may hold a value in {column.name}: new with a default, renamed or left out")
            else:
                added.append(column)
            continue
        if column.number != before.number:
            reasons.append(f"{column.name} was dropped and added again")
        if column.hashed != before.hashed:
            reasons.append(f"{column.name} is {'now' if column.hashed else 'no longer'} hashed by the contract")
        elif column.iceberg[1] != before.iceberg[1]:
            widened = is_promotion(before.iceberg[1], column.iceberg[1])
            (reasons if widened else incompatible).append(f"{column.name} was {before.type.sql}, now {column.type.sql}")
    reasons += [
        f"{column.name} is no longer kept by the contract"
        for column in stored.columns
        if options.pii.get(column.name) == "drop"
    ]
    return Drift(tuple(added), tuple(reasons), tuple(incompatible), present)


def _storage_reasons(stored: LakeTable, table: SourceTable) -> list[str]:
    if table.oid != stored.oid:
        return ["was dropped and created again"]
    reasons = []
    files = {leaf.oid: leaf.file for leaf in table.leaves}
    if any(files.get(oid, file) != file for oid, file in stored.leaves.items()):
        reasons.append("was truncated or written anew")
    # A partition's first rows may have come with it, or gone with it, outside the log.
    came = any(leaf.bytes for leaf in table.leaves if leaf.oid not in stored.leaves)
    if came or stored.leaves.keys() - files.keys():
        reasons.append("partitions came with rows or went")
    return reasons


def _joined(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None
