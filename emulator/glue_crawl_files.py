"""What a file holds: format, compression and columns, told from its beginning, as Glue's classifiers tell it.

Custom classifiers are asked first, in the crawler's order, then the built-in ones: Parquet, JSON, CSV. What none of
them recognizes has the classification UNKNOWN.
"""

import csv
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from emulator.glue_classifiers import Classifier

HEAD_BYTES = 1 << 20  # how much of a file is looked at
_LONGEST_HEADER_VALUE = 150  # characters
_DELIMITERS = (",", "|", "\t", ";", "\x01")
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"

_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_CSV_SERDES = {
    "LazySimpleSerDe": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    "OpenCSVSerDe": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
}

Columns = tuple[tuple[str, str], ...]
"""Names and types, as the catalog has them."""


@dataclass(frozen=True)
class FileContent:
    """The format of a file, and how many records it has by what its beginning says."""

    classification: str
    columns: Columns = ()
    records: int = 0
    compression: str = "none"
    parameters: Mapping[str, str] = field(default_factory=dict)  # of the table, beside those that every format has
    storage: Mapping[str, Any] = field(default_factory=dict)  # formats and serializer, for the StorageDescriptor


UNKNOWN = FileContent("UNKNOWN")


class _NotOfThisFormat(Exception):
    """What is looked at is of another format."""


def classify(head: bytes, size: int, classifiers: Sequence[Classifier]) -> FileContent | None:
    """The content of a file of `size` bytes, of which `head` are the first HEAD_BYTES.

    None for Parquet, which says what it holds at its end.
    """
    if head.startswith(_PARQUET):
        return None
    compression, plain = "none", head
    if head.startswith(_GZIP):
        compression, plain = "gzip", _decompressed(head)
    is_whole = size <= HEAD_BYTES and len(plain) < HEAD_BYTES
    ways = [*map(_custom, classifiers), _json, _csv]
    content = next(filter(None, (_attempt(way, plain, is_whole) for way in ways)), UNKNOWN)
    # Compressed text has no size of its own; the ratio of what was looked at stands for the rest.
    looked_at = min(len(head), size) or 1
    records = content.records if is_whole else content.records * size // looked_at
    return FileContent(
        content.classification, content.columns, records, compression, content.parameters, content.storage
    )


def parquet(columns: Columns, records: int, compression: str) -> FileContent:
    """The content of a Parquet file whose schema was read from its end."""
    storage = {
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    }
    return FileContent("parquet", columns, records, compression, storage=storage)


Way = Callable[[str, bool], FileContent]
"""Reads a text, which may be the whole of a file; raises _NotOfThisFormat."""


def _attempt(way: Way, plain: bytes, is_whole: bool) -> FileContent | None:
    text = plain.decode("utf-8-sig", errors="strict" if is_whole else "ignore") if _is_text(plain, is_whole) else ""
    if not text.strip():
        return None
    try:
        return way(text, is_whole)
    except _NotOfThisFormat:
        return None


def _is_text(plain: bytes, is_whole: bool) -> bool:
    if b"\0" in plain:
        return False
    try:
        # A character may be cut at the end of what was read.
        (plain if is_whole else plain[:-4]).decode()
    except UnicodeDecodeError:
        return False
    return True


