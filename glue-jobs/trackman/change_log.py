"""The change log, trackman_raw.changes: the source's log from one bookmark to the next, appended once.

One table for all sources and their tables, with values as text, so that no change of a table's definition can stop it
and one commit is one consistent cut over all tables. Everything else is made from it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from trackman.bookmark import Bookmark, ServerIdentity, bookmark_property, format_time
from trackman.changes import COLUMNS, PARTITION_BY, ChangeFormat
from trackman.checkpoints import Checkpoint
from trackman.contract import LogContract, TableName
from trackman.data_files import DataFileWriter
from trackman.errors import LostChangesError
from trackman.iceberg import IcebergCatalog, IcebergTable, beside_upkeep
from trackman.lsn import format_lsn
from trackman.pgoutput import Batch, Commit, Parser
from trackman.postgres import Server, literal
from trackman.source import MESSAGE_PREFIX, Barrier, Source

TABLE = "changes"
# Of texts, Iceberg notes the first 16 letters. With all of them it knows that a file is of one table only, and can let
# go of it without reading it.
_WHOLE_BOUNDS = {f"write.metadata.metrics.column.{name}": "full" for name in ("source", "schema_name", "table_name")}
_BATCH_BYTES = 8 << 20
# Transactions beyond this are decoded from files on the source's disk, at a third of the speed.
_DECODING_MEMORY = "256MB"


def server_property(source: str) -> str:
    return f"trackman.server.{source}"


def open_change_log(catalog: IcebergCatalog, database: str) -> IcebergTable:
    """The change log; an empty one is made when there is none."""
    return catalog.open(database, TABLE, COLUMNS, PARTITION_BY, _WHOLE_BOUNDS)


def start_or_resume(
    log: IcebergTable, source: Source, contract: LogContract, server: ServerIdentity, run_id: str, anew: bool
) -> Bookmark:
    """The source's bookmark in the change log, at the slot's position the first time.

    `anew` begins another history, whatever became of the one that was followed: with a new slot, on the server that is
    there. Raises LostChangesError when what follows the bookmark cannot be had from this slot.
    """
    text = log.properties.get(bookmark_property(contract.source))
    if text is None or anew:
        if anew:
            source.drop_slot()
        # A slot without a bookmark is of a run that died between the two.
        position = source.slot_position()
        bookmark = Bookmark(
            source.create_slot() if position is None else position,
            history=0 if text is None else Bookmark.from_json(text).history + 1,
        )
        name = bookmark_property(contract.source)
        log.publish(
            run_id, {name: text}, {name: bookmark.to_json(), server_property(contract.source): server.to_json()}
        )
        return bookmark
    bookmark = Bookmark.from_json(text)
    _check_resumable(log, source, contract, server, bookmark)
    return bookmark


def _check_resumable(
    log: IcebergTable, source: Source, contract: LogContract, server: ServerIdentity, bookmark: Bookmark
) -> None:
    name, slot = contract.source, contract.slot
    slot_position = source.slot_position()
    known = ServerIdentity.from_json(log.properties[server_property(name)])
    remedy = f"follow the source anew by `trackman source resnapshot <environment> {name} --all`"
    if server != known:
        raise LostChangesError(f"{name}: the server is {server}, the lake follows {known}: {remedy}")
    if slot_position is None:
        raise LostChangesError(
            f"{name}: slot {slot} is gone, and with it what followed {format_lsn(bookmark.position)}: {remedy}"
        )
    if slot_position > bookmark.position:
        raise LostChangesError(
            f"{name}: slot {slot} is at {format_lsn(slot_position)}, ahead of the change log at "
            f"{format_lsn(bookmark.position)}: somebody else read from it and what lies between is lost: {remedy}"
        )


@dataclass(frozen=True)
class Drained:
    """How far a run read the source's log."""

    bookmark: Bookmark
    changes: Counter[TableName]


