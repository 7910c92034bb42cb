"""Rows that are removed from what the jobs noted: the change log, the quarantine, the histories.

Whatever goes from the change log is behind all that is made from it (see followers.py). Before it goes, the current
table says from where on the log has all of its changes: what was set back behind that, a database that was restored for
one, starts anew and misses nothing.

| dies after     | the next run finds                                         | and does      |
|----------------|------------------------------------------------------------|---------------|
| beginning told | a log that has more than the current table says            | removes it    |
| rows removed   | nothing more of this table to be removed                   | goes on       |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import Row, SparkSession

from trackman.bookmark import LOG_BEGINS, Place
from trackman.checkpoints import Checkpoint
from trackman.contract import TableName
from trackman.errors import RivalRunError
from trackman.failures import is_lost_race
from trackman.followers import FollowedTable
from trackman.iceberg import IcebergCatalog, IcebergTable


@dataclass(frozen=True)
class Rows:
    """Some rows of a table: a condition in SQL, and the values of its parameters."""

    condition: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __and__(self, other: "Rows") -> "Rows":
        return Rows(f"({self.condition}) and ({other.condition})", {**self.values, **other.values})


def changes_of(source: str, table: TableName) -> Rows:
    """What change log and quarantine have of a table of a source."""
    return Rows(
        "source = :source and schema_name = :schema and table_name = :table",
        {"source": source, "schema": table.schema, "table": table.table},
    )


def changes_until(last: Place) -> Rows:
    """Changes up to a place, itself included."""
    return Rows(f"history < {last.history} or (history = {last.history} and commit_lsn <= {last.position})")


def look_at(spark: SparkSession, table: IcebergTable, rows: Rows, *expressions: str) -> Row:
    """Aggregates over rows."""
    return spark.sql(
        f"select {', '.join(expressions)} from {table.spark_name} where {rows.condition}", dict(rows.values)
    ).first()


def remove(spark: SparkSession, table: IcebergTable, rows: Rows) -> None:
    """Delete rows: whole files where all of their rows are meant. Raises RivalRunError when a race is lost."""
    try:
        spark.sql(f"delete from {table.spark_name} where {rows.condition}", dict(rows.values))
    except Py4JJavaError as error:
        if not is_lost_race(error):
            raise
        raise RivalRunError(f"{table.name}: somebody else committed") from error


class ChangeLogRemoval:
    """Removes changes that nobody needs any more."""

    def __init__(self, spark: SparkSession, log: IcebergTable, lake_database: str, checkpoint: Checkpoint) -> None:
        self._spark = spark
        self._log = log
        self._catalog = IcebergCatalog(spark)
        self._lake_database = lake_database
        self._checkpoint = checkpoint

    def remove(self, changes: Rows, last: Place, table: FollowedTable) -> None:
        """Remove changes of one table, of which `last` is the latest. Raises RivalRunError."""
        begins = Place(last.history, last.position + 1)
        for name in table.lake_tables:
            current = self._catalog.find(self._lake_database, name)
            told = current.properties.get(LOG_BEGINS)
            if told is None or Place.from_json(told) < begins:
                current.record({LOG_BEGINS: begins.to_json()})
        self._checkpoint("beginning told")
        remove(self._spark, self._log, changes & changes_until(last))
        self._checkpoint("changes removed")
