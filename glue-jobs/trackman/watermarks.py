"""Watermarks: up to which time the rows of a table were read, and up to which they can be.

A row is stamped by its transaction at or after the transaction's start, and seen once that has committed. So what is
older than the oldest transaction that is open was seen by every reader that comes later.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from trackman.bookmark import format_time
from trackman.contract import TableName, parse_table_name

_EPOCH = datetime.fromtimestamp(0, UTC)


def watermarks_property(source: str) -> str:
    return f"trackman.watermarks.{source}"


def to_microseconds(time: datetime) -> int:
    """Since 1970, which is a position in the change log."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(position: int) -> datetime:
    return _EPOCH + timedelta(microseconds=position)


@dataclass(frozen=True)
class Activity:
    """What is at work on a source's database at one moment."""

    clock: datetime
    """The source's."""
    oldest_start: datetime | None
    """Of the transactions that are open."""
    prepared: tuple[str, ...]
    """Transactions that wait for their second phase; when they began is not known any more."""

    def bound(self, margin: timedelta) -> datetime | None:
        """All rows that are stamped until then can be read from now on; None when that is not known.

        The margin is for the moment between a transaction's start and its being seen as open.
        """
        if self.prepared:
            return None
        return min(self.clock, self.oldest_start or self.clock) - margin


@dataclass(frozen=True)
class Mark:
    """How far a table was read."""

    read_to: datetime
    """All rows that are stamped until then are in the change log, or in the copy from which the table began."""
    reconciled_at: datetime
    """When all rows were compared last, at a time before which nothing has to be."""


class Watermarks:
    """The marks of a source's tables."""

    def __init__(self, marks: Mapping[TableName, Mark] = MappingProxyType({})) -> None:
        self._marks = dict(marks)

    def __contains__(self, name: TableName) -> bool:
        return name in self._marks

    def __getitem__(self, name: TableName) -> Mark:
        return self._marks[name]

    def begun(self, names: Iterable[TableName], bound: datetime, clock: datetime) -> "Watermarks":
        """With tables of which everything until the bound will be copied."""
        return Watermarks({**self._marks, **{name: Mark(bound, clock) for name in names}})

    def moved(self, name: TableName, bound: datetime | None, reconciled_at: datetime | None) -> "Watermarks":
        """With a table that was read up to the bound; a mark never goes back."""
        mark = self._marks[name]
        if bound and bound > mark.read_to:
            mark = replace(mark, read_to=bound)
        if reconciled_at:
            mark = replace(mark, reconciled_at=reconciled_at)
        return Watermarks({**self._marks, name: mark})

    def read_to(self, names: Iterable[TableName]) -> datetime:
        """Until when all of the tables were read."""
        return min(self._marks[name].read_to for name in names)

    def to_json(self) -> str:
        marks = {
            str(name): {"readTo": format_time(mark.read_to), "reconciledAt": format_time(mark.reconciled_at)}
            for name, mark in sorted(self._marks.items())
        }
        return json.dumps(marks)

    @classmethod
    def from_json(cls, text: str) -> "Watermarks":
        def time(values: Mapping[str, Any], name: str) -> datetime:
            return datetime.fromisoformat(values[name])

        marks = json.loads(text).items()
        return cls(
            {parse_table_name(name): Mark(time(mark, "readTo"), time(mark, "reconciledAt")) for name, mark in marks}
        )
