"""Parser of pgoutput (protocol version 1, no streaming), column by column over a batch of messages.

Messages arrive as one Arrow array of bytes in stream order. A loop in Python over a million of them takes seconds; here
each field of all messages is gathered at once by numpy from the array's one buffer, whose offsets are known.
https://www.postgresql.org/docs/16/protocol-logicalrep-message-formats.html
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

BEGIN, COMMIT, RELATION, TYPE, ORIGIN = b"BCRYO"
INSERT, UPDATE, DELETE, TRUNCATE, MESSAGE = b"IUDTM"
ROWS = (INSERT, UPDATE, DELETE)
# What a transaction's ordinals count.
EVENTS = (*ROWS, TRUNCATE, MESSAGE)
KNOWN = (BEGIN, COMMIT, RELATION, TYPE, ORIGIN, *EVENTS)

NEW_TUPLE, KEY_TUPLE, OLD_TUPLE = b"NKO"
NULL, UNCHANGED, TEXT = b"nut"

_POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000  # 2000-01-01 in Unix time
_TRANSACTIONAL = 1


class RelationColumn(NamedTuple):
    name: str
    in_identity: bool
    """It is sent with the old key of updates and deletes."""


@dataclass(frozen=True)
class Relation:
    """A table as the stream describes it, before its first change and whenever its definition changed."""

    oid: int
    schema: str
    table: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True)
class Cells:
    """The column values of some rows' tuples, as places in a buffer. Matrices are (rows, columns)."""

    rows: np.ndarray
    """Which rows of the RowChanges have such a tuple."""
    whole: np.ndarray
    """For each of them, whether the tuple is a whole row, not only its key."""
    kind: np.ndarray
    """NULL, UNCHANGED or TEXT."""
    start: np.ndarray
    end: np.ndarray
    buffer: pa.Buffer


@dataclass(frozen=True)
class RowChanges:
    """Inserts, updates and deletes of one table in stream order."""

    relation: Relation
    kind: np.ndarray
    """INSERT, UPDATE or DELETE."""
    commit_lsn: np.ndarray
    committed_at: np.ndarray
    """Microseconds since 1970."""
    xid: np.ndarray
    """32 bits of it, as sent."""
    ordinal: np.ndarray
    """Place in its transaction."""
    old: Cells
    new: Cells


class Truncate(NamedTuple):
    relations: tuple[Relation, ...]
    commit_lsn: int
    committed_at: int
    xid: int
    ordinal: int


class LogicalMessage(NamedTuple):
    """What pg_logical_emit_message wrote as part of a transaction."""

    prefix: str
    content: bytes
    commit_lsn: int


class Commit(NamedTuple):
    commit_lsn: int
    end_lsn: int
    """Where the next transaction's commit can be at the earliest: what a bookmark holds."""
    committed_at: int
    xid: int


@dataclass(frozen=True)
class Batch:
    """What a batch of messages holds."""

    rows: list[RowChanges]
    truncates: list[Truncate]
    messages: list[LogicalMessage]
    commits: list[Commit]


class _Transaction(NamedTuple):
    """One that began in an earlier batch."""

    commit_lsn: int
    committed_at: int
    xid: int
    events: int
    """How many came so far."""


