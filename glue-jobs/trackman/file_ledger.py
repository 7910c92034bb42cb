"""The ledger trackman_raw.files: what became of every unit of the landing zone, a row each.

It follows the feeds' tables. The property `trackman.files` of a feed's table holds the outcomes of its last batch and
that batch's number, committed with the rows: the table alone says what is in it. The ledger's property
`trackman.files.<source>` says up to which batch of which table it has the outcomes. A run begins by adding what it
lacks, which is one batch at the most, because a run adds each before it begins the next:

| dies after       | the next run finds                     | and does                                      |
|------------------|----------------------------------------|-----------------------------------------------|
| batch read       | files that belong to no table          | reads the units again                         |
| batch published  | table at n, ledger at n - 1            | adds the outcomes from the table's property   |
| ledger published | both at n                              | goes on                                       |

Two runs at once: the second to publish finds the property moved, and ends without having changed anything.
A table that was dropped is made anew from what the landing zone still has. What was quarantined is read again once the
contract says something else of the feed's files.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from trackman.bookmark import format_time
from trackman.contract import FilesContract
from trackman.data_files import DataFileWriter
from trackman.file_reading import INGESTED, QUARANTINED, Outcome
from trackman.iceberg import IcebergCatalog, beside_upkeep
from trackman.landing import Unit

TABLE = "files"
LAST_BATCH = "trackman.files"

_COLUMNS = (
    ("source", "string", "name of the contract"),
    ("bucket", "string", None),
    ("key", "string", None),
    ("version", "string", "of the object; null in a bucket without versions is the text null"),
    ("size", "long", "in bytes"),
    ("etag", "string", None),
    ("sha256", "string", "of the contents, in hex; null when they were not read"),
    ("landed_at", "timestamp", "S3's clock, in UTC"),
    ("state", "string", "ingested, repeated (its key held the same before), quarantined"),
    ("rows", "long", "that went into the table"),
    ("bad_rows", "long", "that were left out"),
    ("reason", "string", "of the quarantine, or of the first bad row"),
    ("contract", "string", "fingerprint of what was asked of the file"),
    ("run", "string", "that read it"),
    ("table_uuid", "string", "of the feed's table"),
    ("batch", "long", "number of the table's commit"),
    ("recorded_at", "timestamp", "the job's clock, in UTC"),
)
_PARTITION_BY = ("source", "month(landed_at)")


@dataclass(frozen=True)
class BatchRecord:
    """The last batch of a feed's table, as its property holds it."""

    source: str
    number: int = 0
    run: str = ""
    outcomes: tuple[Mapping[str, Any], ...] = ()
    """Rows of the ledger, without what is the same for all; times as ISO 8601."""

    def followed_by(self, run: str, outcomes: Sequence[Outcome]) -> "BatchRecord":
        """The next batch, with what became of its units."""
        return BatchRecord(self.source, self.number + 1, run, tuple(map(_as_json, outcomes)))

    def emptied(self) -> "BatchRecord":
        """Once the ledger has its outcomes."""
        return BatchRecord(self.source, self.number, self.run)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "BatchRecord":
        values = json.loads(text)
        return cls(**{**values, "outcomes": tuple(values["outcomes"])})


def _as_json(outcome: Outcome) -> dict[str, Any]:
    unit = outcome.unit
    return {
        "bucket": unit.bucket,
        "key": unit.key,
        "version": unit.version,
        "size": unit.size,
        "etag": unit.etag,
        "sha256": outcome.sha256,
        "landed_at": format_time(unit.landed_at),
        "state": outcome.state,
        "rows": outcome.rows,
        "bad_rows": outcome.bad_rows,
        "reason": outcome.reason,
    }


@dataclass(frozen=True)
class Known:
    """What the ledger has of a source."""

    identities: set[tuple[str, str, int, str]]
    digests: dict[str, set[str]]
    """Of the contents that were ingested, by key."""


class Ledger:
    """The ledger of one source."""

    def __init__(self, spark: SparkSession, database: str, contract: FilesContract, table_uuid: str) -> None:
        self._spark = spark
        self._source = contract.source
        self._fingerprint = contract.fingerprint
        self._table_uuid = table_uuid
        self._property = f"{LAST_BATCH}.{contract.source}"
        self._table = IcebergCatalog(spark).open(database, TABLE, _COLUMNS, _PARTITION_BY)

    def settle(self, batch: BatchRecord, run_id: str) -> None:
        """Add the batch's outcomes, unless they are there."""
        self._table.refresh()
        held = self._table.properties.get(self._property)
        reached = f"{self._table_uuid} {batch.number}"
        if held == reached:
            return
        layout = self._table.layout
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = [
            {
                **outcome,
                "landed_at": datetime.fromisoformat(outcome["landed_at"]).replace(tzinfo=None),
                "source": self._source,
                "contract": self._fingerprint,
                "run": batch.run,
                "table_uuid": self._table_uuid,
                "batch": batch.number,
                "recorded_at": now,
            }
            for outcome in batch.outcomes
        ]
        with DataFileWriter(layout) as writer:
            writer.write(pa.Table.from_pylist(rows, layout.schema))
            files = writer.close()
        beside_upkeep(lambda: self._table.publish(run_id, {self._property: held}, {self._property: reached}, files))

    def known(self, listed: Collection[Unit]) -> Known:
        """What it has of units that landed when those of a listing did."""
        known = Known(set(), {})
        if not listed:
            return known
        earliest = min(unit.landed_at for unit in listed).replace(tzinfo=None)
        rows = (
            self._spark.table(self._table.spark_name)
            .where((F.col("source") == self._source) & (F.col("table_uuid") == self._table_uuid))
            .where(F.col("landed_at") >= F.lit(f"{earliest}").cast("timestamp_ntz"))
            .where((F.col("state") != QUARANTINED) | (F.col("contract") == self._fingerprint))
            .select("key", "version", "size", "etag", "state", "sha256")
        )
        for key, version, size, etag, state, digest in rows.toLocalIterator():
            known.identities.add((key, version, size, etag))
            if state == INGESTED:
                known.digests.setdefault(key, set()).add(digest)
        return known
