"""One run of the job ingest over one source in watermark mode.

In this order, so that a death between any two steps leaves what the next run can go on from: the mark of a new table,
from which on it will be read; its first copy; what is at work on the source, which says how far can be read; the rows
up to there, into the change log; each current table by its own bookmark, as in log mode.
"""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

import pg8000.native

from trackman.bookmark import EPOCH, Bookmark, ServerIdentity, bookmark_property, format_time
from trackman.change_log import Drained, open_change_log, server_property
from trackman.contract import TableName
from trackman.data_files import DataFile
from trackman.discovery import discover_tables
from trackman.errors import LostChangesError
from trackman.failures import FAILURES, reason_of
from trackman.iceberg import IcebergTable, beside_upkeep
from trackman.ingestion import Ingestion
from trackman.lake_table import describe
from trackman.postgres import Server
from trackman.reports import TableReport, by_table
from trackman.snapshot import exported_snapshot, rows_by_range
from trackman.source import Barrier, source_server
from trackman.source_tables import SourceTable
from trackman.watermark_reading import Reading, Stamp, log_differences, log_range, range_query
from trackman.watermark_source import WatermarkSource, alive
from trackman.watermarks import Activity, Watermarks, from_microseconds, to_microseconds, watermarks_property


class WatermarkIngestion(Ingestion):
    """A run over one source. Only how changes are found is another than in log mode."""

    def run(self) -> list[TableReport]:
        """Bring the change log and the current tables up to what can be read; the reports tell what failed."""
        contract = self._contract
        names = discover_tables(contract)
        server = source_server(contract)
        with closing(server.connect()) as connection:
            source = WatermarkSource(contract, connection)
            source.lock()
            identity = source.check()
            log = open_change_log(self._catalog, self._raw_database)
            tables, refused = source.tables(names)
            reports = [TableReport(str(name), error=reason) for name, reason in refused.items()]
            start, marks = self._begin(log, source.activity(), tables, identity)
            unmarked = [name for name in tables if name not in marks]
            reports += [
                TableReport(str(name), waiting="is new, and a prepared transaction holds the watermark")
                for name in unmarked
            ]
            marked = {name: table for name, table in tables.items() if name in marks}
            copied = self._copy(server, marked.values(), start)
            stopped = {report.table for report in copied if report.error or report.waiting}

            activity = source.activity()
            self._barrier_set = time.monotonic()
            self._checkpoint("activity read")
            read = self._read(server, log, start, marks, activity, marked, stopped)
            # Once more: what was written anew in the meantime was not read as it was.
            after, _ = source.tables(marked)
            for name in [name for name in read.files if not _same_rows(after.get(name), marked[name])]:
                del read.files[name]
                read.reports.append(TableReport(str(name), waiting="was written anew while it was read"))
            reports += [*copied, *read.reports]
            if read.files:
                reached, marks = self._publish_log(log, start, marks, activity, read)
                followed = [after[name] for name in read.files if str(name) not in stopped]
                frontier = marks.read_to(read.files)
                self._barrier_set -= (activity.clock - frontier).total_seconds()
                reports += self._catch_up(log, followed, start, reached, Barrier(frontier, 0))
        return by_table(reports)

    def _begin(
        self, log: IcebergTable, activity: Activity, tables: Mapping[TableName, SourceTable], server: ServerIdentity
    ) -> tuple[Bookmark, Watermarks]:
        """The source's bookmark and marks in the change log, with those of new tables: before these are copied."""
        source = self._contract.source
        expected = self._expected(log)
        text, marks_text = expected.values()
        if text is None or self._anew.history:
            before = Bookmark.from_json(text) if text else Bookmark(0, history=-1)
            position = max(to_microseconds(activity.clock), before.position)
            bookmark, marks = Bookmark(position, history=before.history + 1), Watermarks()
        else:
            known = ServerIdentity.from_json(log.properties[server_property(source)])
            if server != known:
                raise LostChangesError(
                    f"{source}: the server is {server}, the lake follows {known}: follow the source anew by "
                    f"`trackman source resnapshot <environment> {source} --all`"
                )
            bookmark, marks = Bookmark.from_json(text), Watermarks.from_json(marks_text)
        bound = activity.bound(self._contract.margin)
        new = [name for name in tables if name not in marks]
        if bound is not None:
            marks = marks.begun(new, bound, activity.clock)
        if new or marks_text is None:
            properties = {
                self._bookmark_property: bookmark.to_json(),
                watermarks_property(source): marks.to_json(),
                server_property(source): server.to_json(),
            }
            beside_upkeep(lambda: log.publish(self._run_id, expected, properties))
            self._checkpoint("marks set")
        return bookmark, marks

    def _expected(self, log: IcebergTable) -> dict[str, str | None]:
        """What the change log says now of where the source is read."""
        names = (bookmark_property(self._contract.source), watermarks_property(self._contract.source))
        return {name: log.properties.get(name) for name in names}

    def _read(
        self,
        server: Server,
        log: IcebergTable,
        start: Bookmark,
        marks: Watermarks,
        activity: Activity,
        tables: Mapping[TableName, SourceTable],
        stopped: set[str],
    ) -> "_Read":
        """The rows that can be read by now, as files of the change log; all that differ where it is time to compare."""
        read = _Read(self._expected(log), max(to_microseconds(activity.clock), start.position))
        bound = activity.bound(self._contract.margin)
        if bound is None:
            print(f"{self._contract.source}: {', '.join(activity.prepared)} is prepared and holds the watermark")
        with exported_snapshot(server, start.position) as (snapshot, connection):
            for name, table in tables.items():
                started = time.monotonic()
                try:
                    definition = describe(self._contract.source, table, self._contract.options(name))
                    is_alive = alive(table, self._contract.options(name).soft_delete)
                    reading = Reading.of(server, snapshot.name, table, definition, is_alive, self._pepper)
                    stamp = Stamp(
                        self._contract.source, name, start.history, read.position, activity.clock, self._run_id
                    )
                    current = None if str(name) in stopped else self._to_reconcile(table, marks, start, activity.clock)
                    if current is not None:
                        read.reconciled.add(name)
                        read.files[name] = self._differences(connection, reading, is_alive, current, stamp, log)
                        found = sum(file.rows for file in read.files[name])
                        seconds = time.monotonic() - started
                        print(f"{name}: compared, {found} rows differed, {seconds:.1f} s", flush=True)
                    elif bound is not None and bound > marks[name].read_to:
                        watermark = self._contract.watermark_of(name).column
                        query = range_query(reading, watermark, marks[name].read_to, bound)
                        read.files[name] = log_range(reading, query, stamp, log.layout)
                    else:
                        read.files[name] = []
                except FAILURES as error:
                    read.reports.append(TableReport(str(name), error=reason_of(error)))
        self._checkpoint("change log written")
        return read

    def _to_reconcile(
        self, table: SourceTable, marks: Watermarks, start: Bookmark, clock: datetime
    ) -> IcebergTable | None:
        """The lake's table when it is time to compare it and it holds all that the change log has."""
        standing = self._copier.compare(table, start.history)
        if standing.copy_reason:
            return None
        # A copy has all rows, too; its epoch is its moment.
        copied_at = from_microseconds(int(standing.table.properties[EPOCH]))
        if clock - max(marks[table.name].reconciled_at, copied_at) < self._contract.reconcile_every:
            return None
        if table.bytes > self._contract.inline_snapshot_bytes:
            self._hand_over(table.name)
            return None
        if standing.bookmark.snapshot or standing.bookmark.position < start.position:
            return None
        return self._open(standing).iceberg

    def _differences(
        self,
        connection: pg8000.native.Connection,
        reading: Reading,
        is_alive: str,
        current: IcebergTable,
        stamp: Stamp,
        log: IcebergTable,
    ) -> list[DataFile]:
        at_once = self._spark.sparkContext.defaultParallelism
        ranges = rows_by_range(connection, reading.table.oid, at_once, is_alive)
        queries = [f"select {reading.select} {rows}" for rows in ranges]
        rules = self._contract.options(reading.table.name).quality.cells
        limit = self._contract.reject_limit
        return log_differences(self._spark, reading, queries, current, stamp, log.layout, limit, rules)

    def _publish_log(
        self, log: IcebergTable, start: Bookmark, marks: Watermarks, activity: Activity, read: "_Read"
    ) -> tuple[Drained, Watermarks]:
        """Append what was read and move the marks of the tables that were."""
        bound = activity.bound(self._contract.margin)
        for name in read.files:
            marks = marks.moved(name, bound, activity.clock if name in read.reconciled else None)
        moved = Bookmark(read.position + 1, committed_at=format_time(marks.read_to(read.files)), history=start.history)
        properties = {
            self._bookmark_property: moved.to_json(),
            watermarks_property(self._contract.source): marks.to_json(),
        }
        files = [file for of_table in read.files.values() for file in of_table]
        beside_upkeep(lambda: log.publish(self._run_id, read.expected, properties, files))
        print(f"{self._contract.source}: read up to {moved.committed_at}", flush=True)
        self._checkpoint("change log published")
        changes = Counter({name: sum(file.rows for file in of_table) for name, of_table in read.files.items()})
        return Drained(moved, changes), marks


@dataclass
class _Read:
    """What a run read, before it is in the change log."""

    expected: dict[str, str | None]
    """What the change log said of where to begin."""
    position: int
    files: dict[TableName, list[DataFile]] = field(default_factory=dict)
    """Of each table that could be read."""
    reconciled: set[TableName] = field(default_factory=set)
    reports: list[TableReport] = field(default_factory=list)


def _same_rows(after: SourceTable | None, before: SourceTable) -> bool:
    """Whether rows lie where they lay. Of what was rewritten or truncated, an older snapshot sees nothing."""
    if after is None:
        return False
    files = {leaf.oid: leaf.file for leaf in after.leaves}
    return all(files.get(leaf.oid) == leaf.file for leaf in before.leaves)
