"""The formats of a feed's files: which a name says, and how each is read, some rows at a time."""

import codecs
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from trackman.contract import FileColumn
from trackman.file_values import FileError, Rows, json_decoder, takes

_BLOCK_BYTES = 4 << 20
_LONGEST_ROW_BYTES = 16 << 20
_ROWS = 50_000

Read = Callable[[Path, Sequence[FileColumn]], Iterator[Rows]]


def format_of(key: str) -> tuple[Read, bool]:
    """How an object of this key is read, and whether it has to be unpacked. FileError when its name says neither."""
    name = key.rpartition("/")[2]
    plain = name.removesuffix(".gz")
    for suffix, read in _READERS.items():
        if plain.endswith(suffix):
            return read, plain != name
    raise FileError(f"its name ends in none of {', '.join(_READERS)}, nor in one of these with .gz")


def unpack(packed: Path, into: Path, limit: int) -> None:
    """Of gzip. FileError as soon as there is more than `limit` bytes, or when it is none."""
    total = 0
    try:
        with gzip.open(packed) as source, into.open("wb") as target:
            while block := source.read(_BLOCK_BYTES):
                total += len(block)
                if total > limit:
                    raise FileError(f"unpacks to more than {limit} bytes")
                target.write(block)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileError("is no gzip file, or not all of one") from error


def _read_json(path: Path, columns: Sequence[FileColumn]) -> Iterator[Rows]:
    """An array of objects, or an object a line."""
    with path.open("rb") as file:
        start = file.read(1024).removeprefix(codecs.BOM_UTF8).lstrip()
    return (_read_array if start.startswith(b"[") else _read_lines)(path, columns)


