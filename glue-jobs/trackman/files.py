"""One run of the job ingest-files over one source in files mode.

What landed, less what the ledger knows, is read in batches: bounded in bytes and in units, in the order in which it
landed. A batch is one commit of the feed's table, with its rows and with what became of its units; then one of the
ledger (file_ledger.py says what a death in between means). A unit that is no good is quarantined by itself.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pyspark.sql import SparkSession

from trackman import aws
from trackman.bookmark import FRONTIER, format_time
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.column_types import ColumnDefinition
from trackman.contract import FilesContract
from trackman.data_files import DataFile
from trackman.errors import JobError
from trackman.file_ledger import LAST_BATCH, BatchRecord, Known, Ledger
from trackman.file_merging import merge_files
from trackman.file_reading import INGESTED, PROVENANCE, QUARANTINED, REPEATED, Batch, read_units
from trackman.file_values import arrow_type, lake_column
from trackman.iceberg import IcebergCatalog, IcebergTable, beside_upkeep
from trackman.landing import Unit, list_landed
from trackman.partitioning import PartitionField
from trackman.pii import contract_pepper
from trackman.reports import added

# Their outcomes are a property of the table, in each of its metadata files, until the next batch.
_UNITS_PER_COMMIT = 500
# What lands while a run is at work starts none: the workflow has one at a time. So it looks again, but not for ever.
_LOOKS = 5
_TOLD = 10


@dataclass
class FeedReport:
    """What a run did to a feed's table."""

    table: str
    listed: int = 0
    """Units in the landing zone."""
    ingested: int = 0
    repeated: int = 0
    """Units whose key held the same before."""
    quarantined: int = 0
    failed: int = 0
    """Units that S3 did not give: for a later run."""
    rows: int = 0
    bad_rows: int = 0
    """That were left out of units that were ingested."""
    violations: dict[str, int] = field(default_factory=dict)
    """Rows that are against each of the contract's rules, of quarantined units too; of `rowCount`, units."""
    bytes: int = 0
    commits: int = 0
    frontier: str | None = None
    """S3's clock: whatever landed before is in the table, or in the ledger with its reason. None when units failed."""
    seconds: float = 0.0
    error: str | None = None


