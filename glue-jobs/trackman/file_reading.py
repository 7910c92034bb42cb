"""One unit of the landing zone → rows of its feed's table, in a Spark task.

A unit is read to its end before a row of it goes anywhere: half a file is none. Until then its rows lie on the task's
disk, so that neither a large file nor many small ones need memory.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from pyspark import SparkContext

from trackman import aws
from trackman.contract import FilesContract
from trackman.data_files import DataFile, DataFileWriter, Layout
from trackman.file_formats import format_of, unpack
from trackman.file_values import Checked, FileError, check
from trackman.landing import Unit
from trackman.quality import Quality, judge, rows_set_aside

INGESTED, REPEATED, QUARANTINED = "ingested", "repeated", "quarantined"
_BLOCK_BYTES = 4 << 20
# What opening a file costs, as bytes: units are shared out evenly.
_UNIT_COST = 256 << 10

FILE, VERSION, LANDED_AT, ROW = "trackman_file", "trackman_version", "trackman_landed_at", "trackman_row"
PROVENANCE = (
    (FILE, "string", "key of the object in the landing zone"),
    (VERSION, "string", "that object's version"),
    (LANDED_AT, "timestamp", "when it landed, in UTC"),
    (ROW, "long", "the row's place in it, from 1"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a unit."""

    unit: Unit
    state: str
    rows: int = 0
    """That went into the table."""
    bad_rows: int = 0
    """That were left out."""
    reason: str | None = None
    """Of a quarantined unit, or of the first row that was left out."""
    sha256: str | None = None
    violations: Mapping[str, int] = field(default_factory=dict)
    """Rows that are against each rule of the contract, by its name; of a rule on the file, 1."""
    stops: str | None = None
    """What of that stops the feed."""


@dataclass(frozen=True)
class Failure:
    """What kept a unit from being read, and is no fault of its contents: a later run tries again."""

    unit: Unit
    error: str


@dataclass(frozen=True)
class Batch:
    """What became of some units, in files of no table yet."""

    outcomes: list[Outcome]
    failures: list[Failure]
    files: list[DataFile]


@dataclass(frozen=True)
class _Task:
    contract: FilesContract
    layout: Layout
    units: Sequence[Unit]
    ingested: frozenset[str]
    pepper: bytes | None = field(repr=False)


def read_units(
    spark_context: SparkContext,
    contract: FilesContract,
    layout: Layout,
    units: Sequence[Unit],
    ingested: frozenset[str],
    pepper: bytes | None,
) -> Batch:
    """Read units, as many tasks at a time as there are cores. `ingested`: digests of what their keys held before."""
    shares = _shares(units, spark_context.defaultParallelism)
    tasks = [_Task(contract, layout, share, ingested, pepper) for share in shares]
    batches = spark_context.parallelize(tasks, len(tasks)).map(_read_share).collect()
    return Batch(
        [outcome for batch in batches for outcome in batch.outcomes],
        [failure for batch in batches for failure in batch.failures],
        [file for batch in batches for file in batch.files],
    )


def _shares(units: Sequence[Unit], count: int) -> list[list[Unit]]:
    """About equal ones, none of them empty."""
    shares: list[list[Unit]] = [[] for _ in range(min(count, len(units)))]
    costs = [0] * len(shares)
    for unit in sorted(units, key=lambda unit: -unit.size):
        smallest = costs.index(min(costs))
        shares[smallest].append(unit)
        costs[smallest] += unit.size + _UNIT_COST
    return shares


def _read_share(task: _Task) -> Batch:
    batch = Batch([], [], [])
    with DataFileWriter(task.layout) as writer:
        for unit in task.units:
            try:
                with tempfile.TemporaryDirectory(prefix="trackman-") as directory:
                    batch.outcomes.append(_read_unit(task, unit, Path(directory), writer))
            except FileError as error:
                batch.outcomes.append(Outcome(unit, QUARANTINED, reason=str(error)))
            except (ClientError, BotoCoreError) as error:
                if not _is_gone(error):
                    batch.failures.append(Failure(unit, str(error)))
        batch.files.extend(writer.close())
    return batch


