"""How a Spark session starts that stands for a Glue job's: its jars, catalog and AWS come from the environment."""

import shlex
import socket
from collections.abc import Mapping
from pathlib import Path

ACCOUNT = "111111111111"
REGION = "eu-central-1"
BUCKET = "trackman-lake-test"

_SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.glue_catalog": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.glue_catalog.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    "spark.sql.catalog.glue_catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.catalog.glue_catalog.warehouse": f"s3://{BUCKET}/",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(port: int, toolchain: Mapping[str, str], settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables for a process whose AWS is at `port`. `settings` of Spark take the place of the tests' own."""
    jars = ":".join(str(jar) for jar in sorted(Path(toolchain["sparkJars"]).glob("*.jar")))
    words = ["--master", "local[2]", "--driver-class-path", jars]
    for name, value in {**_SETTINGS, **(settings or {})}.items():
        words += ["--conf", f"{name}={value}"]
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": f"AKIAADMN{ACCOUNT}",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_SUBMIT_ARGS": shlex.join([*words, "pyspark-shell"]),
    }
