"""Rows of the change log, trackman_raw.changes, from the parsed stream. Personal data is handled here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trackman.contract import Contract, TableName
from trackman.pgoutput import NULL, UNCHANGED, Batch, Cells, RowChanges, Truncate
from trackman.pii import hash_texts

_TEXT_MAP = {"type": "map", "key": "string", "value": "string", "value-required": False}
COLUMNS = [
    ("source", "string", "name of the source's contract"),
    ("schema_name", "string", None),
    ("table_name", "string", None),
    ("op", "string", "I insert, U update, D delete, T truncate"),
    ("history", "int", "rises when the source's log had to be followed anew; positions compare within one"),
    (
        "commit_lsn",
        "long",
        "place of the commit in the source's log, or time of the reading in µs; with ordinal, order",
    ),
    ("ordinal", "long", "place of the change in its transaction"),
    ("xid", "long", "the transaction, with its epoch in the upper 32 bits; in watermark mode, as commit_lsn"),
    ("committed_at", "timestamp", "by the source's clock, in UTC; in watermark mode, when it was read"),
    ("before", _TEXT_MAP, "the old row as it was sent: its key, or all of it; null when not sent"),
    ("after", _TEXT_MAP, "the new row as text; a column that is absent is unchanged"),
    ("run_id", "string", "the run of the job ingest that wrote this"),
]
PARTITION_BY = ("identity(table_name)", "day(committed_at)")


@dataclass(frozen=True)
class ChangeFormat:
    """What turns parsed changes into rows of the change log."""

    contract: Contract
    pepper: bytes | None = field(repr=False)
    run_id: str
    history: int
    schema: pa.Schema
    """Of the change log, with its field ids."""
    full_xid: Callable[[np.ndarray], np.ndarray]
    """Gives 32-bit transaction ids their epoch."""

    def tables(self, batch: Batch) -> Iterable[tuple[TableName, pa.Table]]:
        """The batch's changes of the tables that the contract selects, table by table, each in order."""
        for changes in batch.rows:
            name = TableName(changes.relation.schema, changes.relation.table)
            if name in self.contract.selection:
                yield name, self._row_changes(name, changes)
        for truncate in batch.truncates:
            for relation in truncate.relations:
                name = TableName(relation.schema, relation.table)
                if name in self.contract.selection:
                    yield name, self._truncate(name, truncate)

    def _row_changes(self, name: TableName, changes: RowChanges) -> pa.Table:
        return self._table(
            name,
            op=pa.array(changes.kind.view("S1").astype(str)),  # the letters of the protocol
            commit_lsn=changes.commit_lsn,
            ordinal=changes.ordinal,
            xid=changes.xid,
            committed_at=changes.committed_at,
            before=self._text_map(name, changes, changes.old),
            after=self._text_map(name, changes, changes.new),
        )

    def _truncate(self, name: TableName, truncate: Truncate) -> pa.Table:
        return self._table(
            name,
            op=pa.array(["T"]),
            commit_lsn=np.array([truncate.commit_lsn]),
            ordinal=np.array([truncate.ordinal]),
            xid=np.array([truncate.xid]),
            committed_at=np.array([truncate.committed_at]),
            before=pa.nulls(1, self.schema.field("before").type),
            after=pa.nulls(1, self.schema.field("after").type),
        )

    def _table(self, name: TableName, xid: np.ndarray, committed_at: np.ndarray, **columns) -> pa.Table:
        rows = len(xid)
        columns = {
            **columns,
            "source": pa.repeat(self.contract.source, rows),
            "schema_name": pa.repeat(name.schema, rows),
            "table_name": pa.repeat(name.table, rows),
            "history": pa.repeat(pa.scalar(self.history, pa.int32()), rows),
            "xid": self.full_xid(xid),
            "committed_at": pa.array(committed_at, pa.timestamp("us")),
            "run_id": pa.repeat(self.run_id, rows),
        }
        return pa.table([pa.array(columns[field.name]) for field in self.schema], schema=self.schema)

    def _text_map(self, name: TableName, changes: RowChanges, cells: Cells) -> pa.MapArray:
        """For each change, the columns that its tuple holds → their text; null where it has no such tuple."""
        options = self.contract.options(name)
        columns = changes.relation.columns
        in_identity = np.array([column.in_identity for column in columns], bool)
        kept = np.array([options.pii.get(column.name) != "drop" for column in columns], bool)
        hashed = np.array([options.pii.get(column.name) == "hash" for column in columns], bool)

        present = (cells.kind != UNCHANGED) & kept & (cells.whole[:, None] | in_identity)
        rows, places = np.nonzero(present)
        texts = _texts(cells, rows, places)
        if hashed.any():
            is_hashed = pa.array(hashed[places])
            texts = pc.replace_with_mask(texts, is_hashed, hash_texts(texts.filter(is_hashed), self.pepper))

        lengths = np.zeros(len(changes.kind), np.int32)
        lengths[cells.rows] = present.sum(axis=1)
        missing = np.ones(len(lengths) + 1, bool)
        missing[cells.rows] = missing[-1] = False
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), mask=missing)
        names = pa.array([column.name for column in columns], pa.string()).take(pa.array(places))
        return pa.MapArray.from_arrays(offsets, names, texts)


def _texts(cells: Cells, rows: np.ndarray, columns: np.ndarray) -> pa.StringArray:
    """The text of the given cells, which come in the order of the buffer."""
    # Start, end, start, end, …: read as offsets, every second element is a cell and the others are what lies between.
    offsets = np.empty(2 * len(rows), np.int32)
    offsets[0::2] = cells.start[rows, columns]
    offsets[1::2] = cells.end[rows, columns]
    pieces = pa.Array.from_buffers(pa.binary(), max(len(offsets) - 1, 0), [None, pa.py_buffer(offsets), cells.buffer])
    picked = pa.array(np.arange(0, len(offsets), 2), mask=cells.kind[rows, columns] == NULL)
    return pieces.take(picked).cast(pa.string())
