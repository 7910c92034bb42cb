"""What a run did, table by table."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class TableReport:
    """What a run did to a table of the lake."""

    table: str
    read: int = 0
    """Rows of a copy, changes of the change log."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    seconds: float = 0.0
    waiting: str | None = None
    """Why the table is left as it is until a later run. Its changes wait in the change log."""
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
            later.waiting,
            later.error,
        )


def by_table(reports: Iterable[TableReport]) -> list[TableReport]:
    """One report a table, in the order in which they came first."""
    merged: dict[str, TableReport] = {}
    for report in reports:
        earlier = merged.get(report.table)
        merged[report.table] = earlier.and_then(report) if earlier else report
    return list(merged.values())
