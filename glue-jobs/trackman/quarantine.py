"""The quarantine, trackman_raw.quarantine: values of the sources that the lake's columns have no place for, or that a
rule of the contract sets aside.

In the lake's table such a value is null, and the row is otherwise as the source has it: what is here says which nulls
are none. Nothing has to be replayed from it: a row that is mended at the source comes with its change, and for a
contract that gives its values a place the table is copied anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from pyspark.sql import SparkSession

from trackman.contract import TableName
from trackman.errors import TableError
from trackman.iceberg import IcebergCatalog
from trackman.lake_table import Rejected

TABLE = "quarantine"
_KEY = {"type": "map", "key": "string", "value": "string", "value-required": False}
COLUMNS = [
    ("source", "string", "name of the source's contract"),
    ("schema_name", "string", None),
    ("table_name", "string", None),
    ("key", _KEY, "the row's key as text"),
    ("column_name", "string", None),
    ("value", "string", "as the source has it; null where a rule expected a value"),
    ("reason", "string", "why it is not in the lake's table"),
    ("quarantined_at", "timestamp", "in UTC"),
    ("run_id", "string", "the run that found it first"),
]


@dataclass(frozen=True)
class RejectedRow:
    """A row with values that are not in the lake."""

    key: dict[str, str]
    values: tuple[Rejected, ...]


def check_rejects(table: TableName, rows: int, limit: int, by_rules: Mapping[str, int] = MappingProxyType({})) -> None:
    """Refuses more rows than can be an exception. `by_rules`: how many of them each rule sets aside."""
    if rows > limit:
        told = "".join(f", {count} by {name}" for name, count in by_rules.items() if count)
        raise TableError(
            f"{table}: {rows} rows have values that the lake has no place for{told}, at most {limit} are set aside in "
            "a run (rejectLimit of the contract): give the columns another type or rule by the contract, or have them "
            "mended"
        )


def quarantine(
    spark: SparkSession, database: str, source: str, table: TableName, rows: Sequence[RejectedRow], run_id: str
) -> None:
    """Record values, each once however often it is found."""
    if not rows:
        return
    target = IcebergCatalog(spark).open(database, TABLE, COLUMNS)
    now = datetime.now(UTC).replace(tzinfo=None)
    records = [
        (source, *table, row.key, rejected.column, rejected.value, rejected.reason, now, run_id)
        for row in rows
        for rejected in row.values
    ]
    view = f"quarantined_{run_id}"
    spark.createDataFrame(records, spark.table(target.spark_name).schema).createOrReplaceTempView(view)
    same = [name for name, *_ in COLUMNS if name not in ("key", "quarantined_at", "run_id")]
    condition = " and ".join(f"t.{name} <=> s.{name}" for name in same)
    spark.sql(
        f"merge into {target.spark_name} t using {view} s"
        f" on {condition} and map_entries(t.key) = map_entries(s.key) when not matched then insert *"
    )
    spark.catalog.dropTempView(view)
