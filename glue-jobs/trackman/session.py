"""The jobs' Spark session."""

from pyspark.sql import SparkSession

from trackman.iceberg import CATALOG


def spark_session() -> SparkSession:
    """The session whose Iceberg catalog the job's --conf set up."""
    spark = (
        SparkSession.builder
        # The jobs commit behind Spark's back, so it has to look at the tables anew each time.
        .config(f"spark.sql.catalog.{CATALOG}.cache-enabled", "false")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    # What is shuffled are changes, not tables: no more parts than there are cores to work on them.
    spark.conf.set("spark.sql.shuffle.partitions", spark.sparkContext.defaultParallelism)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def own_session(spark: SparkSession) -> SparkSession:
    """One beside another, on the same cluster: with temporary views of its own, and with SQL that fails where a value
    is out of range or no value, as the standard has it, and makes no null of it."""
    own = spark.newSession()
    for name in (f"spark.sql.catalog.{CATALOG}.cache-enabled", "spark.sql.shuffle.partitions"):
        own.conf.set(name, spark.conf.get(name))
    own.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    own.conf.set("spark.sql.ansi.enabled", "true")
    return own
