"""Results as Athena writes them: ColumnInfo, the CSV or text file in S3, and pages read back from it.

GetQueryResults reads the file with the caller's own permissions, as Athena does: nothing is kept in memory.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

# --- Columns

# Athena's name, precision and scale of Trino's types; what is not listed has its own name and neither.
_TYPES = {
    "tinyint": ("tinyint", 3, 0),
    "smallint": ("smallint", 5, 0),
    "integer": ("integer", 10, 0),
    "bigint": ("bigint", 19, 0),
    "real": ("float", 17, 0),
    "double": ("double", 17, 0),
    "timestamp": ("timestamp", 3, 0),
    "timestamp with time zone": ("timestamp with time zone", 3, 0),
    "varbinary": ("varbinary", 1073741824, 0),
}


def column_info(name: str, signature: dict[str, Any]) -> dict[str, Any]:
    """Athena's ColumnInfo of a column; `signature` is Trino's typeSignature of its type."""
    raw = signature["rawType"]
    athena_type, precision, scale = _TYPES.get(raw, (raw, 0, 0))
    arguments = [argument["value"] for argument in signature["arguments"]]
    if raw == "decimal":
        precision, scale = arguments
    elif raw in ("varchar", "char"):
        precision = arguments[0]
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": athena_type,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": raw in ("varchar", "char"),
    }


def text_column(name: str) -> dict[str, Any]:
    """The ColumnInfo of a column of a SHOW or DESCRIBE statement."""
    return {**column_info(name, {"rawType": "string", "arguments": []}), "CaseSensitive": False}


# --- Values

Encoder = Callable[[Any], str]


def encoder(signature: dict[str, Any]) -> Encoder:
    """How values of a type, as Trino's JSON has them, are written by Athena. Nulls are not values."""
    inner = [encoder(_type_of(argument)) for argument in signature["arguments"] if argument["kind"].endswith("TYPE")]
    match signature["rawType"]:
        case "boolean":
            return lambda value: "true" if value else "false"
        case "real" | "double":
            return _float
        case "varbinary":
            return lambda value: base64.b64decode(value).hex(" ")
        case "array":
            return lambda values: f"[{', '.join(_nested(inner[0], value) for value in values)}]"
        case "map":
            return lambda values: _braces((inner[0](key), _nested(inner[1], value)) for key, value in values.items())
        case "row":
            names = [_field_name(argument, number) for number, argument in enumerate(signature["arguments"])]
            return lambda values: _braces(zip(names, map(_nested, inner, values), strict=True))
        case _:
            return str


def _type_of(argument: dict[str, Any]) -> dict[str, Any]:
    value = argument["value"]
    return value["typeSignature"] if argument["kind"] == "NAMED_TYPE" else value


def _field_name(argument: dict[str, Any], number: int) -> str:
    name = argument["value"].get("fieldName") if argument["kind"] == "NAMED_TYPE" else None
    return name["name"] if name else f"field{number}"


def _nested(encode: Encoder, value: Any) -> str:
    return "null" if value is None else encode(value)


def _braces(pairs: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in pairs) + "}"


def _float(value: float | str) -> str:
    """As Java writes a double: 1.0, 0.001, 1.0E7, 1.0E-4. NaN and the infinities come as text."""
    if isinstance(value, str):
        return value
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    if 1e-3 <= abs(value) < 1e7 or value == 0:
        return repr(float(value))
    mantissa = "".join(map(str, digits))
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{exponent + len(digits) - 1}"


# --- The file

Row = Sequence[str | None]


def write_csv_row(file: BinaryIO, row: Row) -> None:
    """Every value in quotes, a null as nothing at all."""
    cells = ("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row)
    file.write((",".join(cells) + "\n").encode())


_CSV_CELL = rb'(?:"(?:[^"]|"")*"|[^",\n]*)'
_CSV_ROW = re.compile(rb"%s(?:,%s)*\n" % (_CSV_CELL, _CSV_CELL))
_CSV_CELLS = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)")?')
_TEXT_ROW = re.compile(rb"[^\n]*\n")
_CHUNK_BYTES = 1 << 18


def read_rows(body: BinaryIO, *, is_csv: bool) -> Iterator[tuple[Row, int]]:
    """The rows of a result file from here on, each with its length in the file in bytes."""
    pattern = _CSV_ROW if is_csv else _TEXT_ROW
    buffer, at = b"", 0
    while True:
        match = pattern.match(buffer, at)
        if match:
            line = match[0].decode()[:-1]
            yield (_cells(line) if is_csv else [line]), match.end() - at
            at = match.end()
            continue
        chunk = body.read(_CHUNK_BYTES)
        if not chunk:
            return
        buffer, at = buffer[at:] + chunk, 0


def _cells(line: str) -> Row:
    return [None if cell[1] is None else cell[1].replace('""', '"') for cell in _CSV_CELLS.finditer(line)]
