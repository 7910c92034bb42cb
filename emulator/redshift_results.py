"""Rows of Trino as the Redshift Data API tells them: ColumnMetadata, and Fields of the kinds that the API has.

The types are those that Redshift Spectrum gives the columns of Iceberg tables: text is varchar, what is nested SUPER.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

_LONGEST_VARCHAR = 16384  # what Spectrum makes of Iceberg's string

# Redshift's name of Trino's types, and the kind of Field that has their values.
_TYPES = {
    "boolean": ("bool", "booleanValue"),
    "smallint": ("int2", "longValue"),
    "integer": ("int4", "longValue"),
    "bigint": ("int8", "longValue"),
    "real": ("float4", "doubleValue"),
    "double": ("float8", "doubleValue"),
    "decimal": ("numeric", "stringValue"),
    "date": ("date", "stringValue"),
    "timestamp": ("timestamp", "stringValue"),
    "timestamp with time zone": ("timestamptz", "stringValue"),
    "varchar": ("varchar", "stringValue"),
    "char": ("bpchar", "stringValue"),
    "varbinary": ("varbyte", "blobValue"),
    "array": ("super", "stringValue"),
    "map": ("super", "stringValue"),
    "row": ("super", "stringValue"),
    "unknown": ("varchar", "stringValue"),  # of a null without a type
}

Encoder = Callable[[Any], dict[str, Any]]


class NoSuchType(Exception):
    """Redshift has no type for the column."""


def column(name: str, signature: dict[str, Any]) -> dict[str, Any]:
    """ColumnMetadata of a column; `signature` is Trino's typeSignature of its type."""
    raw = signature["rawType"]
    type_name, _ = _kind(name, raw)
    precision, scale = [each["value"] for each in signature["arguments"]] if raw == "decimal" else (0, 0)
    length = min(signature["arguments"][0]["value"], _LONGEST_VARCHAR) if raw in ("varchar", "char") else 0
    return {
        "name": name,
        "label": name,
        "typeName": type_name,
        "precision": precision,
        "scale": scale,
        "length": length,
        "nullable": 1,
        "isSigned": type_name in ("int2", "int4", "int8", "float4", "float8", "numeric"),
        "isCaseSensitive": type_name in ("varchar", "bpchar"),
        "isCurrency": False,
        "schemaName": "",
        "tableName": "",
    }


def encoder(name: str, signature: dict[str, Any]) -> Encoder:
    """How values of a column, as Trino's JSON has them, become Fields."""
    raw = signature["rawType"]
    type_name, kind = _kind(name, raw)
    convert: Callable[[Any], Any] = lambda value: value  # noqa: E731
    if type_name == "super":
        convert = lambda value: json.dumps(_nested(signature, value))  # noqa: E731
    elif raw == "varbinary":
        convert = base64.b64decode
    elif kind == "doubleValue":
        convert = float  # NaN and the infinities come as text
    elif kind == "stringValue":
        convert = str
    return lambda value: {"isNull": True} if value is None else {kind: convert(value)}


def _kind(name: str, raw: str) -> tuple[str, str]:
    if raw not in _TYPES:
        raise NoSuchType(f'column "{name}" has the type {raw}, which Redshift has not')
    return _TYPES[raw]


def _nested(signature: dict[str, Any], value: Any) -> Any:
    """A nested value with the names of its fields, which Trino's JSON leaves out."""
    if value is None:
        return None
    arguments = [argument["value"] for argument in signature["arguments"]]
    match signature["rawType"]:
        case "array":
            return [_nested(arguments[0], item) for item in value]
        case "map":
            return {key: _nested(arguments[1], item) for key, item in value.items()}
        case "row":
            fields = zip(arguments, value, strict=True)
            return {each["fieldName"]["name"]: _nested(each["typeSignature"], item) for each, item in fields}
    return value
