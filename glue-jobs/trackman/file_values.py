"""Values of a feed's files → the lake's types.

A value that is not of its column's type makes its row a bad one. What is said of it names the row and the column and
never the value, which may be personal.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from trackman.column_types import ColumnDefinition
from trackman.contract import FileColumn
from trackman.pii import hash_texts

Values = list | pa.Array
"""Of one column: what JSON had, texts of a CSV, or typed values of Parquet. None where there was none."""

_UTC = pa.timestamp("us", "UTC")
_LOCAL = pa.timestamp("us")
_SERVING_TYPES = {
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double precision",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "string": "text",
}
# What a conversion fails by: pyarrow's own errors are among them.
_MISFITS = (ValueError, TypeError, OverflowError, ArithmeticError, pa.ArrowException)


class FileError(Exception):
    """A file is not what its contract says. The message says where, and quotes nothing of its contents."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a file."""

    numbers: Sequence[int]
    """Their places in the file, from 1."""
    columns: Mapping[str, Values]
    bad: Mapping[int, str]
    """What was wrong with rows that are not among them, by their places."""


@dataclass(frozen=True)
class Checked:
    """The rows of which every value fits."""

    numbers: pa.Int64Array
    columns: Mapping[str, pa.Array]
    """By the names of the kept columns, in the lake's types, personal data hashed."""
    bad: Mapping[int, str]


def lake_column(column: FileColumn) -> ColumnDefinition:
    """The column of the lake's table."""
    if column.pii == "hash":
        notes, kind = ("keyed hash",), "string"
    elif column.type == "timestamptz":
        notes, kind = ("an instant, in UTC",), "timestamp"
    else:
        notes, kind = (), column.type
    return column.name, kind, "; ".join(filter(None, (column.comment, *notes))) or None


def serving_type(column: FileColumn) -> str:
    """The column's type in dataengineering-db, as Postgres writes it."""
    if column.pii == "hash":
        return "text"
    return _SERVING_TYPES.get(column.type) or column.type.replace("decimal", "numeric").replace(" ", "")


def check(rows: Rows, columns: Sequence[FileColumn], pepper: bytes | None) -> Checked:
    """Convert the kept columns; a row of which a value does not fit is bad, by its first such column."""
    bad, bad_rows, converted = dict(rows.bad), set(), {}
    for column in columns:
        values = rows.columns.get(column.name)
        if values is None:
            values = pa.nulls(len(rows.numbers), pa.string())
        array, misfits = _convert(values, column)
        misfits = dict.fromkeys(misfits, f"expected {column.type}")
        if not column.nullable:
            missing = pc.indices_nonzero(pc.is_null(array)).to_pylist()
            misfits = {**dict.fromkeys(missing, "has no value"), **misfits}
        for row, reason in misfits.items():
            bad.setdefault(rows.numbers[row], f"column {column.name}: {reason}")
        bad_rows.update(misfits)
        converted[column.name] = hash_texts(array.cast(pa.string()), pepper) if column.pii == "hash" else array
    numbers = pa.array(rows.numbers, pa.int64())
    if bad_rows:
        good = pa.array([row not in bad_rows for row in range(len(rows.numbers))])
        numbers = numbers.filter(good)
        converted = {name: array.filter(good) for name, array in converted.items()}
    return Checked(numbers, converted, bad)


def _convert(values: Values, column: FileColumn) -> tuple[pa.Array, set[int]]:
    """The values in the column's type, null where one does not fit, and the rows of those."""
    convert = _converter(values, column.type)
    misfits: set[int] = set()
    try:
        return convert(values), misfits
    except _MISFITS:
        _find_misfits(values, convert, 0, misfits)
    if isinstance(values, list):
        fitting = [None if row in misfits else value for row, value in enumerate(values)]
    else:
        fits = pa.array([row not in misfits for row in range(len(values))])
        fitting = pc.if_else(fits, values, pa.scalar(None, values.type))
    return convert(fitting), misfits


