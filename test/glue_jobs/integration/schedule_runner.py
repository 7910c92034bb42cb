"""Runs a schedule over a scenario and holds what the jobs leave behind against what the source itself says.

After every run, whatever became of it: the slot is not ahead of the change log, and each table of the lake and of the
serving database, each history and each mart holds what the source held where it stands. In the end everything equals
the source, the change log has each change of it once, by a slot of its own that nobody disturbs, and the histories
still tell what was seen at every moment. What the lake has no place for is in the quarantine, once.
"""

import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pg8000.exceptions
import pg8000.native
import pytest
from crash_schedules import BeginLate, EndLate, Event, LoseSlot, Maintain, Restart, Run, Schedule, Sql
from killed_job import Order
from pgoutput_reference import reference
from platform_under_test import Died, Scenario
from trackman.bookmark import EPOCH, FRONTIER, Bookmark, parse_time
from trackman.checkpoints import Checkpoint
from trackman.contract import TableName
from trackman.errors import LostChangesError
from trackman.iceberg import IcebergTable
from trackman.ingestion import NOTHING_ANEW, Anew
from trackman.lsn import parse_lsn
from trackman.maintenance import maintain
from trackman.marts import MADE_FROM, MadeFrom, Mart, MartColumn
from trackman.postgres import Server

_AT_ONCE, _KEEP = timedelta(0), timedelta(days=1)
_RESTART_SECONDS = 60

Rows = list[tuple]


@dataclass(frozen=True)
class _Moment:
    """What the source held at a moment."""

    position: int
    """Of its log: what was committed before is among the rows."""
    tables: dict[str, tuple[list[str], Rows]]
    """Columns and rows, in order of their text."""