class FilesIngestion:
    """A run over one feed."""

    def __init__(
        self,
        spark: SparkSession,
        contract: FilesContract,
        landing_bucket: str,
        raw_database: str,
        lake_database: str,
        run_id: str,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._spark = spark
        self._catalog = IcebergCatalog(spark)
        self._contract = contract
        self._landing_bucket = landing_bucket
        self._raw_database = raw_database
        self._lake_database = lake_database
        self._run_id = run_id
        self._checkpoint = checkpoint
        self._pepper = contract_pepper(contract)
        self._report = FeedReport(contract.table)
        self._problems: list[str] = []

    def run(self) -> FeedReport:
        """Take what landed; the report's `error` says what somebody must look at."""
        started = time.monotonic()
        table, record = self._open()
        ledger = Ledger(self._spark, self._raw_database, self._contract, table.uuid)
        ledger.settle(record, self._run_id)
        known = None
        for _ in range(_LOOKS):
            listing = list_landed(self._landing_bucket, self._contract.prefix)
            known = known or ledger.known(listing.units)
            pending = [unit for unit in listing.units if unit.identity not in known.identities]
            for units in batches(pending, self._contract.bytes_per_commit):
                record = self._take(units, known, table, ledger, record)
            if not pending:
                break
        report = self._report
        report.listed = len(listing.units)
        properties = {LAST_BATCH: record.emptied().to_json()}
        if not report.failed:
            report.frontier = properties[FRONTIER] = format_time(listing.began_at)
        beside_upkeep(lambda: table.publish(self._run_id, {LAST_BATCH: record.to_json()}, properties))
        report.error = _told(self._problems)
        report.seconds = round(time.monotonic() - started, 3)
        return report

    def _open(self) -> tuple[IcebergTable, BatchRecord]:
        """The feed's table with the contract's columns, and its last batch."""
        contract = self._contract
        columns = table_columns(contract)
        table = self._catalog.find(self._lake_database, contract.table)
        if table is None:
            partition_by = [PartitionField.parse(text) for text in contract.partition_by]
            new = self._catalog.begin_create(self._lake_database, contract.table, columns, partition_by)
            new.publish({LAST_BATCH: BatchRecord(contract.source).to_json()})
            self._checkpoint("table created")
            table = self._catalog.find(self._lake_database, contract.table)
        text = table.properties.get(LAST_BATCH)
        record = BatchRecord.from_json(text) if text else None
        if record is None or record.source != contract.source:
            holder = record.source if record else "a source in another mode"
            raise JobError(f"{contract.source}: {table.name} is of {holder}: give one of the two another table")
        self._evolve(table, columns)
        return table, record

    def _evolve(self, table: IcebergTable, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns that are new in the contract. One that is no longer in it stays, and is null from now on."""
        present = {column.name: column.type for column in table.layout.schema}
        for name, kind, _ in columns:
            if name in present and present[name] != arrow_type(kind):
                raise JobError(
                    f"{self._contract.source}: column {name} of {table.name} is {present[name]}, {kind} in the "
                    "contract: files cannot change it; give the new one another name"
                )
        added = [column for column in columns if column[0] not in present]
        if added:
            table.evolve(added, (), {})
            self._checkpoint("columns added")

    def _take(
        self, units: Sequence[Unit], known: Known, table: IcebergTable, ledger: Ledger, record: BatchRecord
    ) -> BatchRecord:
        digests = frozenset(digest for unit in units for digest in known.digests.get(unit.key, ()))
        batch = read_units(self._spark.sparkContext, self._contract, table.layout, units, digests, self._pepper)
        self._checkpoint("batch read")
        stopping = [f"{outcome.unit.key}: {outcome.stops}" for outcome in batch.outcomes if outcome.stops]
        if stopping:
            raise JobError(
                f"{_told(stopping)}: {self._contract.table} has nothing of what landed with it until it is withdrawn "
                "or the contract has another rule"
            )
        if batch.outcomes:
            following = record.followed_by(self._run_id, batch.outcomes)
            self._publish(table, batch.files, record, following)
            self._checkpoint("batch published")
            ledger.settle(following, self._run_id)
            self._checkpoint("ledger published")
            record = following
        self._count(batch, known)
        return record

    def _publish(
        self, table: IcebergTable, files: Sequence[DataFile], record: BatchRecord, following: BatchRecord
    ) -> None:
        expected, properties = {LAST_BATCH: record.to_json()}, {LAST_BATCH: following.to_json()}
        if not self._contract.key or not files:
            beside_upkeep(lambda: table.publish(self._run_id, expected, properties, files))
            return

        def merge_and_publish() -> None:
            table.refresh()
            branch = table.branch(self._run_id)
            schema = self._spark.table(table.spark_name).schema
            merge_files(self._spark, files, branch, self._contract.key, schema)
            self._checkpoint("branch written")
            table.publish(self._run_id, expected, properties)

        beside_upkeep(merge_and_publish)
        # They are part of no table: the merge wrote its own. After a death, upkeep finds them.
        aws.delete_objects([file.location for file in files])

    def _count(self, batch: Batch, known: Known) -> None:
        report = self._report
        known.identities.update(each.unit.identity for each in (*batch.outcomes, *batch.failures))
        for outcome in batch.outcomes:
            report.bytes += outcome.unit.size
            report.violations = added(report.violations, outcome.violations)
            if outcome.state == INGESTED:
                known.digests.setdefault(outcome.unit.key, set()).add(outcome.sha256)
                report.ingested += 1
                report.rows += outcome.rows
                report.bad_rows += outcome.bad_rows
            elif outcome.state == REPEATED:
                report.repeated += 1
            elif outcome.state == QUARANTINED:
                report.quarantined += 1
                self._problems.append(f"{outcome.unit.key} is quarantined: {outcome.reason}")
        for failure in batch.failures:
            report.failed += 1
            self._problems.append(f"{failure.unit.key} could not be read: {failure.error}")
        report.commits += bool(batch.outcomes)


def _told(problems: Sequence[str]) -> str | None:
    """The first of them; the ledger has all."""
    more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
    return "; ".join(problems[:_TOLD]) + more or None


def table_columns(contract: FilesContract) -> list[ColumnDefinition]:
    """The lake's: the contract's, and where each row is from."""
    return [*map(lake_column, contract.kept), *PROVENANCE]


def batches(units: Collection[Unit], bytes_per_commit: int) -> Iterator[list[Unit]]:
    """Units in their order, some at a time; a larger one is alone. No two versions of one key are together."""
    batch: list[Unit] = []
    size, keys = 0, set()
    for unit in units:
        full = size + unit.size > bytes_per_commit or len(batch) == _UNITS_PER_COMMIT
        if batch and (full or unit.key in keys):
            yield batch
            batch, size, keys = [], 0, set()
        batch.append(unit)
        size += unit.size
        keys.add(unit.key)
    if batch:
        yield batch
