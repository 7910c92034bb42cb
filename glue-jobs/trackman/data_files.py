"""Parquet files of an Iceberg table, written without Spark: its columns by field id, one partition a file."""

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from trackman import aws
from trackman.partitioning import PartitionField, split_by_partition

_ROW_GROUP_BYTES = 64 << 20  # in memory
_UPLOADS = 4
_BATCH_ROWS = 50_000


class DataFile(NamedTuple):
    """A file that was uploaded and is part of no table yet."""

    location: str
    partition: tuple[str, ...]
    """Values of the table's partition fields, in the text that Iceberg reads."""
    rows: int
    bytes: int


@dataclass(frozen=True)
class Layout:
    """What a table's files look like and where they go. It can be sent to Spark's workers."""

    location: str
    schema: pa.Schema
    """With Iceberg's field ids."""
    partition_fields: Sequence[PartitionField]


def read_batches(location: str) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, by the jobs' own way to S3: Spark's need not know the address."""
    with tempfile.TemporaryDirectory(prefix="trackman-") as directory:
        path = Path(directory) / "rows.parquet"
        aws.download(location, path)
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(_BATCH_ROWS)


class DataFileWriter:
    """Writes rows into one file a group and partition, and uploads the files when it is closed.

    A context manager: what was not closed is forgotten, and what was uploaded belongs to no table until a commit takes
    it in.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._directory = tempfile.TemporaryDirectory(prefix="trackman-")
        self._open: dict[tuple, _OpenFile] = {}

    def __enter__(self) -> "DataFileWriter":
        return self

    def __exit__(self, *_) -> None:
        for file in self._open.values():
            file.abandon()
        self._directory.cleanup()

    def write(self, table: pa.Table, group: object = None) -> None:
        """Add rows; those of different groups never share a file."""
        for partition, rows in split_by_partition(table, self._layout.partition_fields):
            if (group, partition) not in self._open:
                self._open[group, partition] = _OpenFile(Path(self._directory.name), self._layout.schema, partition)
            self._open[group, partition].write(rows)

    def close(self) -> list[DataFile]:
        """Finish and upload the files, several at once: compression waits for no upload."""
        with ThreadPoolExecutor(_UPLOADS) as executor:
            files = list(executor.map(self._upload, self._open.values()))
        self._open.clear()
        return files

    def _upload(self, file: "_OpenFile") -> DataFile:
        location = f"{self._layout.location}/data/{file.path.name}"
        file.close()
        aws.upload(file.path, location)
        size = file.path.stat().st_size
        file.path.unlink()
        return DataFile(location, file.partition, file.rows, size)


def write_rows(rows: DataFrame, layout: Layout) -> list[DataFile]:
    """Write a DataFrame's rows, of the table's columns and types, by parallel tasks."""

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with DataFileWriter(layout) as writer:
            for batch in batches:
                writer.write(pa.Table.from_batches([batch]).select(layout.schema.names).cast(layout.schema))
            files = writer.close()
        names = DataFile._fields
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([file.location for file in files], pa.string()),
                pa.array([file.partition for file in files], pa.list_(pa.string())),
                pa.array([file.rows for file in files], pa.int64()),
                pa.array([file.bytes for file in files], pa.int64()),
            ],
            names,
        )

    files = rows.mapInArrow(write, "location string, partition array<string>, rows bigint, bytes bigint").collect()
    return [DataFile(file.location, tuple(file.partition), file.rows, file.bytes) for file in files]


class _OpenFile:
    """A Parquet file to which rows are added; small pieces are gathered into row groups of a useful size."""

    def __init__(self, directory: Path, schema: pa.Schema, partition: tuple[str, ...]) -> None:
        self.path = directory / f"{uuid.uuid4()}.parquet"
        self.partition = partition
        self.rows = 0
        self._writer = pq.ParquetWriter(self.path, schema, compression="zstd", store_schema=False)
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0

    def write(self, rows: pa.Table) -> None:
        self.rows += rows.num_rows
        self._pending.append(rows)
        self._pending_bytes += rows.nbytes
        if self._pending_bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending))
            self._pending, self._pending_bytes = [], 0
