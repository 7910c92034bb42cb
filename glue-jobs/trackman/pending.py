"""What the change log holds for a table behind a position: what its followers have to catch up with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackman.bookmark import Bookmark, Snapshot
from trackman.contract import TableName


@dataclass(frozen=True)
class Span:
    """A table's changes from a follower's bookmark on, before position `end`."""

    table: TableName
    bookmark: Bookmark
    end: int

    def of(self, log: DataFrame) -> DataFrame:
        """The changes in the change log, without those that the follower's first copy has seen."""
        return log.where(self._condition())

    def _condition(self) -> Column:
        changes = (
            (F.col("schema_name") == self.table.schema)
            & (F.col("table_name") == self.table.table)
            & (F.col("history") == self.bookmark.history)
            & (F.col("commit_lsn") >= self.bookmark.position)
            & (F.col("commit_lsn") < self.end)
        )
        return changes & _unseen_by(self.bookmark.snapshot) if self.bookmark.snapshot else changes


def _unseen_by(snapshot: Snapshot) -> Column:
    """Of transactions that are known to have committed, those that were still in progress in the snapshot."""
    xmin, xmax, in_progress = snapshot.visible.split(":")
    xid = F.col("xid")
    # The first condition follows from the others; by it files whose transactions are all older are not read.
    return (xid >= int(xmin)) & ((xid >= int(xmax)) | xid.isin([int(x) for x in in_progress.split(",") if x]))


@dataclass(frozen=True)
class Summary:
    """What kinds of changes a span has."""

    changes: int
    may_move: bool
    """Some update may have changed a row's key."""
    truncated_at: tuple[int, int] | None
    """Commit LSN and ordinal of the last truncate."""


NOTHING = Summary(0, False, None)


def read_log(log: DataFrame, source: str) -> DataFrame:
    """A source's part of the change log."""
    return log.where(F.col("source") == source)


def summarize(log: DataFrame, spans: Sequence[Span]) -> Mapping[TableName, Summary]:
    """The summaries of those spans (of different tables) that have changes, by one reading of the log."""
    if not spans:
        return {}
    rows = (
        log.where(reduce(Column.__or__, (span._condition() for span in spans)))
        .groupBy("schema_name", "table_name")
        .agg(
            F.count("*").alias("changes"),
            F.bool_or((F.col("op") == "U") & F.col("before").isNotNull()).alias("may_move"),
            F.max(F.when(F.col("op") == "T", F.struct("commit_lsn", "ordinal"))).alias("truncated_at"),
        )
        .collect()
    )
    return {
        TableName(row.schema_name, row.table_name): Summary(
            row.changes, row.may_move, row.truncated_at and tuple(row.truncated_at)
        )
        for row in rows
    }


def old_key(key: Sequence[str]) -> Column:
    """A struct of the key that a row had before a change (an insert: the one it got), as text."""
    return F.struct(*[F.coalesce(F.col("before")[c], F.col("after")[c]).alias(c) for c in key])


def new_key(key: Sequence[str]) -> Column:
    """A struct of the key that a row has after a change (a delete: the one it had), as text."""
    return F.struct(*[F.coalesce(F.col("after")[c], F.col("before")[c]).alias(c) for c in key])
