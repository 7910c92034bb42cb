"""What the jobs are measured in: one warm Spark session as Glue starts it, Iceberg on the emulator's S3 and Glue, and a
Postgres that is reached without its TLS proxy, which on AWS does not stand before it and would slow everybody alike.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import adbc_driver_postgresql.dbapi
import pg8000.native
from platform_under_test import Platform, Scenario
from pyspark.sql import SparkSession
from spark_under_test import environment, free_port
from trackman.postgres import SESSION, Server
from trackman.session import spark_session

REPOSITORY = Path(__file__).parents[2]
# With the compiler that short runs, as the tests' are, go without.
_SPARK = {"spark.driver.extraJavaOptions": "-server", "spark.driver.memory": "2g"}


@dataclass(frozen=True)
class PlainServer(Server):
    """A server on this machine, without TLS."""

    def connect(self) -> pg8000.native.Connection:
        return pg8000.native.Connection(
            self.user, self.host, self.database, self.port, self.password, startup_params=SESSION
        )

    def connect_arrow(self, **settings: str) -> adbc_driver_postgresql.dbapi.Connection:
        options = "%20".join(f"-c%20{name}%3D{value}" for name, value in {**SESSION, **settings}.items())
        return adbc_driver_postgresql.dbapi.connect(f"{self.url}?sslmode=disable&options={options}")

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class Surroundings:
    """A running emulator, its databases, a Spark session."""

    spark: SparkSession
    platform: Platform
    psql: Path
    rivals_python: str

    @contextmanager
    def scenario(self, name: str) -> Iterator[Scenario]:
        """An empty source, lake and serving database, and the jobs over them."""
        scenario = Scenario.create(self.platform, self.spark, name)
        with ExitStack() as stack:
            for module in ("ingestion", "copying"):
                stack.enter_context(patch(f"trackman.{module}.source_server", lambda _: scenario.source))
            stack.callback(scenario.close)
            yield scenario

    def run_psql(self, server: Server, *commands: str) -> None:
        """Run commands in one session of psql, a client that does no more than it has to."""
        options = [option for command in commands for option in ("--command", command)]
        arguments = [self.psql, server.url, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", *options]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def surroundings(directory: Path) -> Iterator[Surroundings]:
    """All of it, for as long as the block runs."""
    tools: Mapping[str, str] = json.loads((REPOSITORY / ".local" / "toolchain.json").read_text())
    port = free_port()
    os.environ.update(environment(port, tools, _SPARK))
    platform = Platform.start(port, tools, directory)
    try:
        direct = replace(platform, source=_direct(platform.source), serving=_direct(platform.serving))
        spark = spark_session()
        yield Surroundings(spark, direct, _psql(tools["emulatorPython"]), tools["rivalsPython"])
        spark.stop()
    finally:
        platform.stop()


def _direct(server: Server) -> PlainServer:
    """The same server, at the port behind its TLS proxy."""
    connection = server.connect()
    [[port]] = connection.run("select inet_server_port()")
    connection.close()
    return PlainServer("127.0.0.1", port, server.database, server.user, server.password, ca="")


def _psql(emulator_python: str) -> Path:
    program = "from emulator.postgres import BINARIES; print(BINARIES[16] / 'psql')"
    found = subprocess.run([emulator_python, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return Path(found.stdout.strip())