def _find_misfits(values: Values, convert: Callable[[Values], pa.Array], first: int, found: set[int]) -> None:
    """The rows whose values cannot be converted, by halving: of many rows few are bad, as a rule."""
    try:
        convert(values)
    except _MISFITS:
        if len(values) == 1:
            found.add(first)
            return
        half = len(values) // 2
        _find_misfits(values[:half], convert, first, found)
        _find_misfits(values[half:], convert, first + half, found)


def _converter(values: Values, kind: str) -> Callable[[Values], pa.Array]:
    if isinstance(values, list):
        return lambda some: _from_json(some, kind)
    if pa.types.is_string(values.type):
        return lambda some: _from_text(some, kind)
    return lambda some: some.cast(_intermediate(kind)).cast(arrow_type(kind))


def arrow_type(kind: str) -> pa.DataType:
    """The lake's type in Arrow."""
    if kind.startswith("decimal"):
        precision, scale = kind.removeprefix("decimal(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return _ARROW[kind]


def _intermediate(kind: str) -> pa.DataType:
    """An instant has its zone until it is in UTC."""
    return _UTC if kind == "timestamptz" else arrow_type(kind)


_ARROW = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": _LOCAL,
    "timestamptz": _LOCAL,
    "string": pa.string(),
}
# Parquet's types that each of ours takes: none that would say something else.
_TAKES: Mapping[str, Sequence[Callable[[pa.DataType], bool]]] = {
    "boolean": (pa.types.is_boolean,),
    "int": (pa.types.is_integer,),
    "long": (pa.types.is_integer,),
    "float": (pa.types.is_floating, pa.types.is_integer),
    "double": (pa.types.is_floating, pa.types.is_integer),
    "decimal": (pa.types.is_decimal, pa.types.is_integer),
    "date": (pa.types.is_date,),
    "timestamp": (lambda kind: pa.types.is_timestamp(kind) and kind.tz is None,),
    "timestamptz": (lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None,),
    "string": (pa.types.is_string, pa.types.is_large_string),
}


def takes(kind: str, parquet: pa.DataType) -> bool:
    """Whether a column of a Parquet file can be one of the contract's type."""
    if pa.types.is_dictionary(parquet):
        parquet = parquet.value_type
    # A column that is null throughout says nothing of a type.
    return pa.types.is_null(parquet) or any(is_such(parquet) for is_such in _TAKES[kind.partition("(")[0]])


def _from_text(texts: pa.StringArray, kind: str) -> pa.Array:
    if kind == "string" and pc.any(pc.match_substring(texts, "\0")).as_py():
        raise ValueError  # Postgres has no place for it
    return texts.cast(_intermediate(kind)).cast(arrow_type(kind))


def _from_json(values: list, kind: str) -> pa.Array:
    """JSON's own types are taken at their word: no text for a number, no fraction for an integer."""
    family = kind.partition("(")[0]
    allowed = _JSON_TYPES.get(family, {str})
    if not set(map(type, values)) - {type(None)} <= allowed:
        raise TypeError
    target = arrow_type(kind)
    if family in ("float", "double"):
        values = [None if value is None else float(value) for value in values]
        if any(value is not None and not math.isfinite(value) for value in values):
            raise ValueError  # such as 1e999
    if family == "decimal":
        values = [None if value is None else Decimal(value) for value in values]
    if allowed == {str}:
        return _from_text(pa.array(values, pa.string()), kind)
    return pa.array(values, target)


_JSON_TYPES = {
    "boolean": {bool},
    "int": {int},
    "long": {int},
    "float": {int, float, Decimal},
    "double": {int, float, Decimal},
    "decimal": {int, Decimal, str},
}


def json_decoder(columns: Sequence[FileColumn]) -> json.JSONDecoder:
    """Fractions keep their digits when some column is a decimal. NaN and Infinity, which Python would take, are not
    JSON."""
    exact = any(column.type.startswith("decimal") for column in columns)
    return json.JSONDecoder(parse_float=Decimal if exact else None, parse_constant=_refuse_constant)


def _refuse_constant(_name: str) -> None:
    raise ValueError("not JSON")
