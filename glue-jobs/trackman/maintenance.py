"""Upkeep of Iceberg tables: small files become large ones, old snapshots and files that belong to none go.

Each step is one commit, and gives way: when somebody else committed what it builds on, nothing of it is kept and the
next run does it. What a table is and how far it is are properties, which no step touches.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from py4j.java_gateway import JavaObject, JVMView
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.failures import is_lost_race
from trackman.iceberg import BRANCH_PREFIX, IcebergTable

ORPHAN_AGE = timedelta(days=3)
"""Files of no snapshot may be of a commit that is still to come; none takes as long as this."""


@dataclass(frozen=True)
class MaintenanceReport:
    """What was done to a table; counts are of files."""

    table: str
    strays: int = 0
    """Branches of runs that died."""
    compacted: int = 0
    """Data files that larger ones took the place of."""
    deletes_compacted: int = 0
    manifests: int = 0
    """Lists of data files, with the bounds of their values, that were freed of files that went."""
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
    *,
    leave_nothing: bool = False,
) -> MaintenanceReport:
    """Do all steps; one that fails is reported, and ends the table's. `keep`: for how long snapshots are kept.

    With `leave_nothing` no file of the present table has a deleted row any more, nor has its metadata the bounds of
    one; without, files that are few and have few of them keep them.
    """
    started = time.monotonic()
    actions = spark._jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession)
    report = MaintenanceReport(table.name)
    steps: Mapping[str, Callable[[], int]] = {
        "strays": lambda: _remove_strays(table.java, _milliseconds_ago(orphan_age)),
        "compacted": lambda: _compact(actions, table.java, leave_nothing),
        "deletes_compacted": lambda: _compact_deletes(actions, table.java),
        "manifests": lambda: _rewrite_manifests(spark._jvm, table.java) if leave_nothing else 0,
        "expired": lambda: _expire(actions, table.java, _milliseconds_ago(keep)),
        "orphans": lambda: _remove_orphans(actions, table.java, _milliseconds_ago(orphan_age)),
    }
    for name, step in steps.items():
        try:
            report = replace(report, **{name: step()})
        except Py4JJavaError as error:
            if not is_lost_race(error):
                report = replace(report, error=f"{name}: {error.java_exception.toString().splitlines()[0]}")
                break
            report = replace(report, lost=[*report.lost, name])
        checkpoint(f"{name} {table.name}")
    return replace(report, seconds=round(time.monotonic() - started, 3))


def _remove_strays(table: JavaObject, before: int) -> int:
    """A branch that was not published holds the snapshots it began at and led to."""
    main = table.currentSnapshot().snapshotId()
    heads = {name: table.snapshot(ref.snapshotId()) for name, ref in dict(table.refs()).items()}
    strays = [
        name
        for name, head in heads.items()
        if name.startswith(BRANCH_PREFIX) and head.snapshotId() != main and head.timestampMillis() < before
    ]
    if strays:
        changes = table.manageSnapshots()
        for name in strays:
            changes.removeBranch(name)
        changes.commit()
    return len(strays)


def _compact(actions: JavaObject, table: JavaObject, leave_nothing: bool) -> int:
    # What is deleted from files that are written anew needs no delete file any more.
    rewrite = actions.rewriteDataFiles(table).binPack().option("remove-dangling-deletes", "true")
    if leave_nothing:
        rewrite = rewrite.option("delete-file-threshold", "1")
    return rewrite.execute().rewrittenDataFilesCount()


def _compact_deletes(actions: JavaObject, table: JavaObject) -> int:
    return actions.rewritePositionDeletes(table).execute().rewrittenDeleteFilesCount()


def _rewrite_manifests(jvm: JVMView, table: JavaObject) -> int:
    table.refresh()
    stale = [each for each in table.currentSnapshot().dataManifests(table.io()) if each.hasDeletedFiles()]
    if stale:
        table.rewriteManifests().clusterBy(_constant(jvm)).commit()
    return len(stale)


def _constant(jvm: JVMView) -> JavaObject:
    """A Java function that is the same for all: all files come to one manifest, or as few as its size allows."""
    handles, types = jvm.java.lang.invoke.MethodHandles, jvm.java.lang.Class
    anything = types.forName("java.lang.Object")
    handle = handles.dropArguments(handles.constant(anything, "all"), 0, jvm.java.util.List.of(anything))
    function = types.forName("java.util.function.Function")
    return jvm.java.lang.invoke.MethodHandleProxies.asInterfaceInstance(function, handle)


def _expire(actions: JavaObject, table: JavaObject, before: int) -> int:
    result = actions.expireSnapshots(table).expireOlderThan(before).retainLast(1).execute()
    return result.deletedDataFilesCount() + result.deletedPositionDeleteFilesCount()


def _remove_orphans(actions: JavaObject, table: JavaObject, before: int) -> int:
    # Listed by the table's own way to S3: Spark's need not know the address.
    result = actions.deleteOrphanFiles(table).usePrefixListing(True).olderThan(before).execute()
    return sum(1 for _ in result.orphanFileLocations())


def _milliseconds_ago(age: timedelta) -> int:
    return int((time.time() - age.total_seconds()) * 1000)