class Parser:
    """Parses one stream batch by batch; keeps what a batch needs of those before it."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._open: _Transaction | None = None

    def parse(self, messages: pa.BinaryArray) -> Batch:
        """Parse the stream's next messages. Raises ValueError for what is not such a stream."""
        if not len(messages):
            return Batch([], [], [], [])
        frame = _Frame(messages)
        kinds = frame.kinds.copy()
        if not np.isin(kinds, KNOWN).all():
            unknown = kinds[~np.isin(kinds, KNOWN)][0]
            raise ValueError(f"pgoutput: unknown message type {bytes([unknown])!r}")
        # Messages that stand outside transactions are not ours and have no place in their order.
        is_message = np.flatnonzero(kinds == MESSAGE)
        kinds[is_message[frame.uint8(is_message, 1) & _TRANSACTIONAL == 0]] = 0

        place = self._place(frame, kinds)
        definitions = self._definitions(frame, kinds)
        batch = Batch(
            rows=list(_row_changes(frame, kinds, place, definitions)),
            truncates=[
                Truncate(
                    tuple(definitions.at(oid, index) for oid in frame.truncated_oids(index)),
                    *place.of(index),
                )
                for index in np.flatnonzero(kinds == TRUNCATE)
            ],
            messages=[
                LogicalMessage(*frame.logical_message(index), int(place.commit_lsn[index]))
                for index in np.flatnonzero(kinds == MESSAGE)
            ],
            commits=[
                Commit(lsn, end_lsn, committed_at, xid)
                for index in np.flatnonzero(kinds == COMMIT)
                for lsn, committed_at, xid, _ in [place.of(index)]
                for end_lsn in [int(frame.int64(index, 10))]
            ],
        )
        self._relations = definitions.latest()
        return batch

    def _place(self, frame: "_Frame", kinds: np.ndarray) -> "_Place":
        """Each message's transaction and its ordinal in it; remembers the transaction that is still open at the end."""
        begins = np.flatnonzero(kinds == BEGIN)
        transaction = np.cumsum(kinds == BEGIN)  # 0 is the one from the batch before
        carried = self._open or _Transaction(0, 0, 0, 0)
        inside = np.isin(kinds, (COMMIT, *EVENTS))
        if self._open is None and (inside & (transaction == 0)).any():
            raise ValueError("pgoutput: a change stands outside any transaction: the stream must start at a Begin")

        events = np.cumsum(np.isin(kinds, EVENTS))
        before = np.concatenate([[-carried.events], events[begins]])
        place = _Place(
            commit_lsn=np.concatenate([[carried.commit_lsn], frame.int64(begins, 1)])[transaction],
            committed_at=np.concatenate(
                [[carried.committed_at], frame.int64(begins, 9) + _POSTGRES_EPOCH_MICROSECONDS]
            )[transaction],
            xid=np.concatenate([[carried.xid], frame.uint32(begins, 17)]).astype(np.int64)[transaction],
            ordinal=events - before[transaction] - 1,
        )
        boundaries = np.flatnonzero((kinds == BEGIN) | (kinds == COMMIT))
        if len(boundaries) and kinds[boundaries[-1]] == COMMIT:
            self._open = None
        elif len(boundaries) or self._open:
            *transaction_of_last, ordinal = place.of(len(kinds) - 1)
            self._open = _Transaction(*transaction_of_last, events=ordinal + 1)
        return place

    def _definitions(self, frame: "_Frame", kinds: np.ndarray) -> "_Definitions":
        definitions = _Definitions({oid: [(-1, relation)] for oid, relation in self._relations.items()})
        for index in np.flatnonzero(kinds == RELATION):
            definitions.add(int(index), _relation(frame.message(index)))
        return definitions


@dataclass(frozen=True)
class _Place:
    """For each message of a batch, the transaction that it is in and its ordinal there."""

    commit_lsn: np.ndarray
    committed_at: np.ndarray
    xid: np.ndarray
    ordinal: np.ndarray

    def of(self, index: int) -> tuple[int, int, int, int]:
        return (
            int(self.commit_lsn[index]),
            int(self.committed_at[index]),
            int(self.xid[index]),
            int(self.ordinal[index]),
        )


class _Definitions:
    """Each relation's definitions with the index of the message from which on they hold."""

    def __init__(self, by_oid: dict[int, list[tuple[int, Relation]]]) -> None:
        self._by_oid = by_oid

    def add(self, index: int, relation: Relation) -> None:
        known = self._by_oid.setdefault(relation.oid, [])
        if not known or known[-1][1] != relation:
            known.append((index, relation))

    def at(self, oid: int, index: int) -> Relation:
        """The definition that a message at `index` goes by."""
        for since, relation in reversed(self._by_oid.get(oid, [])):
            if since < index:
                return relation
        raise ValueError(f"pgoutput: a change of relation {oid} comes before the relation's definition")

    def split(self, oid: int, indices: np.ndarray) -> list[tuple[Relation, np.ndarray]]:
        """Messages of one relation (ascending indices) by the definition that they go by."""
        first = self.at(oid, int(indices[0]))
        later = [(since, relation) for since, relation in self._by_oid[oid] if since > indices[0]]
        parts = np.split(indices, np.searchsorted(indices, [since for since, _ in later]))
        relations = [first, *(relation for _, relation in later)]
        return [(relation, part) for relation, part in zip(relations, parts, strict=True) if len(part)]

    def latest(self) -> dict[int, Relation]:
        return {oid: known[-1][1] for oid, known in self._by_oid.items()}


