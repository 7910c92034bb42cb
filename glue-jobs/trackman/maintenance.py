"""Upkeep of Iceberg tables: small files become large ones, old snapshots and files that belong to none go.

Each step is one commit, and gives way: when somebody else committed what it builds on, nothing of it is kept and the
next run does it. What a table is and how far it is are properties, which no step touches.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.iceberg import IcebergTable

ORPHAN_AGE = timedelta(days=3)
"""Files of no snapshot may be of a commit that is still to come; none takes as long as this."""

_LOST_RACES = ("CommitFailedException", "ValidationException")


@dataclass(frozen=True)
class MaintenanceReport:
    """What was done to a table; counts are of files."""

    table: str
    compacted: int = 0
    """Data files that larger ones took the place of."""
    deletes_compacted: int = 0
    expired: int = 0
    """Data and delete files that only expired snapshots had."""
    orphans: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    """Steps that somebody else's commit came before: left for the next run."""
    error: str | None = None


def maintain(
    spark: SparkSession,
    table: IcebergTable,
    keep: timedelta,
    orphan_age: timedelta,
    checkpoint: Checkpoint = no_checkpoint,
) -> MaintenanceReport:
    """Do all steps; one that fails is reported, and ends the table's. `keep`: for how long snapshots are kept."""
    started = time.monotonic()
    actions = spark._jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession)
    report = MaintenanceReport(table.name)
    steps: Mapping[str, Callable[[], int]] = {
        "compacted": lambda: _compact(actions, table.java),
        "deletes_compacted": lambda: _compact_deletes(actions, table.java),
        "expired": lambda: _expire(actions, table.java, _milliseconds_ago(keep)),
        "orphans": lambda: _remove_orphans(actions, table.java, _milliseconds_ago(orphan_age)),
    }
    for name, step in steps.items():
        try:
            report = replace(report, **{name: step()})
        except Py4JJavaError as error:
            if not _is_lost_race(error):
                report = replace(report, error=f"{name}: {error.java_exception.toString().splitlines()[0]}")
                break
            report = replace(report, lost=[*report.lost, name])
        checkpoint(f"{name} {table.name}")
    return replace(report, seconds=round(time.monotonic() - started, 3))


def _compact(actions: JavaObject, table: JavaObject) -> int:
    # What is deleted from files that are written anew needs no delete file any more.
    rewrite = actions.rewriteDataFiles(table).binPack().option("remove-dangling-deletes", "true")
    return rewrite.execute().rewrittenDataFilesCount()


def _compact_deletes(actions: JavaObject, table: JavaObject) -> int:
    return actions.rewritePositionDeletes(table).execute().rewrittenDeleteFilesCount()


def _expire(actions: JavaObject, table: JavaObject, before: int) -> int:
    result = actions.expireSnapshots(table).expireOlderThan(before).retainLast(1).execute()
    return result.deletedDataFilesCount() + result.deletedPositionDeleteFilesCount()


def _remove_orphans(actions: JavaObject, table: JavaObject, before: int) -> int:
    # Listed by the table's own way to S3: Spark's need not know the address.
    result = actions.deleteOrphanFiles(table).usePrefixListing(True).olderThan(before).execute()
    return sum(1 for _ in result.orphanFileLocations())


def _milliseconds_ago(age: timedelta) -> int:
    return int((time.time() - age.total_seconds()) * 1000)


def _is_lost_race(error: Py4JJavaError) -> bool:
    cause = error.java_exception
    while cause is not None:
        if cause.getClass().getSimpleName() in _LOST_RACES:
            return True
        cause = cause.getCause()
    return False
