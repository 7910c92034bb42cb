"""What is older than its contract keeps it goes: changes that nobody needs any more, and values in quarantine.

The ledger trackman_raw.files forgets nothing: whoever announces a file again, and be it after years, is answered from
it, and rows of the feeds' tables name their file by it. It is one row a file and holds nothing of what was in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from trackman.bookmark import Place
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import Contract, TableName
from trackman.errors import RivalRunError
from trackman.followers import Followed, FollowedTable
from trackman.iceberg import IcebergTable
from trackman.removal import ChangeLogRemoval, Rows, changes_of, look_at, remove


@dataclass(frozen=True)
class RetentionReport:
    """What was older than a contract keeps it."""

    source: str
    of: str
    """The source's table whose changes they are, or quarantine."""
    removed: int = 0
    held: int = 0
    """Changes that somebody still needs."""
    held_by: Sequence[str] = ()
    lost: bool = False
    """Somebody else's commit came before: left for the next run."""


def remove_old_changes(
    spark: SparkSession,
    log: IcebergTable,
    lake_database: str,
    contracts: Sequence[Contract],
    followed: Followed,
    now: datetime,
    checkpoint: Checkpoint = no_checkpoint,
) -> Iterator[RetentionReport]:
    """Remove old changes, whole days of them, table by table."""
    removal = ChangeLogRemoval(spark, log, lake_database, checkpoint)
    before = {contract.source: _midnight(now - contract.retention.changes) for contract in contracts}
    for found in _old_changes(spark, log, before, followed):
        name = TableName(found.schema_name, found.table_name)
        table = followed.get((found.source, name), FollowedTable())
        report = RetentionReport(found.source, str(name), held=found.held)
        if found.held:
            report = replace(report, held_by=table.behind(Place(found.last_held.history, found.last_held.commit_lsn)))
        if found.removable:
            old = changes_of(found.source, name) & Rows(f"committed_at < {before[found.source]}")
            try:
                removal.remove(old, Place(*found.last), table)
                report = replace(report, removed=found.removable)
            except RivalRunError:
                report = replace(report, lost=True)
        yield report


def remove_old_values(
    spark: SparkSession, quarantine: IcebergTable, contracts: Sequence[Contract], now: datetime
) -> Iterator[RetentionReport]:
    """Remove values from the quarantine. One that still has no place is found again when its table is copied."""
    for contract in contracts:
        before = _midnight(now - contract.retention.quarantine)
        old = Rows(f"source = :source and quarantined_at < {before}", {"source": contract.source})
        if count := look_at(spark, quarantine, old, "count(*)")[0]:
            try:
                remove(spark, quarantine, old)
                yield RetentionReport(contract.source, "quarantine", removed=count)
            except RivalRunError:
                yield RetentionReport(contract.source, "quarantine", lost=True)


def _old_changes(spark: SparkSession, log: IcebergTable, before: Mapping[str, str], followed: Followed) -> list[Row]:
    """A row for each source table with old changes: how many nobody needs, how many are held, and the last of both."""
    of = ["source", "schema_name", "table_name"]
    needed = spark.createDataFrame(
        [(source, *name, tuple(table.place)) for (source, name), table in followed.items()],
        "source string, schema_name string, table_name string, needed struct<history:int,commit_lsn:bigint>",
    )
    is_old = " or ".join(f"(source = '{source}' and committed_at < {moment})" for source, moment in before.items())
    place = F.struct("history", "commit_lsn")
    is_held = F.coalesce(place >= F.col("needed"), F.lit(False))
    return (
        spark.table(log.spark_name)
        .where(is_old or "false")
        .join(F.broadcast(needed), of, "left")
        .groupBy(*of)
        .agg(
            F.count_if(~is_held).alias("removable"),
            F.max(F.when(~is_held, place)).alias("last"),
            F.count_if(is_held).alias("held"),
            F.max(F.when(is_held, place)).alias("last_held"),
        )
        .orderBy(*of)
        .collect()
    )


def _midnight(moment: datetime) -> str:
    """Spark SQL of the beginning of a moment's day in UTC, where partitions end."""
    return f"timestamp_ntz '{moment.astimezone(UTC):%Y-%m-%d}'"