class _Frame:
    """The messages of a batch: one buffer and where each message starts in it. All numbers are big-endian."""

    def __init__(self, messages: pa.BinaryArray) -> None:
        _, offsets, self.buffer = messages.buffers()
        offsets = np.frombuffer(offsets, np.int32, len(messages) + 1, messages.offset * 4)
        self._offsets = offsets.astype(np.int64)
        self.starts = self._offsets[:-1]
        self._views = {dtype: _unaligned(self.buffer, dtype) for dtype in ("u1", ">u2", ">i4", ">u4", ">i8")}
        self.kinds = self.at("u1", self.starts)

    def at(self, dtype: str, positions: np.ndarray) -> np.ndarray:
        """The numbers at positions of the buffer."""
        return self._views[dtype][positions]

    def uint8(self, indices: np.ndarray, offset: int) -> np.ndarray:
        """Of each message, the number at `offset` from its start."""
        return self.at("u1", self.starts[indices] + offset)

    def uint32(self, indices: np.ndarray, offset: int) -> np.ndarray:
        return self.at(">u4", self.starts[indices] + offset)

    def int64(self, indices: np.ndarray, offset: int) -> np.ndarray:
        return self.at(">i8", self.starts[indices] + offset)

    def message(self, index: int) -> bytes:
        return self.buffer[self.starts[index] : self._offsets[index + 1]].to_pybytes()

    def truncated_oids(self, index: int) -> tuple[int, ...]:
        message = self.message(index)
        (count,) = struct.unpack_from(">I", message, 1)
        return struct.unpack_from(f">{count}I", message, 6)

    def logical_message(self, index: int) -> tuple[str, bytes]:
        """Prefix and content."""
        message = self.message(index)
        prefix_end = message.index(0, 10)
        (length,) = struct.unpack_from(">I", message, prefix_end + 1)
        content = prefix_end + 5
        return message[10:prefix_end].decode(), message[content : content + length]


def _unaligned(buffer: pa.Buffer, dtype: str) -> np.ndarray:
    """A view in which element i is the number that starts at byte i."""
    size = max(buffer.size - np.dtype(dtype).itemsize + 1, 0)
    return np.ndarray((size,), dtype, buffer, strides=(1,))


def _relation(message: bytes) -> Relation:
    (oid,) = struct.unpack_from(">I", message, 1)
    schema_end = message.index(0, 5)
    table_end = message.index(0, schema_end + 1)
    (count,) = struct.unpack_from(">H", message, table_end + 2)  # after the replica identity
    position = table_end + 4
    columns = []
    for _ in range(count):
        name_end = message.index(0, position + 1)
        columns.append(RelationColumn(message[position + 1 : name_end].decode(), bool(message[position] & 1)))
        position = name_end + 9  # the type's oid and modifier
    schema = message[5:schema_end].decode() or "pg_catalog"
    return Relation(oid, schema, message[schema_end + 1 : table_end].decode(), tuple(columns))


def _row_changes(frame: _Frame, kinds: np.ndarray, place: _Place, definitions: _Definitions):
    changes = np.flatnonzero(np.isin(kinds, ROWS))
    oids = frame.uint32(changes, 1)
    for oid in np.unique(oids):
        for relation, indices in definitions.split(int(oid), changes[oids == oid]):
            old, new = _tuples(frame, kinds[indices], indices, len(relation.columns))
            yield RowChanges(
                relation,
                kinds[indices],
                place.commit_lsn[indices],
                place.committed_at[indices],
                place.xid[indices],
                place.ordinal[indices],
                old,
                new,
            )


def _tuples(frame: _Frame, kinds: np.ndarray, indices: np.ndarray, columns: int) -> tuple[Cells, Cells]:
    """The old and the new tuples of changes. An update has the old one first, when it has one."""
    first = frame.starts[indices] + 5  # the tuple's tag
    tag = frame.at("u1", first)
    has_old = np.flatnonzero(tag != NEW_TUPLE)
    kind, start, end, after = _scan(frame, first[has_old] + 1, columns)
    old = Cells(has_old, tag[has_old] == OLD_TUPLE, kind, start, end, frame.buffer)

    new_tag = first.copy()
    new_tag[has_old] = after
    has_new = np.flatnonzero(kinds != DELETE)
    kind, start, end, _ = _scan(frame, new_tag[has_new] + 1, columns)
    new = Cells(has_new, np.ones(len(has_new), bool), kind, start, end, frame.buffer)
    return old, new


def _scan(frame: _Frame, position: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Kind, start and end of each cell of the tuples at `position`, and where the tuples end."""
    counts = frame.at(">u2", position)
    if (counts != columns).any():
        raise ValueError(f"pgoutput: a tuple has {counts[counts != columns][0]} columns, its relation {columns}")
    kind = np.empty((len(position), columns), np.uint8)
    start = np.empty((len(position), columns), np.int64)
    end = np.empty((len(position), columns), np.int64)
    position = position + 2
    for column in range(columns):
        kind[:, column] = frame.at("u1", position)
        has_value = kind[:, column] == TEXT
        # Without a value the length is read at some other place, where there is one, and not used.
        length = np.where(has_value, frame.at(">i4", np.where(has_value, position + 1, 0)), 0)
        start[:, column] = np.where(has_value, position + 5, position + 1)
        end[:, column] = position = start[:, column] + length
    return kind, start, end, position
