"""Partition values of rows, as Iceberg's partition transforms give them, in the text that Iceberg reads them from."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EPOCH_YEAR = 1970
_NULL = "__HIVE_DEFAULT_PARTITION__"


class PartitionField(NamedTuple):
    transform: str
    column: str

    @classmethod
    def parse(cls, text: str) -> "PartitionField":
        """From `month(hit_at)`; a column alone is its identity. Raises ValueError for transforms that are not known."""
        match = re.fullmatch(r"(?:(\w+)\((.+)\)|(.+))", text)
        field = cls(match[1] or "identity", match[2] or match[3])
        if field.transform not in _TRANSFORMS:
            raise ValueError(f'partition "{text}": expected a column, or {", ".join(_TRANSFORMS)} of one')
        return field

    def values(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.fill_null(_TRANSFORMS[self.transform](column).cast(pa.string()), _NULL)


def split_by_partition(table: pa.Table, fields: Sequence[PartitionField]) -> Iterator[tuple[tuple[str, ...], pa.Table]]:
    """The table's rows by their partition values, in unchanged order within each."""
    if not fields or not table.num_rows:
        yield (), table
        return
    columns = [field.values(table[field.column]).combine_chunks().dictionary_encode() for field in fields]
    # One number a row for its combination of values: sorting numbers is much faster than sorting combinations.
    codes = np.zeros(table.num_rows, np.int64)
    for column in columns:
        codes = codes * len(column.dictionary) + column.indices.to_numpy()
    found, first_rows = np.unique(codes, return_index=True)
    for code, row in zip(found, first_rows.tolist(), strict=True):
        values = tuple(column[row].as_py() for column in columns)
        yield values, table if len(found) == 1 else table.filter(pa.array(codes == code))


def _months(times: pa.ChunkedArray) -> pa.ChunkedArray:
    years = pc.multiply(pc.subtract(pc.year(times), _EPOCH_YEAR), 12)
    return pc.add(years, pc.subtract(pc.month(times), 1))


def _hours(times: pa.ChunkedArray) -> pa.ChunkedArray:
    hours = pc.floor_temporal(times, unit="hour").cast(pa.timestamp("s")).cast(pa.int64())
    return pc.divide(hours, 3600)


_TRANSFORMS = {
    "identity": lambda column: column,
    "year": lambda times: pc.subtract(pc.year(times), _EPOCH_YEAR),
    "month": _months,
    "day": lambda times: times.cast(pa.date32(), safe=False),
    "hour": _hours,
}
