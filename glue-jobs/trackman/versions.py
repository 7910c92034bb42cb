"""The lake's current tables, each as one commit left it: rows and the position in the source that they stand for."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from trackman.bookmark import EPOCH, FRONTIER, Bookmark, bookmark_property, log_begins
from trackman.current import convert_struct, quote
from trackman.iceberg import IcebergCatalog, IcebergTable
from trackman.lake_table import DEFINITION, LakeTable
from trackman.pending import new_key, old_key


@dataclass(frozen=True)
class TableVersion:
    """A current table as one commit left it."""

    name: str
    """In the lake."""
    definition: LakeTable
    iceberg: IcebergTable
    snapshot_id: int
    schema: pa.Schema
    history: int
    position: int
    epoch: int
    frontier: str
    log_begins: int
    """From which position on the change log leads to it."""

    def rows(self, spark: SparkSession, snapshot_id: int | None = None) -> DataFrame:
        """The rows of this version, or of an earlier one of the same epoch. A column that is younger than the snapshot
        is null in all of them."""
        name = self.iceberg.spark_name
        rows = spark.read.option("snapshot-id", snapshot_id or self.snapshot_id).table(name)
        younger = {
            field.name: F.lit(None).cast(field.dataType)
            for field in spark.table(name).schema
            if field.name not in rows.columns
        }
        return rows.withColumns(younger).select(*map(quote, self.schema.names))

    def changed_keys(self, spark: SparkSession, changes: DataFrame) -> DataFrame:
        """The keys, in the table's types, that rows had before and after changes of the table."""
        definition, arrow = self.definition, self.schema
        fields = spark.table(self.iceberg.spark_name).schema
        key_type = StructType([fields[name] for name in definition.key])

        def convert(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield pa.RecordBatch.from_arrays([convert_struct(batch["key"], definition, arrow)], ["key"])

        return (
            changes.select(F.explode(F.array(old_key(definition.key), new_key(definition.key))).alias("key"))
            .distinct()
            .mapInArrow(convert, StructType([StructField("key", key_type)]))
            .select("key.*")
        )


def current_versions(catalog: IcebergCatalog, lake_database: str) -> list[TableVersion]:
    """Every current table, but for those that are still to catch up with their copy."""
    versions = []
    for iceberg in catalog.tables(lake_database):
        properties = iceberg.properties
        if DEFINITION not in properties or FRONTIER not in properties:
            continue
        definition = LakeTable.from_json(properties[DEFINITION])
        bookmark = Bookmark.from_json(properties[bookmark_property(definition.source)])
        if bookmark.snapshot:
            continue
        versions.append(
            TableVersion(
                iceberg.name.removeprefix(f"{lake_database}."),
                definition,
                iceberg,
                iceberg.snapshot_id,
                iceberg.layout.schema,
                bookmark.history,
                bookmark.position,
                int(properties[EPOCH]),
                properties[FRONTIER],
                log_begins(properties, bookmark.history),
            )
        )
    return versions
