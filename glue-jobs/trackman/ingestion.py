"""One run of the job ingest over one source in log mode.

In this order, so that a death between any two steps leaves what the next run can go on from: the slot; first copies
of new tables; a barrier in the source's log; the change log up to it; the slot, acknowledged; each current table by its
own bookmark. A table that fails does not stop the others.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from trackman import aws
from trackman.bookmark import EPOCH, FRONTIER, Bookmark, bookmark_property, format_time
from trackman.change_log import Drain, Drained, open_change_log, start_or_resume
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import Contract, TableName
from trackman.current import Merged, apply_changes
from trackman.discovery import discover_tables
from trackman.errors import JobError, TableError
from trackman.iceberg import IcebergCatalog, IcebergTable, NewTable
from trackman.lake_table import DEFINITION, LakeTable, added_columns, describe, with_columns
from trackman.metrics import Measure, nowhere
from trackman.partitioning import PartitionField
from trackman.pending import NOTHING, Span, Summary, read_log, summarize
from trackman.pii import read_pepper
from trackman.postgres import Server
from trackman.snapshot import copy_ranges, exported_snapshot, plan_copy
from trackman.source import Barrier, Source, source_server
from trackman.source_tables import SourceTable

# What one table can fail by. Anything else ends the run.
_FAILURES = (JobError, Py4JJavaError, PySparkException)


@dataclass(frozen=True)
class TableReport:
    """What a run did to a table."""

    table: str
    read: int = 0
    """Rows of a first copy, changes of the change log."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    seconds: float = 0.0
    error: str | None = None

    def and_then(self, later: "TableReport") -> "TableReport":
        """Of both steps, the later one's outcome."""
        return TableReport(
            self.table,
            self.read + later.read,
            self.inserted + later.inserted,
            self.updated + later.updated,
            self.deleted + later.deleted,
            round(self.seconds + later.seconds, 3),
            later.error,
        )