def _is_gone(error: Exception) -> bool:
    """It was deleted since it was listed: withdrawn, like others that nobody saw."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion")


def _read_unit(task: _Task, unit: Unit, directory: Path, writer: DataFileWriter) -> Outcome:
    contract = task.contract
    if not unit.size:
        raise FileError("is empty")
    if unit.size > contract.max_file_bytes:
        raise FileError(f"has more than {contract.max_file_bytes} bytes")
    read, is_packed = format_of(unit.key)
    path = directory / "object"
    digest = _download(unit, path)
    if digest in task.ingested:
        return Outcome(unit, REPEATED, sha256=digest)
    if is_packed:
        unpack(path, directory / "unpacked", contract.max_file_bytes)
        path = directory / "unpacked"
        if not path.stat().st_size:
            raise FileError("is empty")

    rows, bad_rows, first_bad = 0, 0, None
    told = _Told()
    spool = directory / "rows"
    with pa.ipc.new_file(spool, task.layout.schema) as target:
        for some in read(path, contract.columns):
            checked = _judge(check(some, contract.kept, task.pepper), contract.quality, told)
            if len(checked.numbers):
                target.write(_with_provenance(checked, unit, task.layout.schema))
            rows += len(checked.numbers)
            bad_rows += len(checked.bad)
            if checked.bad and first_bad is None:
                number = min(checked.bad)
                first_bad = f"row {number}: {checked.bad[number]}"
    if bad_rows > contract.bad_row_share * (rows + bad_rows):
        more = f", and {bad_rows - 1} more of {rows + bad_rows}" if bad_rows > 1 else ""
        return Outcome(unit, QUARANTINED, 0, bad_rows, f"{first_bad}{more}", digest, told.violations)
    if (row_count := contract.quality.row_count) is not None:
        problem = row_count.problem(rows + bad_rows)
        told.violations[row_count.name] = int(problem is not None)
        if problem and row_count.action == "quarantine":
            return Outcome(unit, QUARANTINED, 0, bad_rows, f"{row_count.name}: {problem}", digest, told.violations)
        if problem and row_count.action == "fail":
            told.stops = told.stops or f"has {problem} ({row_count.name})"
    for table in _spooled(spool):
        writer.write(table)
    return Outcome(unit, INGESTED, rows, bad_rows, first_bad, digest, told.violations, told.stops)


@dataclass
class _Told:
    """What a file's rows are told of."""

    violations: dict[str, int] = field(default_factory=dict)
    stops: str | None = None


def _judge(checked: Checked, quality: Quality, told: _Told) -> Checked:
    """The rows that are not against a rule that makes them bad ones."""
    rules = quality.cells
    violations = judge(rules, checked.columns)
    for rule, against in zip(rules, violations, strict=True):
        told.violations[rule.name] = told.violations.get(rule.name, 0) + against.true_count
        if rule.action == "fail" and against.true_count:
            number = checked.numbers.filter(against)[0]
            told.stops = told.stops or f"row {number} is against {rule.name}, expected {rule.expected}"
    if not (bad := rows_set_aside(rules, violations)):
        return checked
    good = pa.array(~np.isin(np.arange(len(checked.numbers)), list(bad)))
    reasons = {checked.numbers[row].as_py(): rule.reason for row, rule in bad.items()}
    columns = {name: values.filter(good) for name, values in checked.columns.items()}
    return Checked(checked.numbers.filter(good), columns, {**checked.bad, **reasons})


def _download(unit: Unit, path: Path) -> str:
    """To a file; the SHA-256 of its contents in hex."""
    digest = sha256()
    answer = aws.client("s3").get_object(Bucket=unit.bucket, Key=unit.key, VersionId=unit.version)
    with path.open("wb") as file:
        for block in answer["Body"].iter_chunks(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _with_provenance(checked: Checked, unit: Unit, schema: pa.Schema) -> pa.Table:
    """The table's columns; those that the contract no longer has are null."""
    count = len(checked.numbers)
    constants = {FILE: unit.key, VERSION: unit.version, LANDED_AT: unit.landed_at.replace(tzinfo=None)}
    columns = {
        **{name: pa.repeat(pa.scalar(value, schema.field(name).type), count) for name, value in constants.items()},
        ROW: checked.numbers,
        **checked.columns,
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _spooled(path: Path) -> Iterator[pa.Table]:
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
        for index in range(file.num_record_batches):
            yield pa.Table.from_batches([file.get_batch(index)])
