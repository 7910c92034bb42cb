"""One run of the job ingest over one source in log mode.

In this order, so that a death between any two steps leaves what the next run can go on from: the slot; first copies
of new tables; a barrier in the source's log; the change log up to it; the slot, acknowledged; each current table by its
own bookmark. A table that fails does not stop the others.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession

from trackman.bookmark import FRONTIER, Bookmark, bookmark_property, format_time
from trackman.change_log import Drain, Drained, open_change_log, start_or_resume
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import Contract, TableName
from trackman.copying import Copier, Standing
from trackman.current import Merged, apply_changes
from trackman.discovery import discover_tables
from trackman.errors import RivalRunError, TableError
from trackman.failures import FAILURES, reason_of
from trackman.history import Histories
from trackman.iceberg import IcebergCatalog, IcebergTable
from trackman.judging import judge_row_count
from trackman.lake_table import DEFINITION, LakeTable
from trackman.metrics import Measure, nowhere
from trackman.pending import NOTHING, Span, Summary, read_log, summarize
from trackman.pii import contract_pepper
from trackman.postgres import Server
from trackman.quarantine import quarantine
from trackman.references import Parent, in_order
from trackman.reports import TableReport, by_table
from trackman.source import Barrier, Source, source_server
from trackman.source_tables import SourceTable


@dataclass(frozen=True)
class Anew:
    """What somebody asked to have copied anew."""

    tables: frozenset[TableName] = frozenset()
    history: bool = False
    """All of the source, whose history was lost: with a new slot."""


NOTHING_ANEW = Anew()


class Ingestion:
    """A run over one source. In watermark mode another finds the changes: see watermark_ingestion.py."""

    def __init__(
        self,
        spark: SparkSession,
        contract: Contract,
        raw_database: str,
        lake_database: str,
        run_id: str,
        hand_over: Callable[[TableName], None],
        anew: Anew = NOTHING_ANEW,
        checkpoint: Checkpoint = no_checkpoint,
        measure: Measure = nowhere,
    ) -> None:
        """`hand_over` has a table copied that is too large for this run; `anew` is what somebody asked for."""
        self._spark = spark
        self._catalog = IcebergCatalog(spark)
        self._contract = contract
        self._raw_database = raw_database
        self._run_id = run_id
        self._hand_over = hand_over
        self._anew = anew
        self._checkpoint = checkpoint
        self._measure = measure
        self._bookmark_property = bookmark_property(contract.source)
        self._pepper = contract_pepper(contract)
        self._histories = Histories(spark, contract, lake_database, run_id, checkpoint)
        self._copier = Copier(spark, contract, raw_database, lake_database, run_id, self._pepper, checkpoint)
        self._complete: set[TableName] = set()
        """Tables that this run brought to where it ends."""

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
            bookmark = start_or_resume(log, source, contract, identity, self._run_id, self._anew.history)
            self._checkpoint("slot ready")

            known, _ = source.tables(names)
            copied = self._copy(server, known.values(), bookmark)

            self._barrier_set = time.monotonic()
            barrier = source.set_barrier(self._run_id)
            self._checkpoint("barrier set")
            drain = Drain(log, source, server, contract, self._pepper, self._run_id, self._checkpoint)
            reached = drain.run(bookmark, barrier)
            # Once more, now that the barrier is behind: whatever changed a table before the changes that were read
            # is seen here.
            tables, refused = source.tables(names)
            not_followed = [TableReport(str(name), error=reason) for name, reason in refused.items()]
            stopped = {report.table for report in copied if report.error or report.waiting}
            followed = [tables[name] for name in known if name in tables and str(name) not in stopped]
            caught_up = self._catch_up(log, followed, bookmark, reached, barrier)
        return by_table([*copied, *not_followed, *caught_up])

    def _copy(self, server: Server, tables: Iterable[SourceTable], log: Bookmark) -> list[TableReport]:
        """Copy what the change log alone does not lead to, whose bookmark is given."""
        reports, reasons = [], {}
        for table in tables:
            name = table.name
            try:
                reason = (
                    "was asked for"
                    if name in self._anew.tables
                    else self._copier.compare(table, log.history).copy_reason
                )
            except TableError as error:
                reports.append(TableReport(str(name), error=str(error)))
                continue
            if reason and table.bytes > self._contract.inline_snapshot_bytes:
                self._hand_over(name)
                reports.append(TableReport(str(name), waiting=f"{reason}, too large for this run: is copied by itself"))
            elif reason:
                reasons[name] = reason
        return [*reports, *self._copier.copy(server, reasons, log)]

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
                standing = self._copier.compare(source_table, reached.bookmark.history)
                if standing.copy_reason:
                    waiting = f"{standing.copy_reason} while the run was at work"
                    reports.append(TableReport(str(source_table.name), waiting=waiting))
                else:
                    opened.append((source_table, self._open(standing)))
            except FAILURES as error:
                reports.append(TableReport(str(source_table.name), error=reason_of(error)))
        changes = read_log(self._spark.table(log.spark_name), self._contract.source)
        opened = self._in_order_of_references(opened)
        spans = {table.definition.name: self._span(table, reached) for _, table in opened}
        # Of the others it is known that nothing happened to them.
        perhaps_behind = [
            span for name, span in spans.items() if reached.changes[name] or span.bookmark.position < start.position
        ]
        summaries = summarize(changes, perhaps_behind)
        for source_table, table in opened:
            name = source_table.name
            started = time.monotonic()
            summary = summaries.get(name, NOTHING)
            try:
                report = self._follow(table, changes, summary, reached, barrier)
            except RivalRunError:
                report = self._follow_again(source_table, changes, reached, barrier)
            except FAILURES as error:
                report = TableReport(str(name), error=reason_of(error))
            reports.append(replace(report, seconds=time.monotonic() - started))
            if report.frontier:
                self._complete.add(name)
            print(f"{name}: {report.error or f'applied {report.read} changes'}", flush=True)
            if report.frontier and self._contract.options(name).history:
                reports.append(self._follow_history(name, changes))
        return reports

    def _in_order_of_references(
        self, opened: Sequence[tuple[SourceTable, "_CurrentTable"]]
    ) -> list[tuple[SourceTable, "_CurrentTable"]]:
        by_name = {source_table.name: (source_table, table) for source_table, table in opened}
        references = {name: self._contract.options(name).quality.references for name in by_name}
        return [by_name[name] for name in in_order(list(by_name), references)]

    def _follow_history(self, name: TableName, changes: DataFrame) -> TableReport:
        """Of a table that was just published."""
        started = time.monotonic()
        try:
            current = self._copier.find(name)
            report = self._histories.follow(current, LakeTable.from_json(current.properties[DEFINITION]), changes)
        except FAILURES as error:
            report = TableReport(f"{name} (history)", error=reason_of(error))
        return replace(report, seconds=time.monotonic() - started)

    def _follow_again(
        self, source_table: SourceTable, changes: DataFrame, reached: Drained, barrier: Barrier
    ) -> TableReport:
        """Once more, from the table as whoever was faster left it: upkeep, as a rule."""
        try:
            standing = self._copier.compare(source_table, reached.bookmark.history)
            if standing.copy_reason:
                return TableReport(str(source_table.name), waiting=standing.copy_reason)
            table = self._open(standing)
            span = self._span(table, reached)
            summary = summarize(changes, [span]).get(source_table.name, NOTHING)
            return self._follow(table, changes, summary, reached, barrier)
        except FAILURES as error:
            return TableReport(str(source_table.name), error=reason_of(error))

    def _follow(
        self, table: "_CurrentTable", changes: DataFrame, summary: Summary, reached: Drained, barrier: Barrier
    ) -> TableReport:
        name, before = table.definition.name, table.iceberg.rows
        parents, unjudged = self._parents(name) if summary.changes else ([], [])
        merged = self._merge(table, self._span(table, reached).of(changes), summary, parents)
        violations = dict(merged.violations)
        quality = self._contract.options(name).quality
        if summary.changes and quality.row_count:
            violations |= judge_row_count(name, quality, table.iceberg.written_rows, before)
        quarantine(self._spark, self._raw_database, self._contract.source, name, merged.rejected, self._run_id)
        if merged.rejected:
            self._checkpoint(f"quarantined {name}")
        frontier = self._publish(table, reached.bookmark, barrier)
        return TableReport(
            str(name),
            summary.changes,
            merged.inserted,
            merged.updated,
            merged.deleted,
            quarantined=len(merged.rejected),
            bytes=table.iceberg.added_bytes if summary.changes else 0,
            frontier=frontier,
            lag_seconds=frontier and round(time.monotonic() - self._barrier_set, 3),
            violations=violations,
            unjudged=tuple(unjudged),
        )

    def _parents(self, name: TableName) -> tuple[list[Parent], list[str]]:
        """What a table's references point to, and those that cannot be judged: a table that this run did not bring to
        its end may lack a row only because it is behind."""
        parents, unjudged = [], []
        for rule in self._contract.options(name).quality.references:
            other = TableName(*rule.table)
            if other in self._complete:
                parents.append(Parent(rule, self._spark.table(self._copier.find(other).spark_name)))
            else:
                unjudged.append(f"{rule.name}: {other} is not where this run ends")
                print(f"{name}: {unjudged[-1]}", flush=True)
        return parents, unjudged

    def _span(self, table: "_CurrentTable", reached: Drained) -> Span:
        return Span(table.definition.name, table.bookmark, reached.bookmark.position)

    def _open(self, standing: Standing) -> "_CurrentTable":
        """The current table, with what of the source's definition can be followed."""
        definition = standing.drift.followed(standing.stored)
        if definition != standing.stored:
            columns = [column.iceberg for column in definition.columns]
            standing.table.evolve(columns, (), {DEFINITION: definition.to_json()})
            self._checkpoint(f"definition followed {definition.name}")
        return _CurrentTable(standing.table, definition, standing.bookmark)

    def _merge(self, table: "_CurrentTable", changes: DataFrame, summary: Summary, parents: Sequence[Parent]) -> Merged:
        if not summary.changes:
            return Merged()
        branch = table.iceberg.branch(self._run_id)
        target = self._spark.table(table.iceberg.spark_name).schema
        merged = apply_changes(
            changes,
            summary,
            branch,
            table.definition,
            target,
            table.iceberg.layout.schema,
            self._contract.reject_limit,
            self._contract.options(table.definition.name).quality.cells,
            parents,
        )
        self._checkpoint(f"branch written {table.definition.name}")
        return merged

    def _publish(self, table: "_CurrentTable", reached: Bookmark, barrier: Barrier) -> str | None:
        """The new frontier; None while the table is catching up with its copy."""
        moved = table.bookmark.moved_to(reached)
        properties = {self._bookmark_property: moved.to_json()}
        frontier = None if moved.snapshot else format_time(barrier.clock)
        if frontier:
            properties[FRONTIER] = frontier
        table.iceberg.publish(self._run_id, {self._bookmark_property: table.bookmark.to_json()}, properties)
        self._checkpoint(f"published {table.definition.name}")
        return frontier


@dataclass(frozen=True)
class _CurrentTable:
    iceberg: IcebergTable
    definition: LakeTable
    bookmark: Bookmark
