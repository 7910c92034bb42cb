"""Postgres' text of a value → Arrow. The session settings of postgres.py are what makes the text unambiguous."""

from binascii import unhexlify

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trackman.column_types import PostgresType


class UnrepresentableValueError(ValueError):
    """A value that the lake's type has no place for."""

    def __init__(self, row: int, text: str, target: pa.DataType) -> None:
        super().__init__(row, text, target)  # what pickling brings back
        self.row = row
        self.text = text
        self.target = target

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 80 else f"{self.text[:80]}…"
        return f'"{shown}" has no place in {self.target}'


def from_text(texts: pa.StringArray, postgres_type: PostgresType, target: pa.DataType) -> pa.Array:
    """Values of `target` from what the type's output function writes.

    Raises UnrepresentableValueError for the first of NaN and infinity in decimals, infinity and years before 1 or after
    9999 in dates and times, more digits than the decimal has, arrays of more than one dimension.
    """
    if postgres_type.is_array:
        return _lists(texts, postgres_type, target)
    return _scalars(texts, target)


def from_text_or_null(
    texts: pa.StringArray, postgres_type: PostgresType, target: pa.DataType, limit: int
) -> tuple[pa.Array, dict[int, UnrepresentableValueError]]:
    """As `from_text`, with null in the place of at most `limit` values that have none, and what became of those by row.

    Raises UnrepresentableValueError for one more.
    """
    rejected: dict[int, UnrepresentableValueError] = {}
    while True:
        try:
            return from_text(texts, postgres_type, target), rejected
        except UnrepresentableValueError as error:
            if len(rejected) >= limit:
                raise
            rejected[error.row] = error
            is_rejected = pa.array(np.arange(len(texts)) == error.row)
            texts = pc.replace_with_mask(texts, is_rejected, pa.scalar(None, texts.type))


def _scalars(texts: pa.StringArray, target: pa.DataType) -> pa.Array:
    convert = _CONVERTERS.get(target.id, lambda values, to: values.cast(to))
    try:
        return convert(texts, target)
    except pa.ArrowInvalid:
        row = _first_failing(texts, lambda value: convert(value, target))
        raise UnrepresentableValueError(row, texts[row].as_py(), target) from None


def _first_failing(values: pa.Array, convert) -> int:
    """Index of the first value that cannot be converted, found by halving: a batch holds few such values."""
    start, length = 0, len(values)
    while length > 1:
        half = length // 2
        try:
            convert(values.slice(start, half))
            start, length = start + half, length - half
        except pa.ArrowInvalid:
            length = half
    return start


def _booleans(texts: pa.StringArray, _target: pa.DataType) -> pa.BooleanArray:
    return pc.equal(texts, "t")


def _timestamps(texts: pa.StringArray, target: pa.DataType) -> pa.TimestampArray:
    # In a session in UTC every timestamptz ends in +00, which says nothing that the type does not.
    return pc.replace_substring_regex(texts, r"\+00$", "").cast(target)


def _bytes(texts: pa.StringArray, target: pa.DataType) -> pa.BinaryArray:
    digits = pc.utf8_slice_codeunits(texts, 2)  # after \x
    validity, offsets, data = digits.buffers()
    offsets = np.frombuffer(offsets, np.int32, len(digits) + 1, digits.offset * 4)
    values = unhexlify(data[offsets[0] : offsets[-1]].to_pybytes()) if data else b""
    buffers = [validity, pa.py_buffer((offsets - offsets[0]) // 2), pa.py_buffer(values)]
    return pa.Array.from_buffers(target, len(digits), buffers, digits.null_count, offset=0)


_CONVERTERS = {
    pa.bool_().id: _booleans,
    pa.timestamp("us").id: _timestamps,
    pa.binary().id: _bytes,
}


def _lists(texts: pa.StringArray, postgres_type: PostgresType, target: pa.ListType) -> pa.ListArray:
    elements: list[str | None] = []
    rows: list[int] = []
    offsets: list[int | None] = []
    for row, text in enumerate(texts.to_pylist()):
        offsets.append(len(elements) if text is not None else None)
        if text is not None:
            try:
                parsed = parse_array(text)
            except ValueError:
                raise UnrepresentableValueError(row, text, target) from None
            elements.extend(parsed)
            rows.extend([row] * len(parsed))
    offsets.append(len(elements))
    try:
        values = _scalars(pa.array(elements, pa.string()), target.value_type)
    except UnrepresentableValueError as error:
        raise UnrepresentableValueError(rows[error.row], error.text, target) from None
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=target)


def parse_array(text: str) -> list[str | None]:
    """The elements of a one-dimensional array's text; ValueError for others (also with bounds: [2:3]={1,2})."""
    if not text.startswith("{"):
        raise ValueError(f"not an array of lower bound 1: {text}")
    elements: list[str | None] = []
    position, end = 1, len(text) - 1
    while position < end:
        if text[position] == "{":
            raise ValueError(f"an array of more than one dimension: {text}")
        if text[position] == '"':
            characters = []
            position += 1
            while text[position] != '"':
                position += text[position] == "\\"
                characters.append(text[position])
                position += 1
            elements.append("".join(characters))
            position += 2  # the quote and the comma
        else:
            comma = text.find(",", position)
            after = comma if comma >= 0 else end
            word = text[position:after]
            elements.append(None if word == "NULL" else word)
            position = after + 1
    return elements
