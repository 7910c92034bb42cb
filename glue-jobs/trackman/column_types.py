"""What a Postgres type becomes: in the lake, in Arrow, and in dataengineering-db."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pyarrow as pa

MAX_PRECISION = 38
UNCONSTRAINED_DECIMAL = (MAX_PRECISION, 9)

# By pg_type.typname; whatever is not here is text in the lake.
_ICEBERG_PRIMITIVES = {
    "bool": "boolean",
    "int2": "int",
    "int4": "int",
    "int8": "long",
    "float4": "float",
    "float8": "double",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "bytea": "binary",
}
_ARROW_PRIMITIVES = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "binary": pa.binary(),
    "string": pa.string(),
}
_POSTGRES_PRIMITIVES = {
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
    pa.binary(): "bytea",
    pa.string(): "text",
}
_TYPE_NOTES = {
    "timestamptz": "an instant, in UTC",
    "timestamp": "date and time without time zone, as the source has it",
}


ColumnDefinition = tuple[str, str | dict[str, Any], str | None]
"""Name, type in Iceberg's JSON (nested ones without field ids), comment."""


@dataclass(frozen=True)
class PostgresType:
    """A column's type. Domains are resolved to what they are made of."""

    name: str
    """`pg_type.typname`; of the element when it is an array."""
    modifier: int
    """`atttypmod`: the precision and scale of a numeric; -1 without."""
    is_array: bool
    sql: str
    """As it is written in DDL: numeric(5,2), timestamp with time zone, text[]."""
    built_in: bool
    """Every Postgres has it, as it does not have enums and what extensions bring."""


def iceberg_type(postgres_type: PostgresType, decimal: tuple[int, int] | None = None) -> str | dict[str, Any]:
    """The type in Iceberg's JSON, nested ones still without field ids.

    `decimal` is the contract's (precision, scale) of a numeric column. Raises ValueError when there are more than 38
    digits.
    """
    element = _iceberg_primitive(postgres_type, decimal)
    if not postgres_type.is_array:
        return element
    return {"type": "list", "element": element, "element-required": False}


def _iceberg_primitive(postgres_type: PostgresType, decimal: tuple[int, int] | None) -> str:
    if postgres_type.name != "numeric":
        return _ICEBERG_PRIMITIVES.get(postgres_type.name, "string")
    precision, scale = decimal or numeric_shape(postgres_type.modifier) or UNCONSTRAINED_DECIMAL
    if precision > MAX_PRECISION:
        raise ValueError(
            f"{postgres_type.sql} has {precision} digits, the lake's decimals at most {MAX_PRECISION}: "
            "give the contract [precision, scale] in `decimals`"
        )
    return f"decimal({precision}, {scale})"


def numeric_shape(modifier: int) -> tuple[int, int] | None:
    """(precision, scale) such that every value of numeric(p, s) fits; s may be negative or larger than p."""
    if modifier < 0:
        return None
    packed = modifier - 4  # Postgres: precision in the upper 16 bits, scale as 11 bits with sign
    precision, scale = packed >> 16, ((packed & 0x7FF) ^ 0x400) - 0x400
    return max(precision - min(scale, 0), scale), max(scale, 0)


def is_promotion(before: str | dict[str, Any], after: str | dict[str, Any]) -> bool:
    """Whether Iceberg reads values of one type as the other: the same, or a wider one."""
    if before == after or (before, after) in (("int", "long"), ("float", "double")):
        return True
    shapes = [_decimal_shape(each) for each in (before, after)]
    return None not in shapes and shapes[0][1] == shapes[1][1] and shapes[0][0] <= shapes[1][0]


def _decimal_shape(iceberg: str | dict[str, Any]) -> tuple[int, int] | None:
    if not isinstance(iceberg, str) or not iceberg.startswith("decimal("):
        return None
    precision, scale = iceberg.removeprefix("decimal(").removesuffix(")").split(",")
    return int(precision), int(scale)


def iceberg_schema(columns: Iterable[ColumnDefinition]) -> dict[str, Any]:
    """The JSON of a new table's schema. All columns are optional."""
    ids = count(1)
    fields = []
    for name, column_type, comment in columns:
        field = {"id": next(ids), "name": name, "required": False, "type": _with_ids(column_type, ids)}
        fields.append({**field, "doc": comment} if comment else field)
    return {"type": "struct", "fields": fields}


def _with_ids(column_type: str | dict[str, Any], ids: Iterator[int]) -> str | dict[str, Any]:
    if isinstance(column_type, str):
        return column_type
    parts = ["element"] if column_type["type"] == "list" else ["key", "value"]
    return {**column_type, **{f"{part}-id": next(ids) for part in parts}}


def without_ids(column_type: str | dict[str, Any]) -> str | dict[str, Any]:
    """A type in Iceberg's JSON as it is before a table gives ids to its parts."""
    if isinstance(column_type, str):
        return column_type
    return {name: value for name, value in column_type.items() if not name.endswith("-id")}


def type_note(postgres_type: PostgresType) -> str | None:
    """What the lake's type no longer says of the source's."""
    return _TYPE_NOTES.get(postgres_type.name)


def arrow_type(iceberg: str | dict[str, Any]) -> pa.DataType:
    """The Arrow type of a type in Iceberg's JSON, with Iceberg's field ids in nested types, as Parquet keeps them."""
    if isinstance(iceberg, dict):
        if iceberg["type"] == "list":
            return pa.list_(_arrow_field("element", iceberg["element-id"], iceberg["element"]))
        if iceberg["type"] == "map":
            key = _arrow_field("key", iceberg["key-id"], iceberg["key"], nullable=False)
            return pa.map_(key, _arrow_field("value", iceberg["value-id"], iceberg["value"]))
        raise ValueError(f"no Arrow type for Iceberg's {iceberg}")
    shape = _decimal_shape(iceberg)
    if shape:
        return pa.decimal128(*shape)
    return _ARROW_PRIMITIVES[iceberg]


def arrow_schema(iceberg: dict[str, Any]) -> pa.Schema:
    """The Arrow schema of an Iceberg schema's JSON, with the field ids by which readers find the columns."""
    return pa.schema([_arrow_field(field["name"], field["id"], field["type"]) for field in iceberg["fields"]])


def _arrow_field(name: str, field_id: int, iceberg: str | dict[str, Any], nullable: bool = True) -> pa.Field:
    return pa.field(name, arrow_type(iceberg), nullable, {"PARQUET:field_id": str(field_id)})


def postgres_type_of(arrow: pa.DataType) -> str:
    """The Postgres type that binary values of an Arrow type are."""
    if pa.types.is_list(arrow):
        return f"{postgres_type_of(arrow.value_type)}[]"
    if pa.types.is_decimal(arrow):
        return "numeric"
    return _POSTGRES_PRIMITIVES[arrow]


def serving_type(postgres_type: PostgresType) -> str:
    """The type in dataengineering-db: the source's own where every Postgres has it."""
    if postgres_type.built_in:
        return postgres_type.sql
    return "text[]" if postgres_type.is_array else "text"
