"""Rows of files merged into a feed's table by its key: the one that landed last is the row.

When they landed, not when they were read, so that the order of runs and announcements makes no difference.
"""

import uuid
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, IntegerType, LongType, StringType, StructType, TimestampNTZType

from trackman.current import quote
from trackman.data_files import DataFile, read_batches
from trackman.file_reading import FILE, LANDED_AT, ROW

# Types of key columns by whose least and greatest value the table's files are told apart.
_BOUNDED = (IntegerType, LongType, StringType, DateType, TimestampNTZType)


def merge_files(
    spark: SparkSession, files: Sequence[DataFile], branch: str, key: Sequence[str], schema: StructType
) -> None:
    """Merge files that are part of no table into a branch of the table, whose Spark schema is given."""
    last = last_rows(_read(spark, files, schema), key).persist()
    try:
        bounded = [name for name in key if isinstance(schema[name].dataType, _BOUNDED)]
        totals = last.agg(
            *[F.min(name).alias(f"low{i}") for i, name in enumerate(bounded)],
            *[F.max(name).alias(f"high{i}") for i, name in enumerate(bounded)],
        ).first()
        last.createOrReplaceTempView(view := f"rows_{uuid.uuid4().hex}")
        types = {name: schema[name].dataType.simpleString() for name in bounded}
        spark.sql(
            _merge_statement(branch, view, key, schema.names, types), {k: str(v) for k, v in totals.asDict().items()}
        )
        spark.catalog.dropTempView(view)
    finally:
        last.unpersist()


def _read(spark: SparkSession, files: Sequence[DataFile], schema: StructType) -> DataFrame:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for location in batch.column(0).to_pylist():
                yield from read_batches(location)

    locations = spark.sparkContext.parallelize([(file.location,) for file in files], len(files))
    return spark.createDataFrame(locations, "location string").mapInArrow(read, schema)


def last_rows(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """Of each key, the row that landed last; in one file, the last one."""
    latest_first = Window.partitionBy(*key).orderBy(F.desc(LANDED_AT), F.desc(FILE), F.desc(ROW))
    place = F.row_number().over(latest_first)
    return rows.withColumn("place", place).where("place = 1").drop("place")


def _merge_statement(
    branch: str, view: str, key: Sequence[str], columns: Sequence[str], bounded: dict[str, str]
) -> str:
    """`bounded` key columns (their types) are kept between parameters, so that files of other keys are not read."""
    conditions = [f"t.{quote(name)} = s.{quote(name)}" for name in key]
    conditions += [
        f"t.{quote(name)} between cast(:low{i} as {kind}) and cast(:high{i} as {kind})"
        for i, (name, kind) in enumerate(bounded.items())
    ]
    # One key's versions come in batches of their own, in their order: what is as old is newer.
    is_later = f"struct(s.{LANDED_AT}, s.{FILE}) >= struct(t.{LANDED_AT}, t.{FILE})"
    names = [quote(name) for name in columns]
    return f"""
        merge into {branch} as t using {view} as s on {" and ".join(conditions)}
        when matched and {is_later} then update set {", ".join(f"{name} = s.{name}" for name in names)}
        when not matched then
          insert ({", ".join(names)}) values ({", ".join(f"s.{name}" for name in names)})"""