class Ingestion:
    """A run over one source."""

    def __init__(
        self,
        spark: SparkSession,
        contract: Contract,
        raw_database: str,
        lake_database: str,
        run_id: str,
        checkpoint: Checkpoint = no_checkpoint,
        measure: Measure = nowhere,
    ) -> None:
        self._spark = spark
        self._catalog = IcebergCatalog(spark)
        self._contract = contract
        self._raw_database = raw_database
        self._lake_database = lake_database
        self._run_id = run_id
        self._checkpoint = checkpoint
        self._measure = measure
        self._bookmark_property = bookmark_property(contract.source)
        hashes = any(options.columns_with("hash") for options in contract.tables.values())
        self._pepper = read_pepper(aws.secret(contract.pepper_secret)) if hashes else None

    def run(self) -> list[TableReport]:
        """Bring the change log and the current tables up to the source's present; the reports tell what failed."""
        contract = self._contract
        names = discover_tables(contract)
        server = source_server(contract)
        with closing(server.connect()) as connection:
            source = Source(contract, connection)
            source.lock()
            identity = source.check()
            # Now, before the slot is acknowledged: the most that the source had to keep since the last run, and known
            # of a run that fails too.
            self._measure(source.slot_lag())
            log = open_change_log(self._catalog, self._raw_database)
            bookmark = start_or_resume(log, source, contract, identity, self._run_id)
            self._checkpoint("slot ready")

            known, _ = source.tables(names)
            copied = self._copy_new_tables(server, known)

            barrier = source.set_barrier(self._run_id)
            self._checkpoint("barrier set")
            drain = Drain(log, source, server, contract, self._pepper, self._run_id, self._checkpoint)
            reached = drain.run(bookmark, barrier)
            # Once more, now that the barrier is behind: whatever changed a table before the changes that were read
            # is seen here.
            tables, refused = source.tables(names)
            not_followed = [TableReport(str(name), error=reason) for name, reason in refused.items()]
            not_copied = {report.table for report in copied if report.error}
            followed = [tables[name] for name in known if name in tables and str(name) not in not_copied]
            caught_up = self._catch_up(log, followed, bookmark, reached, barrier)
        return _by_table([*copied, *not_followed, *caught_up])

    def _copy_new_tables(self, server: Server, tables: Mapping[TableName, SourceTable]) -> list[TableReport]:
        """First copies, all of one moment, of the tables that the lake does not have."""
        new = [table for name, table in tables.items() if self._find(name) is None]
        if not new:
            return []
        started = time.monotonic()
        reports, creations, copies = [], {}, []
        with exported_snapshot(server) as (snapshot, connection):
            for source_table in new:
                try:
                    table, creation = self._begin_create(source_table)
                except TableError as error:
                    reports.append(TableReport(str(source_table.name), error=str(error)))
                    continue
                creations[table.name] = table, creation
                copies += plan_copy(connection, server, snapshot, source_table, table, creation.layout, self._pepper)
            ranges = copy_ranges(self._spark.sparkContext, copies)
        self._checkpoint("copies written")

        bookmark = Bookmark(position=0, snapshot=snapshot.seen)
        epoch = str(snapshot.seen.lsn)  # each copy is of a later moment than those before
        for name, (table, creation) in creations.items():
            parts = [part for part in ranges if part.table == name]
            rows = sum(file.rows for part in parts for file in part.files)
            error = next((part.error for part in parts if part.error), None)
            if error is None:
                properties = {DEFINITION: table.to_json(), self._bookmark_property: bookmark.to_json(), EPOCH: epoch}
                creation.publish(properties, [file for part in parts for file in part.files])
                self._checkpoint(f"copied {name}")
            seconds = time.monotonic() - started
            copied = 0 if error else rows
            reports.append(TableReport(str(name), read=rows, inserted=copied, seconds=seconds, error=error))
            print(f"{name}: {error or f'copied {rows} rows'}", flush=True)
        return reports

    def _begin_create(self, source_table: SourceTable) -> tuple[LakeTable, NewTable]:
        options = self._contract.options(source_table.name)
        table = describe(self._contract.source, source_table, options)
        try:
            partition_by = [PartitionField.parse(text) for text in options.partition_by]
        except ValueError as error:
            raise TableError(f"{table.name}: {error}") from error
        columns = [column.iceberg for column in table.columns]
        lake_table = self._contract.lake_table(table.name)
        return table, self._catalog.begin_create(self._lake_database, lake_table, columns, partition_by)

    def _find(self, name: TableName) -> IcebergTable | None:
        return self._catalog.find(self._lake_database, self._contract.lake_table(name))

    def _catch_up(
        self,
        log: IcebergTable,
        source_tables: Collection[SourceTable],
        start: Bookmark,
        reached: Drained,
        barrier: Barrier,
    ) -> list[TableReport]:
        """Bring each current table from its own bookmark to the change log's."""
        reports, opened = [], []
        for source_table in source_tables:
            try:
                opened.append(self._open(source_table))
            except _FAILURES as error:
                reports.append(TableReport(str(source_table.name), error=_reason(error)))
        changes = read_log(self._spark.table(log.spark_name), self._contract.source)
        spans = {
            table.definition.name: Span(table.definition.name, table.bookmark, reached.bookmark.position)
            for table in opened
        }
        # Of the others it is known that nothing happened to them.
        perhaps_behind = [
            span for name, span in spans.items() if reached.changes[name] or span.bookmark.position < start.position
        ]
        summaries = summarize(changes, perhaps_behind)
        for table in opened:
            name = table.definition.name
            summary = summaries.get(name, NOTHING)
            started = time.monotonic()
            try:
                merged = self._merge(table, spans[name].of(changes), summary)
                self._publish(table, reached.bookmark, barrier)
            except _FAILURES as error:
                report = TableReport(str(name), error=_reason(error))
            else:
                report = TableReport(str(name), summary.changes, **asdict(merged))
            reports.append(replace(report, seconds=time.monotonic() - started))
            print(f"{name}: {report.error or f'applied {summary.changes} changes'}", flush=True)
        return reports

    def _open(self, source_table: SourceTable) -> "_CurrentTable":
        """The current table of a source table, with the columns that were added there."""
        iceberg = self._find(source_table.name)
        properties = iceberg.properties
        table = LakeTable.from_json(properties[DEFINITION])
        if (table.source, table.name) != (self._contract.source, source_table.name):
            raise TableError(
                f"{source_table.name}: {iceberg.name} holds {table.name} of {table.source}: "
                "give one of them another name by the contract (lakeTable)"
            )
        added = added_columns(table, source_table, self._contract.options(table.name))
        if added:
            table = with_columns(table, added)
            iceberg.add_columns([column.iceberg for column in added], {DEFINITION: table.to_json()})
            self._checkpoint(f"columns added {table.name}")
        return _CurrentTable(iceberg, table, Bookmark.from_json(properties[self._bookmark_property]))

    def _merge(self, table: "_CurrentTable", changes: DataFrame, summary: Summary) -> Merged:
        if not summary.changes:
            return Merged()
        branch = table.iceberg.branch(self._run_id)
        target = self._spark.table(table.iceberg.spark_name).schema
        merged = apply_changes(changes, summary, branch, table.definition, target, table.iceberg.layout.schema)
        self._checkpoint(f"branch written {table.definition.name}")
        return merged

    def _publish(self, table: "_CurrentTable", reached: Bookmark, barrier: Barrier) -> None:
        moved = table.bookmark.moved_to(reached)
        properties = {self._bookmark_property: moved.to_json()}
        if moved.snapshot is None:
            properties[FRONTIER] = format_time(barrier.clock)
        table.iceberg.publish(self._run_id, {self._bookmark_property: table.bookmark.to_json()}, properties)
        self._checkpoint(f"published {table.definition.name}")


@dataclass(frozen=True)
class _CurrentTable:
    iceberg: IcebergTable
    definition: LakeTable
    bookmark: Bookmark


def _by_table(reports: Iterable[TableReport]) -> list[TableReport]:
    """One report a table, in the order in which they came first."""
    by_table: dict[str, TableReport] = {}
    for report in reports:
        earlier = by_table.get(report.table)
        by_table[report.table] = earlier.and_then(report) if earlier else report
    return list(by_table.values())


def _reason(error: Exception) -> str:
    """One line that says what went wrong, out of what Java and Python workers wrap around it."""
    if isinstance(error, Py4JJavaError):
        return error.java_exception.toString().splitlines()[0]
    own = [line.split(": ", 1)[1] for line in str(error).splitlines() if line.startswith(f"{TableError.__module__}.")]
    return own[-1] if own else str(error).splitlines()[0]
