"""What a run did, table by table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trackman.metrics import Measurement


@dataclass(frozen=True)
class TableReport:
    """What a run did to a table of the lake."""

    table: str
    read: int = 0
    """Rows of a copy, changes of the change log."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0
    """Rows with values that the lake's table has no place for, or that a rule of the contract sets aside."""
    bytes: int = 0
    """Of the files that were written."""
    seconds: float = 0.0
    frontier: str | None = None
    """The source's clock up to which the table is complete, once the run published it (ISO 8601, UTC)."""
    lag_seconds: float | None = None
    """How old the frontier was when it was published."""
    waiting: str | None = None
    """Why the table is left as it is until a later run. Its changes wait in the change log."""
    error: str | None = None
    violations: Mapping[str, int] = field(default_factory=dict)
    """Rows that are against the contract's rules, by the rule's name; of a rule on the table, 1."""
    unjudged: tuple[str, ...] = ()
    """Rules that could not be judged, and why."""

    def and_then(self, later: "TableReport") -> "TableReport":
        """Of both steps, the later one's outcome."""
        return TableReport(
            self.table,
            self.read + later.read,
            self.inserted + later.inserted,
            self.updated + later.updated,
            self.deleted + later.deleted,
            self.quarantined + later.quarantined,
            self.bytes + later.bytes,
            round(self.seconds + later.seconds, 3),
            later.frontier,
            later.lag_seconds,
            later.waiting,
            later.error,
            added(self.violations, later.violations),
            (*self.unjudged, *later.unjudged),
        )

    def measurements(self, source: str) -> list[Measurement]:
        """For CloudWatch."""
        counted = {
            "RowsRead": self.read,
            "RowsInserted": self.inserted,
            "RowsUpdated": self.updated,
            "RowsDeleted": self.deleted,
            "RowsQuarantined": self.quarantined,
        }
        dimensions = {"Source": source, "Table": self.table}
        measured = [Measurement(metric, value, "Count", dimensions) for metric, value in counted.items()]
        if self.violations:
            measured.append(Measurement("RuleViolations", sum(self.violations.values()), "Count", dimensions))
        measured.append(Measurement("BytesWritten", self.bytes, "Bytes", dimensions))
        if self.lag_seconds is not None:
            measured.append(Measurement("PublicationLag", self.lag_seconds, "Seconds", dimensions))
        return measured


def added(some: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    """The sums of counts, also of those that are 0."""
    return {name: some.get(name, 0) + others.get(name, 0) for name in {**some, **others}}


def by_table(reports: Iterable[TableReport]) -> list[TableReport]:
    """One report a table, in the order in which they came first."""
    merged: dict[str, TableReport] = {}
    for report in reports:
        earlier = merged.get(report.table)
        merged[report.table] = earlier.and_then(report) if earlier else report
    return list(merged.values())