def _decompressed(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def _custom(classifier: Classifier) -> Way:
    ((kind, definition),) = classifier.items()
    return (_CustomCsv if kind == "CsvClassifier" else _CustomJson)(definition)


# --- JSON


def _json(text: str, is_whole: bool) -> FileContent:
    """Objects one after the other; of an array the whole is one column."""
    documents = _documents(text, is_whole)
    if all(isinstance(document, dict) for document in documents):
        return _json_content(documents)
    if len(documents) == 1 and isinstance(documents[0], list):
        return _json_content([{"array": documents[0]}])
    raise _NotOfThisFormat


@dataclass(frozen=True)
class _CustomJson:
    definition: Mapping[str, str]

    def __call__(self, text: str, is_whole: bool) -> FileContent:
        """The objects that the classifier's JsonPath leads to."""
        steps = re.findall(r"\.(\w+)|\['([^']+)'\]|(\[\*\]|\[\d+\])", self.definition["JsonPath"])
        found = _documents(text, is_whole)
        for name, quoted, index in steps:
            found = [value for each in found for value in _follow(each, name or quoted, index)]
        if not found or not all(isinstance(value, dict) for value in found):
            raise _NotOfThisFormat
        return _json_content(found)


def _follow(value: Any, name: str, index: str) -> list[Any]:
    if name:
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return []
    return value if index == "[*]" else value[int(index[1:-1]) :][:1]


def _documents(text: str, is_whole: bool) -> list[Any]:
    decoder, documents, position = json.JSONDecoder(), [], 0
    if text.lstrip()[0] not in "{[":
        raise _NotOfThisFormat
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        try:
            document, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            if is_whole or not documents:
                raise _NotOfThisFormat from error
            break  # the document is cut where reading stopped
        documents.append(document)
    return documents


def _json_content(objects: Sequence[Mapping[str, Any]]) -> FileContent:
    types = reduce(_united_fields, ({name: _json_type(value) for name, value in each.items()} for each in objects), {})
    columns = tuple((name.lower(), _rendered(type_)) for name, type_ in types.items())
    storage = {
        "InputFormat": _TEXT_INPUT,
        "OutputFormat": _TEXT_OUTPUT,
        "SerdeInfo": {
            "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
            "Parameters": {"paths": ",".join(sorted(types))},
        },
    }
    return FileContent("json", columns, len(objects), storage=storage)


_Type = str | list | dict | None
"""A type of the catalog by its name; a list of its elements' type; a struct's fields; None of nulls only."""


def _json_type(value: Any) -> _Type:
    if isinstance(value, dict):
        return {name: _json_type(member) for name, member in value.items()}
    if isinstance(value, list):
        return [reduce(_united, map(_json_type, value), None)]
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "bigint"
    return {float: "double", str: "string"}.get(type(value))


def _united(one: _Type, other: _Type) -> _Type:
    """The type that holds the values of both."""
    if one == other or other is None:
        return one
    if one is None:
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return _united_fields(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return [_united(one[0], other[0])]
    numbers = ["int", "bigint", "double"]
    return max(one, other, key=numbers.index) if one in numbers and other in numbers else "string"


def _united_fields(one: Mapping[str, _Type], other: Mapping[str, _Type]) -> dict[str, _Type]:
    return {name: _united(one.get(name), other.get(name)) for name in {**one, **other}}


def _rendered(type_: _Type) -> str:
    if isinstance(type_, dict):
        return f"struct<{','.join(f'{name}:{_rendered(member)}' for name, member in type_.items())}>"
    if isinstance(type_, list):
        return f"array<{_rendered(type_[0])}>"
    return type_ or "string"


# --- CSV


def _csv(text: str, is_whole: bool) -> FileContent:
    """At least two columns and two rows, by the first delimiter that gives every row as many values."""
    for delimiter in _DELIMITERS:
        rows = _rows(text, is_whole, delimiter, '"')
        if len(rows) > 1 and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            header = rows[0] if _is_header(rows[0], rows[1:]) else None
            return _csv_content(rows, header, delimiter, '"', has_header=header is not None)
    raise _NotOfThisFormat


@dataclass(frozen=True)
class _CustomCsv:
    definition: Mapping[str, Any]

    def __call__(self, text: str, is_whole: bool) -> FileContent:
        """Rows of as many values as the classifier's header has, or as the first row has."""
        delimiter, quote = self.definition.get("Delimiter", ","), self.definition.get("QuoteSymbol", '"')
        rows = _rows(text, is_whole, delimiter, quote)
        header = self.definition.get("Header")
        widths = {len(row) for row in rows}
        if not rows or widths != {len(header or rows[0])}:
            raise _NotOfThisFormat
        if widths == {1} and not self.definition.get("AllowSingleColumn"):
            raise _NotOfThisFormat
        has_header = self._has_header(rows, header)
        return _csv_content(
            rows,
            header or (rows[0] if has_header else None),
            delimiter,
            quote,
            has_header=has_header,
            types=self.definition.get("CustomDatatypes") if self.definition.get("CustomDatatypeConfigured") else None,
            serde=self.definition.get("Serde", "LazySimpleSerDe"),
        )

    def _has_header(self, rows: list[list[str]], header: list[str] | None) -> bool:
        contains = self.definition.get("ContainsHeader", "UNKNOWN")
        if contains == "UNKNOWN":
            return rows[0] == header if header else _is_header(rows[0], rows[1:])
        return contains == "PRESENT"


def _rows(text: str, is_whole: bool, delimiter: str, quote: str) -> list[list[str]]:
    lines = text.splitlines(keepends=True)
    if not is_whole:
        lines.pop()  # it may be cut
    try:
        return [row for row in csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True) if row]
    except csv.Error as error:
        raise _NotOfThisFormat from error


def _is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Names of columns, and below them something that is not all text."""
    are_names = all(re.fullmatch(r"\w[\w .-]*", value.strip()) for value in first)
    are_short = all(len(value) < _LONGEST_HEADER_VALUE for value in first)
    return are_names and are_short and set(_types([first])) == {"string"} and set(_types(rows)) != {"string"}


def _csv_content(
    rows: Sequence[Sequence[str]],
    header: Sequence[str] | None,
    delimiter: str,
    quote: str,
    *,
    has_header: bool,
    types: Sequence[str] | None = None,
    serde: str = "LazySimpleSerDe",
) -> FileContent:
    data = rows[1:] if has_header else rows
    names = header or [f"col{number}" for number in range(len(rows[0]))]
    found = [_CUSTOM_TYPES.get(each, each.lower()) for each in types] if types else _types(data, len(names))
    parameters = {
        "areColumnsQuoted": "false",
        "columnsOrdered": "true",
        "delimiter": delimiter,
        **({"skip.header.line.count": "1"} if has_header else {}),
    }
    serde_parameters = (
        {"separatorChar": delimiter, "quoteChar": quote} if serde == "OpenCSVSerDe" else {"field.delim": delimiter}
    )
    storage = {
        "InputFormat": _TEXT_INPUT,
        "OutputFormat": _TEXT_OUTPUT,
        "SerdeInfo": {
            "SerializationLibrary": _CSV_SERDES.get(serde, _CSV_SERDES["LazySimpleSerDe"]),
            "Parameters": serde_parameters,
        },
    }
    columns = tuple(zip((name.strip().lower() for name in names), found, strict=True))
    return FileContent("csv", columns, len(data), parameters=parameters, storage=storage)


_CUSTOM_TYPES = {"LONG": "bigint", "SHORT": "smallint"}


def _types(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """The types of the columns of rows that are all as wide."""
    columns = zip(*rows, strict=True) if rows else [()] * (width or 0)
    return [_column_type([value.strip() for value in column if value.strip()]) for column in columns]


def _column_type(values: Sequence[str]) -> str:
    return reduce(_wider, map(_csv_type, values), "") or "string"


def _wider(one: str, other: str) -> str:
    if not one or one == other:
        return other
    return "double" if {one, other} == {"bigint", "double"} else "string"


def _csv_type(value: str) -> str:
    if re.fullmatch(r"[+-]?\d{1,18}", value):
        return "bigint"
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
        return "double"
    return "boolean" if value.lower() in ("true", "false") else "string"