class ScheduleRunner:
    def __init__(self, scenario: Scenario, schedule: Schedule) -> None:
        self._scenario = scenario
        self._schedule = schedule
        self._late: pg8000.native.Connection | None = None
        self._moments: list[_Moment] = []
        self._histories: dict[int, list[int]] = {}
        """First position and last bookmark of each history that the change log has followed."""
        self._restarted = self._maintained = False
        """Whether there was a restart, or upkeep, during the present run."""
        self._slot_was_touched = False
        """By somebody else, since a run found it in order."""
        self._audit = f"audit_{scenario.name}"
        self._source: pg8000.native.Connection | None = None
        self._read: dict[str, tuple[tuple[int, list[str]], Rows]] = {}
        """Of tables of the lake, the snapshot and columns that were last read, and the rows."""
        self._told: dict[str, list[tuple[datetime, list[str], Rows]]] = {}
        """What each history was found to tell: moments with the columns and rows that there were."""

    def run(self) -> None:
        for number, step in enumerate(self._schedule.steps):
            print(f"--- {number}: {step}", flush=True)
            if isinstance(step, Run):
                self._job(step)
            else:
                self._event(step)
        print("--- in the end", flush=True)
        self.settle()

    def __enter__(self) -> "ScheduleRunner":
        scenario, schedule = self._scenario, self._schedule
        scenario.options = dict(schedule.options)
        scenario.marts = [_counting(schedule.counted)] if schedule.counted else []
        scenario.migrate()
        self._sql(*schedule.definitions)
        scenario.publish_tables(*schedule.tables)
        self._sql(f"select pg_create_logical_replication_slot('{self._audit}', 'pgoutput')")
        return self

    def __exit__(self, *_) -> None:
        self._end_late(commits=False)
        self._sql(f"select pg_drop_replication_slot('{self._audit}')")
        self._source.close()

    # Events.

    def _event(self, event: Event) -> None:
        match event:
            case Sql():
                end = "rollback" if event.undone else "commit"
                self._sql(*(("begin", *event.statements, end) if event.together else event.statements))
            case BeginLate():
                self._late = self._connect()
                for statement in ("begin", *event.statements):
                    self._late.run(statement)
            case EndLate():
                self._end_late(event.commits)
            case Restart():
                self._restart(event)
            case LoseSlot():
                self._lose_slot(event.how)
            case Maintain():
                self._maintain(event)

    def _connect(self) -> pg8000.native.Connection:
        """A session of the source's owner, who waits for nobody for long."""
        connection = self._scenario.source.connect()
        connection.run("set search_path = public")
        connection.run("set lock_timeout = '20s'")
        return connection

    def _sql(self, *statements: str) -> list[list[Any]]:
        """Each by itself, unless they say otherwise; the rows of the last."""
        self._source = self._source or self._connect()
        try:
            return [self._source.run(statement) for statement in statements][-1]
        except pg8000.exceptions.DatabaseError:
            self._source.run("rollback")
            raise

    def _end_late(self, commits: bool) -> None:
        if self._late is not None:
            self._late.run("commit" if commits else "rollback")
            self._late.close()
            self._late = None

    def _lose_slot(self, how: str) -> None:
        slot = self._scenario.name
        self._slot_was_touched = True
        # What is lost must be something.
        self._sql("select pg_logical_emit_message(true, 'nobody', 'reads this')")
        if how == "advanced":
            self._sql(
                f"select pg_replication_slot_advance(slot_name, pg_current_wal_flush_lsn()) from pg_replication_slots"
                f" where slot_name = '{slot}'"
            )
            return
        self._sql(f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{slot}'")
        if how == "made anew":
            self._sql(f"select pg_create_logical_replication_slot('{slot}', 'pgoutput')")

    def _restart(self, event: Restart) -> None:
        scenario = self._scenario
        server = {"source": scenario.source, "serving": scenario.serving}[event.server]
        identifier = {"source": "trackman-backend", "serving": "dataengineering-db"}[event.server]
        self._restarted = True
        with suppress_lost_connection():
            [[backend]] = scenario.connect(server).run("select pg_backend_pid()")
            if event.in_order:
                boto3.client("rds").reboot_db_instance(DBInstanceIdentifier=identifier)
                boto3.client("rds").get_waiter("db_instance_available").wait(
                    DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
                )
            else:
                # The end of one backend is that of all: the server recovers from its log.
                os.kill(backend, signal.SIGKILL)
        scenario.forget_connections()
        if event.server == "source":
            self._source = self._late = None
        wait_for(server)

    def _maintain(self, event: Maintain) -> None:
        scenario = self._scenario
        table = scenario.change_log if event.table == "changes" else scenario.lake_table(event.table)
        if table is None:
            return
        self._maintained = True
        try:
            report = maintain(scenario.spark, table, _AT_ONCE if event.expires else _KEEP, _KEEP, _Death(event.dies_at))
            assert report.error is None, report
        except Died as death:
            print(f"died at {death}", flush=True)
        if event.expires:
            self.check_lake()

    # Runs.

    def _job(self, run: Run) -> None:
        anew = self._anew(run) if run.job == "ingest" else NOTHING_ANEW
        events = {number: list(each) for number, each in run.meanwhile.items()}
        self._restarted = self._maintained = False
        if run.killed:
            self._killed(run, anew)
        else:
            self._in_this_process(run, anew, events)
        for number in sorted(events):
            for event in events[number]:
                print(f"    after it: {event}", flush=True)
                self._event(event)
        self.check_positions()
        if run.job == "publish":
            self.check_mart()
            self.check_serving()
        else:
            self.check_lake()
            self.check_histories()

    def _anew(self, run: Run) -> Anew:
        """What is asked for; all of the source when what followed its bookmark is lost, which the job has to say."""
        asked = frozenset(TableName("public", table) for table in run.asked)
        log = self._scenario.change_log
        if log is None or not self._is_lost(self._scenario.bookmark(log)):
            return Anew(tables=asked)
        with pytest.raises(LostChangesError):
            self._scenario.ingest()
        return Anew(tables=asked, history=True)

    def _is_lost(self, bookmark: Bookmark) -> bool:
        slot = self._slot_position()
        return slot is None or slot > bookmark.position

    def _in_this_process(self, run: Run, anew: Anew, events: dict[int, list[Event]]) -> None:
        end, numbers = _Death(run.dies_at), count(1)

        def checkpoint(name: str) -> None:
            self._passed(run, name)
            for event in events.pop(next(numbers), []):
                print(f"    at {name}: {event}", flush=True)
                self._event(event)
            end(name)

        try:
            self._perform(run.job, checkpoint, anew)
        except Died as death:
            print(f"died at {death}", flush=True)
        except Exception as error:
            # Whatever a job says of a server that went away; what it leaves behind is checked as ever.
            if not self._restarted or isinstance(error, AssertionError):
                raise
            print(f"failed: {error}", flush=True)

    def _perform(self, job: str, checkpoint: Checkpoint, anew: Anew) -> None:
        scenario = self._scenario
        if job == "publish":
            if scenario.marts:
                errors = [report.error for report in scenario.make_marts(checkpoint).values() if report.error]
                assert errors == []
            scenario.publish(checkpoint)
        elif job == "ingest":
            reports = scenario.ingest_what_can_be(checkpoint, anew)
            errors = [report.error for report in reports.values() if report.error]
            if self._maintained:
                errors = [error for error in errors if "somebody else committed" not in error]
            assert self._restarted or errors == []
        else:
            for table in dict.fromkeys(scenario.handed_over):
                report = scenario.copy_by_itself(table, checkpoint)
                assert report.error is None
            scenario.handed_over.clear()

    def _killed(self, run: Run, anew: Anew) -> None:
        """The job as a process that is killed; nothing else happens meanwhile."""
        scenario = self._scenario
        self._remember_moment()
        scenario.runs += 1
        order = Order(
            scenario.name,
            scenario.source,
            scenario.serving,
            scenario.options,
            run.job,
            anew,
            run.dies_at,
            scenario.runs,
        )
        child = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("killed_job.py"))],
            input=order.to_json(),
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
            check=False,
        )
        print(child.stdout, flush=True)
        assert child.returncode in (0, -signal.SIGKILL)
        for line in child.stdout.splitlines():
            if line.startswith("follows "):
                self._slot_was_touched = False
                self._follows(Bookmark.from_json(line.removeprefix("follows ")))
        self._moments[-1] = replace(self._moments[-1], position=self._source_position())

    # What must hold.

    def _passed(self, run: Run, checkpoint: str) -> None:
        if run.job != "ingest":
            return
        if checkpoint == "slot ready":
            self._slot_was_touched = False
            self._follows(self._scenario.bookmark(self._scenario.change_log))
        elif checkpoint == "barrier set":
            self._remember_moment()
        elif checkpoint in ("change log written", "change log published", "slot advanced"):
            self.check_positions()

    def _follows(self, bookmark: Bookmark) -> None:
        self._histories.setdefault(bookmark.history, [bookmark.position, bookmark.position])

    def _remember_moment(self) -> None:
        tables = {}
        for name in self._schedule.tables:
            columns = [row[0] for row in self._sql(_COLUMNS.format(name))]
            rows = self._sql(f"select {', '.join(columns)} from {name}")
            tables[name] = columns, _in_order(tuple(map(_as_the_lake_has_it, row)) for row in rows)
        self._moments.append(_Moment(self._source_position(), tables))

    def _source_position(self) -> int:
        [[position]] = self._sql("select pg_current_wal_insert_lsn()::text")
        return parse_lsn(position)

    def _at(self, position: int) -> _Moment:
        """What the source held at a bookmark's position."""
        found = next((moment for moment in self._moments if moment.position >= position), None)
        assert found, f"a bookmark at {position}, and no run has read so far"
        return found

    def _slot_position(self) -> int | None:
        rows = self._sql(
            f"select confirmed_flush_lsn::text from pg_replication_slots where slot_name = '{self._scenario.name}'"
        )
        return parse_lsn(rows[0][0]) if rows else None

    def check_positions(self) -> None:
        """I2, unless somebody has just been at the slot."""
        log = self._scenario.change_log
        if log is None:
            return
        bookmark = self._scenario.bookmark(log)
        self._histories[bookmark.history][1] = bookmark.position
        slot = self._slot_position()
        if slot is not None and not self._slot_was_touched:
            assert slot <= bookmark.position, "I2: the slot is ahead of the change log"

    def check_lake(self) -> None:
        """I4, and with it I1, of the lake's tables that have caught up."""
        for name in self._schedule.tables:
            table = self._scenario.lake_table(name)
            if table is None:
                continue
            bookmark = self._scenario.bookmark(table)
            if bookmark.snapshot is None:
                columns, rows = self._at(bookmark.position).tables[name]
                assert self._lake_rows(table, columns) == rows, f"I4: {name} of the lake"

    def _lake_rows(self, table: IcebergTable, columns: list[str]) -> Rows:
        """A snapshot is read once: most runs that die leave the lake as it was."""
        version = (table.snapshot_id, columns)
        if self._read.get(table.name, (None, []))[0] != version:
            rows = self._scenario.spark.table(table.spark_name).select(*columns).collect()
            self._read[table.name] = version, _in_order(tuple(row) for row in rows)
        return self._read[table.name][1]

    def check_histories(self) -> None:
        """Each that is where its table's copy is tells what there was at its frontier."""
        for name in self._schedule.tables:
            history, table = (self._scenario.lake_table(each) for each in (f"{name}_history", name))
            if history is not None and history.properties[EPOCH] == table.properties[EPOCH]:
                columns, rows = self._at(self._scenario.bookmark(history).position).tables[name]
                moment = parse_time(history.properties[FRONTIER])
                assert self._told_of(history, moment, columns) == rows, f"history of {name}"
                self._told.setdefault(name, []).append((moment, columns, rows))

    def _told_of(self, history: IcebergTable, moment: datetime, columns: list[str]) -> Rows:
        versions = self._scenario.spark.table(history.spark_name).where(
            f"valid_from <= timestamp_ntz '{moment}' and coalesce(valid_to > timestamp_ntz '{moment}', true)"
        )
        return _in_order(tuple(row) for row in versions.select(*columns).collect())

    def check_mart(self) -> None:
        """It is made from what its table held where it stands."""
        scenario, counted = self._scenario, self._schedule.counted
        table = scenario.catalog.find(scenario.marts_database, _MART) if counted else None
        if table is not None:
            made_from = MadeFrom.from_json(table.properties[MADE_FROM]).tables[counted]
            columns, rows = self._at(made_from.position).tables[counted]
            expected = _count(row[columns.index("id")] for row in rows)
            assert self._lake_rows(table, ["id_group", "rows", "ids"]) == expected, f"mart of {counted}"

    def check_quarantine(self) -> None:
        """No null of the lake is a value of the source that nobody was told about, and nobody is told twice."""
        scenario = self._scenario
        table = scenario.catalog.find(scenario.raw_database, "quarantine")
        rows = scenario.spark.table(table.spark_name).collect() if table else []
        told = Counter((row.table_name, _frozen(row.key), row.column_name) for row in rows if row.value == "NaN")
        assert {place: times for place, times in told.items() if times > 1} == {}
        for name in self._schedule.tables:
            key = [row[0] for row in self._sql(_KEY.format(name))]
            numbers = [row[0] for row in self._sql(_NUMBERS.format(name))]
            for column in numbers:
                keys = ", ".join(f"{each}::text" for each in key)
                for row in self._sql(f"select {keys} from {name} where {column} = 'NaN'"):
                    place = (name, frozenset(zip(key, row, strict=True)), column)
                    assert place in told, f"quarantine: nobody was told of {place}"

    def check_serving(self) -> None:
        """I4, and with it I1, of the serving database."""
        scenario = self._scenario
        for name, position in self._served().items():
            columns, rows = self._at(position).tables[name]
            served = scenario.on_serving(f"select {', '.join(columns)} from app.{name}")
            assert _in_order(tuple(row) for row in served) == rows, f"I4: {name} of the serving database"

    def _served(self) -> dict[str, int]:
        """The source's tables in the serving database, and where they stand."""
        rows = self._scenario.on_serving(
            "select table_name, position::text from trackman.bookmark where source = 'backend'"
        )
        return {name: parse_lsn(position) for name, position in rows}

    def settle(self) -> None:
        """When all is quiet and nothing dies, one run of each job leads to the source."""
        self._end_late(commits=True)
        self._job(Run("ingest"))
        if self._scenario.handed_over:
            self._job(Run("snapshot"))
            self._job(Run("ingest"))
        self._job(Run("publish"))
        now = self._moments[-1]
        self._remember_moment()
        assert now.tables == self._moments[-1].tables
        log = self._scenario.bookmark(self._scenario.change_log)
        for name in self._schedule.tables:
            held = self._scenario.bookmark(self._scenario.lake_table(name))
            assert (held.position, held.history, held.snapshot) == (log.position, log.history, None), name
        assert self._served() == dict.fromkeys(self._schedule.tables, log.position)
        for name, told in self._told.items():
            history = self._scenario.lake_table(f"{name}_history")
            assert told[-1][0] == parse_time(history.properties[FRONTIER])
            for moment, columns, rows in told:
                assert self._told_of(history, moment, columns) == rows, f"history of {name} at {moment}"
        if self._schedule.counted:
            served = self._scenario.on_serving(f"select id_group, rows, ids from app.{_MART}")
            columns, rows = now.tables[self._schedule.counted]
            expected = _count(row[columns.index("id")] for row in rows)
            assert _in_order(tuple(row) for row in served) == expected, f"served mart of {self._schedule.counted}"
        self.check_quarantine()
        self.check_change_log()

    def check_change_log(self) -> None:
        """I3: of each history that was followed, each change is in the change log once, as the source sends it."""
        stream = self._sql(
            f"select data from pg_logical_slot_peek_binary_changes('{self._audit}', null, null, 'proto_version', '1',"
            " 'messages', 'true', 'publication_names', 'trackman')"
        )
        said = reference([bytes(row[0]) for row in stream])
        changes = [_change(*row) for row in said["rows"]]
        changes += [
            (table, lsn, ordinal, "T", xid, time, None, None)
            for lsn, time, xid, ordinal, tables in said["truncates"]
            for table in tables
        ]
        logged: dict[int, Counter] = {}
        for row in self._scenario.spark.table(self._scenario.change_log.spark_name).collect():
            place = (f"{row.schema_name}.{row.table_name}", row.commit_lsn, row.ordinal)
            time_ = int(row.committed_at.timestamp() * 1_000_000) if row.committed_at else None
            entry = (*place, row.op, row.xid & 0xFFFFFFFF, time_, _frozen(row.before), _frozen(row.after))
            logged.setdefault(row.history, Counter())[entry] += 1
        for history, (first, end) in self._histories.items():
            expected = Counter(change for change in changes if first <= change[1] < end)
            found = logged.pop(history, Counter())
            missing, surplus = expected - found, found - expected
            assert not missing, f"I3: history {history} lacks {missing.total()} changes: {list(missing)[:3]}"
            assert not surplus, f"I3: history {history} has {surplus.total()} changes too many: {list(surplus)[:3]}"
        assert logged == {}


