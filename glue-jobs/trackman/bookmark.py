"""Where a table stands in its source's history: Iceberg properties, committed with the data that they speak of."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple, Self

from trackman.lsn import format_lsn, parse_lsn

FRONTIER = "trackman.frontier"
EPOCH = "trackman.epoch"
"""Rises with each new copy of a table. What follows the table cannot go on across it and starts anew."""

LOG_BEGINS = "trackman.log-begins"
"""Of a current table: from where on the change log has all of its changes. What follows the table from before that
starts anew."""


def bookmark_property(source: str) -> str:
    return f"trackman.bookmark.{source}"


@dataclass(frozen=True)
class Snapshot:
    """What a table's initial copy saw, for as long as the log's changes up to `lsn` are not all applied."""

    visible: str
    """pg_snapshot's text: xmin:xmax:transactions that were in progress, xmax exclusive."""
    lsn: int
    """Everything that the copy saw was committed before this position."""


@dataclass(frozen=True)
class Bookmark:
    """All of the source's changes that were committed before `position` are in the table, and none behind it."""

    position: int
    """End of a commit in the source's log."""
    xid: int | None = None
    """That commit's transaction and time (ISO 8601, UTC): a history that has another there is not the one followed."""
    committed_at: str | None = None
    snapshot: Snapshot | None = None
    history: int = 0
    """Rises when the source's log had to be followed anew: positions are comparable within one."""

    def moved_to(self, other: "Bookmark") -> "Bookmark":
        """At the other's position. A snapshot is forgotten once it lies behind."""
        still_needed = self.snapshot if self.snapshot and self.snapshot.lsn > other.position else None
        return replace(other, snapshot=still_needed)

    def to_json(self) -> str:
        values = {
            "position": format_lsn(self.position),
            "xid": self.xid,
            "committedAt": self.committed_at,
            "history": self.history,
        }
        if self.snapshot:
            values["snapshot"] = {"visible": self.snapshot.visible, "lsn": format_lsn(self.snapshot.lsn)}
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> "Bookmark":
        values = json.loads(text)
        snapshot = values.get("snapshot")
        return cls(
            parse_lsn(values["position"]),
            values["xid"],
            values["committedAt"],
            Snapshot(snapshot["visible"], parse_lsn(snapshot["lsn"])) if snapshot else None,
            values["history"],
        )


class Place(NamedTuple):
    """Where a change of a source stands. Later ones are greater, across the source's histories."""

    history: int
    position: int

    def to_json(self) -> str:
        return json.dumps({"history": self.history, "position": format_lsn(self.position)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        return cls(values["history"], parse_lsn(values["position"]))


def log_begins(properties: Mapping[str, str], history: int) -> int:
    """From which position of a history on the change log has all changes of the current table with these properties."""
    place = Place.from_json(properties[LOG_BEGINS]) if LOG_BEGINS in properties else Place(0, 0)
    return place.position if place.history == history else 0


@dataclass(frozen=True)
class ServerIdentity:
    """The server and the database whose log positions are comparable."""

    system_identifier: str
    timeline: int
    database_oid: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ServerIdentity":
        return cls(**json.loads(text))


def parse_time(text: str) -> datetime:
    """Of what `format_time` wrote; in UTC, without saying so."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def format_time(time: datetime) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