class Drain:
    """One run's reading of the source's log, from the change log's bookmark to the run's barrier."""

    def __init__(
        self,
        log: IcebergTable,
        source: Source,
        server: Server,
        contract: LogContract,
        pepper: bytes | None,
        run_id: str,
        checkpoint: Checkpoint,
    ) -> None:
        self._log = log
        self._source = source
        self._server = server
        self._contract = contract
        self._run_id = run_id
        self._checkpoint = checkpoint
        self._pepper = pepper

    def run(self, bookmark: Bookmark, barrier: Barrier) -> Drained:
        """Append everything up to the barrier, in steps of the source's log, each acknowledged once it is appended."""
        changes = Counter()
        step_end = bookmark.position
        end_of_log = self._source.flushed_position()
        reached = False
        while not reached:
            if step_end >= end_of_log:
                raise LostChangesError(
                    f"{self._contract.source}: the slot's history ends at {format_lsn(end_of_log)} without this run's "
                    "barrier"
                )
            step_end = min(step_end + self._contract.wal_bytes_per_step, end_of_log)
            bookmark, reached = self._step(bookmark, step_end, barrier, changes)
        return Drained(bookmark, changes)

    def _step(
        self, bookmark: Bookmark, step_end: int, barrier: Barrier, changes: Counter[TableName]
    ) -> tuple[Bookmark, bool]:
        """Append up to `step_end` or to the barrier. Returns the new bookmark and whether the barrier was reached."""
        full_xid = epoch_restorer(barrier.xid)
        layout = self._log.layout
        rows_format = ChangeFormat(
            self._contract, self._pepper, self._run_id, bookmark.history, layout.schema, full_xid
        )
        step = _Step(bookmark, self._run_id, full_xid, redelivers=self._source.slot_position() < bookmark.position)
        with DataFileWriter(layout) as writer:
            for batch in self._peek(step_end):
                step.follow(batch)
                for name, rows in rows_format.tables(batch):
                    lsn = rows["commit_lsn"].to_numpy()
                    rows = rows.filter(pa.array((lsn >= bookmark.position) & (lsn <= step.barrier_lsn)))
                    if rows.num_rows:
                        writer.write(rows, group=name)
                        changes[name] += rows.num_rows
                if step.reached_barrier:
                    break
            if step.last_commit is None:
                return bookmark, False
            step.check_history(self._contract.source)
            files = writer.close()
        self._checkpoint("change log written")
        moved = Bookmark(
            step.last_commit.end_lsn,
            int(full_xid(np.array([step.last_commit.xid]))[0]),
            _commit_time(step.last_commit),
            history=bookmark.history,
        )
        name = bookmark_property(self._contract.source)
        expected, properties = {name: bookmark.to_json()}, {name: moved.to_json()}
        beside_upkeep(lambda: self._log.publish(self._run_id, expected, properties, files))
        self._checkpoint("change log published")
        self._source.advance_slot(format_lsn(moved.position))
        print(f"{self._contract.source}: change log at {format_lsn(moved.position)}", flush=True)
        self._checkpoint("slot advanced")
        return moved, step.reached_barrier

    def _peek(self, end: int) -> Iterator[Batch]:
        """The slot's transactions up to the first whose commit ends at `end` or behind; none is consumed."""
        query = (
            f"select data from pg_logical_slot_peek_binary_changes({literal(self._contract.slot)},"
            f" {literal(format_lsn(end))}, null, 'proto_version', '1', 'messages', 'true',"
            f" 'publication_names', {literal(self._contract.publication)})"
        )
        parser = Parser()
        with (
            self._server.connect_arrow(logical_decoding_work_mem=_DECODING_MEMORY) as connection,
            connection.cursor() as cursor,
        ):
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(query)
            for batch in cursor.fetch_record_batch():
                yield parser.parse(batch.column(0))


class _Step:
    """What a step has seen of the stream."""

    def __init__(
        self, bookmark: Bookmark, run_id: str, full_xid: Callable[[np.ndarray], np.ndarray], redelivers: bool
    ) -> None:
        self._bookmark = bookmark
        self._barrier = (MESSAGE_PREFIX, run_id.encode())
        self._full_xid = full_xid
        self._bookmark_must_reappear = redelivers
        self.barrier_lsn: float = np.inf
        """Where the barrier's commit stands, once it was seen."""
        self.reached_barrier = False
        self.last_commit: Commit | None = None
        """Behind the bookmark, the barrier's at the latest."""

    def follow(self, batch: Batch) -> None:
        for message in batch.messages:
            if (message.prefix, message.content) == self._barrier:
                self.barrier_lsn = message.commit_lsn
        for commit in batch.commits:
            if commit.end_lsn == self._bookmark.position and self._is_bookmark(commit):
                self._bookmark_must_reappear = False
            if self._bookmark.position <= commit.commit_lsn <= self.barrier_lsn:
                self.last_commit = commit
                self.reached_barrier = commit.commit_lsn == self.barrier_lsn

    def check_history(self, source: str) -> None:
        """When the slot delivers again what the change log has, the bookmark's own commit must be among it."""
        if self._bookmark_must_reappear:
            raise LostChangesError(
                f"{source}: the log no longer has the commit of transaction {self._bookmark.xid} at "
                f"{format_lsn(self._bookmark.position)} that the lake stands at: the source was restored or failed "
                f"over: follow it anew by `trackman source resnapshot <environment> {source} --all`"
            )

    def _is_bookmark(self, commit: Commit) -> bool:
        xid = int(self._full_xid(np.array([commit.xid]))[0])
        return (xid, _commit_time(commit)) == (self._bookmark.xid, self._bookmark.committed_at)


def _commit_time(commit: Commit) -> str:
    return format_time(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=commit.committed_at))


def epoch_restorer(near: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that gives 32-bit transaction ids the epoch in which they lie within 2^31 of the full id `near`."""

    def restore(xid: np.ndarray) -> np.ndarray:
        distance = (xid.astype(np.int64) - near) & 0xFFFFFFFF
        return near + np.where(distance >= 1 << 31, distance - (1 << 32), distance)

    return restore