_COLUMNS = (
    "select attname::text from pg_attribute where attrelid = '{}'::regclass and attnum > 0 and not attisdropped"
    " order by attnum"
)


# Of a table: the columns of its key, and those of numbers with a point.
_KEY = (
    "select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
    " where i.indrelid = '{}'::regclass and i.indisprimary"
)
_NUMBERS = (
    "select attname::text from pg_attribute where attrelid = '{}'::regclass and attnum > 0 and not attisdropped"
    " and atttypid = 'numeric'::regtype"
)

_MART = "counted"


def _counting(table: str) -> Mart:
    """A mart of few groups, between which rows move."""
    return Mart(
        _MART,
        "How many rows there are",
        ("id_group",),
        {table: "SELECT CAST(id % 3 AS int) AS id_group FROM changed"},
        (
            MartColumn("id_group", "int", "remainder"),
            MartColumn("rows", "long", "their number"),
            MartColumn("ids", "long", "the sum of their ids"),
        ),
        f"SELECT CAST(id % 3 AS int) AS id_group, count(*) AS rows, sum(id) AS ids FROM {table}"
        " GROUP BY CAST(id % 3 AS int)",
    )


def _count(ids: Iterable[int]) -> Rows:
    """What that mart is of a table with these ids."""
    groups: dict[int, list[int]] = {}
    for each in ids:
        groups.setdefault(int(math.fmod(each, 3)), []).append(each)
    return _in_order((group, len(each), sum(each)) for group, each in groups.items())


