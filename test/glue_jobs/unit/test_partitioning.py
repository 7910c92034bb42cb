"""Partition values in the text that Iceberg reads."""

from datetime import datetime

import pyarrow as pa
import pytest
from trackman.partitioning import PartitionField, split_by_partition


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("year(at)", ["56", "-1", "__HIVE_DEFAULT_PARTITION__"]),
        ("month(at)", ["674", "-1", "__HIVE_DEFAULT_PARTITION__"]),
        ("day(at)", ["2026-03-29", "1969-12-31", "__HIVE_DEFAULT_PARTITION__"]),
        ("hour(at)", ["492985", "-1", "__HIVE_DEFAULT_PARTITION__"]),
    ],
)
def test_transforms(text: str, values: list[str]) -> None:
    times = pa.chunked_array([[datetime(2026, 3, 29, 1, 30), datetime(1969, 12, 31, 23, 59), None]], pa.timestamp("us"))
    assert PartitionField.parse(text).values(times).to_pylist() == values


def test_rows_are_split_by_all_fields_in_unchanged_order() -> None:
    table = pa.table({"club": ["a/b", "c", "a/b", None], "n": [1, 1, 1, 2], "row": [0, 1, 2, 3]})
    fields = [PartitionField.parse("club"), PartitionField.parse("identity(n)")]
    parts = {values: part["row"].to_pylist() for values, part in split_by_partition(table, fields)}
    assert parts == {("a/b", "1"): [0, 2], ("c", "1"): [1], ("__HIVE_DEFAULT_PARTITION__", "2"): [3]}


def test_unknown_transform_is_refused() -> None:
    with pytest.raises(ValueError, match=r'partition "bucket\(16, id\)": expected a column, or identity, year'):
        PartitionField.parse("bucket(16, id)")