def _read_lines(path: Path, columns: Sequence[FileColumn]) -> Iterator[Rows]:
    """Lines that are empty count and say nothing."""
    collector = _Objects(columns)
    decode = json_decoder(columns).decode
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            try:
                collector.add(number, decode(line.decode()))
            except (ValueError, RecursionError):  # wrong UTF-8 is a ValueError too
                collector.refuse(number, "is not JSON")
            if collector.is_full:
                yield collector.take()
    yield collector.take()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while block := file.read(_BLOCK_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > _LONGEST_ROW_BYTES:
            raise FileError(f"has a line of more than {_LONGEST_ROW_BYTES} bytes")
        yield from lines
    if rest:
        yield rest


def _read_array(path: Path, columns: Sequence[FileColumn]) -> Iterator[Rows]:
    collector = _Objects(columns)
    with path.open(encoding="utf-8-sig") as file:
        try:
            for number, value in enumerate(_elements(file, json_decoder(columns)), 1):
                collector.add(number, value)
                if collector.is_full:
                    yield collector.take()
        except UnicodeDecodeError as error:
            raise FileError("is not UTF-8") from error
    yield collector.take()


def _elements(file: TextIO, decoder: json.JSONDecoder) -> Iterator[object]:
    """The objects of a JSON array, of which never more than some are in memory."""
    text, position, number, ended = file.read(_BLOCK_BYTES).lstrip()[1:], 0, 0, False
    separator = ""
    while True:
        position = _skip_space(text, position)
        if position == len(text) and not ended:
            text, position = file.read(_BLOCK_BYTES), 0
            ended = not text
            continue
        following = text[position : position + 1]
        if following == "]" and separator != ",":
            if text[position + 1 :].strip() or file.read(_BLOCK_BYTES).strip():
                raise FileError("goes on behind the end of its array")
            return
        if separator == "" and number:
            if following != ",":
                raise FileError(f"is no JSON behind row {number}")
            separator, position = ",", position + 1
            continue
        if following != "{":
            raise FileError(f"is no JSON, or none of objects, behind row {number}")
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            if ended or len(text) - position > _LONGEST_ROW_BYTES:
                raise FileError(f"is no JSON behind row {number}") from error
            more = file.read(_BLOCK_BYTES)
            ended = not more
            text, position = text[position:] + more, 0
            continue
        number, separator = number + 1, ""
        yield value


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


class _Objects:
    """Gathers objects into columns."""

    def __init__(self, columns: Sequence[FileColumn]) -> None:
        self._names = {column.name for column in columns}
        self._kept = [column.name for column in columns if column.pii != "drop"]
        self._forget()

    def add(self, number: int, value: object) -> None:
        if not isinstance(value, dict):
            self.refuse(number, "is no object")
        elif not value.keys() <= self._names:
            # Unnamed: what stands for a name may be anything.
            place = next(place for place, name in enumerate(value, 1) if name not in self._names)
            self.refuse(number, f"its field {place} is no column of the contract")
        else:
            self._numbers.append(number)
            self._objects.append(value)

    def refuse(self, number: int, reason: str) -> None:
        self._bad[number] = reason

    @property
    def is_full(self) -> bool:
        return len(self._numbers) + len(self._bad) >= _ROWS

    def take(self) -> Rows:
        columns = {name: [value.get(name) for value in self._objects] for name in self._kept}
        rows = Rows(self._numbers, columns, self._bad)
        self._forget()
        return rows

    def _forget(self) -> None:
        self._numbers: list[int] = []
        self._objects: list[dict] = []
        self._bad: dict[int, str] = {}


def _read_csv(path: Path, columns: Sequence[FileColumn]) -> Iterator[Rows]:
    """Comma, double quotes, a header. No text between two commas is no value, "" is an empty one."""
    kept = [column.name for column in columns if column.pii != "drop"]
    _check_text(path)
    # By their places in the file, its header included.
    malformed: set[int] = set()

    def skip(row: csv.InvalidRow) -> str:
        malformed.add(row.number)
        return "skip"

    try:
        with csv.open_csv(
            path,
            csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            csv.ConvertOptions(
                column_types={column.name: pa.string() for column in columns},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        ) as reader:
            _check_names(reader.schema.names, columns)
            reason = f"has not {len(reader.schema.names)} values"
            place = 1
            for batch in reader:
                numbers = []
                while len(numbers) < batch.num_rows:
                    place += 1
                    if place not in malformed:
                        numbers.append(place)
                # The reader may be ahead of what it gives.
                bad = {row: reason for row in malformed if row <= place}
                malformed.difference_update(bad)
                yield Rows(numbers, {name: batch[name] for name in kept if name in batch.schema.names}, bad)
            yield Rows([], {}, dict.fromkeys(malformed, reason))
    except pa.ArrowInvalid as error:
        raise FileError("cannot be read as CSV") from error


def _check_text(path: Path) -> None:
    """What pyarrow would pass over: a quote without end is closed by the end of the file, for it."""
    decoder, quotes = codecs.getincrementaldecoder("utf-8")(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
                quotes += block.count(b'"')
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise FileError("is not UTF-8") from error
    if quotes % 2:
        raise FileError("has a quote without end")


def _read_parquet(path: Path, columns: Sequence[FileColumn]) -> Iterator[Rows]:
    by_name = {column.name: column for column in columns if column.pii != "drop"}
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_names(schema.names, columns)
            for field in schema:
                if field.name in by_name and not takes(by_name[field.name].type, field.type):
                    found = "a nested type" if pa.types.is_nested(field.type) else field.type
                    raise FileError(f"column {field.name}: expected {by_name[field.name].type}, it has {found}")
            place = 0
            for batch in file.iter_batches(_ROWS, columns=[name for name in schema.names if name in by_name]):
                numbers = range(place + 1, place + 1 + batch.num_rows)
                place += batch.num_rows
                yield Rows(numbers, {name: _plain(batch[name]) for name in batch.schema.names}, {})
    except (pa.ArrowException, OSError) as error:
        raise FileError("cannot be read as Parquet") from error


def _plain(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.string()) if pa.types.is_large_string(values.type) else values


def _check_names(names: Sequence[str], columns: Sequence[FileColumn]) -> None:
    known = {column.name for column in columns}
    for place, name in enumerate(names, 1):
        if name not in known:
            # Unnamed: without a header, a first row's values stand there.
            raise FileError(f"its column {place} is none of the contract")
    if len(set(names)) < len(names):
        raise FileError("has a column twice")


_READERS: dict[str, Read] = {
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