def _as_the_lake_has_it(value: Any) -> Any:
    return None if isinstance(value, Decimal) and value.is_nan() else value


def _change(lsn: int, time_: int, xid: int, ordinal: int, table: str, kind: str, images: dict[str, dict]) -> tuple:
    """A change of the source's log as the change log has it. Of an old key it has the columns that are part of it."""
    before = images.get("O")
    if "K" in images:
        before = {name: value for name, value in images["K"].items() if value is not None}
    return (table, lsn, ordinal, kind, xid, time_, _frozen(before), _frozen(images.get("N")))


def _frozen(values: dict[str, str | None] | None) -> frozenset | None:
    return None if values is None else frozenset(values.items())


def _in_order(rows: Iterable[tuple]) -> Rows:
    return sorted(rows, key=repr)


class _Death:
    """A checkpoint: the job dies at one whose name begins so, if at any."""

    def __init__(self, at: str | None) -> None:
        self._at = at

    def __call__(self, name: str) -> None:
        if self._at is not None and name.startswith(self._at):
            raise Died(name)


def suppress_lost_connection() -> suppress:
    """Of a server that goes down while it is spoken to."""
    return suppress(pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError)


def wait_for(server: Server) -> None:
    """Until a server takes connections again."""
    deadline = time.monotonic() + _RESTART_SECONDS
    while True:
        try:
            server.connect().close()
        except (pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
