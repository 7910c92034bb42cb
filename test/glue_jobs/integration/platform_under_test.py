"""What the integration tests run the jobs against: real Postgres servers, Iceberg on the emulator's S3 and Glue."""

import json
import os
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import migrate
import pg8000.exceptions
import pg8000.native
from contracts import LOG_CONTRACT, WATERMARK_CONTRACT
from pyspark.sql import Row, SparkSession
from trackman.bookmark import Bookmark, bookmark_property
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import Contract, FilesContract, TableName, load_contracts
from trackman.copying import copy_by_itself
from trackman.iceberg import IcebergCatalog, IcebergTable
from trackman.ingestion import NOTHING_ANEW, Anew, Ingestion
from trackman.marts import Mart, MartReport, make_marts
from trackman.postgres import Server
from trackman.reports import TableReport
from trackman.served import served_feeds, served_marts, served_tables
from trackman.serving import ServingReport, serve
from trackman.versions import current_versions
from trackman.watermark_ingestion import WatermarkIngestion

REPOSITORY = Path(__file__).parents[3]
BUCKET = "trackman-lake-test"
PEPPER = "ab" * 32


class Died(BaseException):
    """The end of a job's process. No code of the job may handle it."""


@dataclass
class Platform:
    """A running emulator with two databases."""

    process: subprocess.Popen
    source: Server
    """As its owner."""
    serving: Server
    """As its master user."""

    @classmethod
    def start(cls, port: int, toolchain: dict[str, str], data_dir: Path) -> "Platform":
        command = [toolchain["emulatorPython"], "-m", "emulator", "--port", str(port), "--data-dir", str(data_dir)]
        process = subprocess.Popen(
            [*command, "--lifeline"], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ready = json.loads(process.stdout.readline())
        assert ready["endpoint"] == f"http://127.0.0.1:{port}"
        ca = Path(ready["caFile"]).read_text()
        rds = boto3.client("rds")
        group = {"DBParameterGroupName": "logical"}
        rds.create_db_parameter_group(**group, DBParameterGroupFamily="postgres16", Description="logical decoding")
        values = {"rds.logical_replication": "1", "max_prepared_transactions": "5"}
        parameters = [
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for name, value in values.items()
        ]
        rds.modify_db_parameter_group(**group, Parameters=parameters)
        source = _create_database("trackman-backend", group)
        serving = _create_database("dataengineering-db", {})
        boto3.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": boto3.session.Session().region_name}
        )
        for name in ("/test/source/ca", "/test/serving/ca"):
            boto3.client("ssm").put_parameter(Name=name, Value=ca, Type="String", Tier="Advanced")
        boto3.client("secretsmanager").create_secret(Name="test/pepper", SecretString=PEPPER)
        return cls(process, replace(source, ca=ca), replace(serving, ca=ca))

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0


def _create_database(identifier: str, parameter_group: dict[str, str]) -> Server:
    rds = boto3.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        EngineVersion="16",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        DBName="main",
        MasterUsername="owner",
        MasterUserPassword="the-owners-password",
        **parameter_group,
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    [instance] = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    endpoint = instance["Endpoint"]
    return Server(endpoint["Address"], endpoint["Port"], "main", "owner", "the-owners-password", ca="")


class Scenario:
    """A source database, a lake and a serving database of a test's own, with the jobs' runs over them."""

    def __init__(self, source: Server, serving: Server, spark: SparkSession, name: str) -> None:
        self.name = name
        self.spark = spark
        self.catalog = IcebergCatalog(spark)
        self.source = replace(source, database=name)
        self.serving = replace(serving, database=name)
        self.raw_database, self.lake_database, self.marts_database = f"raw_{name}", f"lake_{name}", f"marts_{name}"
        self.options: dict[str, Any] = {}
        """What the test's contract says beyond the usual."""
        self.follows_log = True
        """Otherwise watermarks."""
        self.handed_over: list[TableName] = []
        """Tables that ingest left to the job snapshot."""
        self.marts: Sequence[Mart] = ()
        self.feeds: Sequence[FilesContract] = ()
        self.runs = 0
        """Of the jobs ingest and snapshot, which gives them their ids."""
        self._connections: list[pg8000.native.Connection] = []

    @classmethod
    def create(cls, platform: Platform, spark: SparkSession, name: str) -> "Scenario":
        scenario = cls(platform.source, platform.serving, spark, name)
        for server in (platform.source, platform.serving):
            connection = scenario.connect(server)
            connection.run(f'create database "{name}"')
        glue = boto3.client("glue")
        databases = (scenario.raw_database, scenario.lake_database, scenario.marts_database)
        for database in (f"crawled_{name}", *databases):
            glue.create_database(DatabaseInput={"Name": database})
        owner = scenario.source
        url = f"postgresql://{owner.host}:{owner.port}/{owner.database}"
        boto3.client("ssm").put_parameter(Name=f"/test/{name}/url", Value=url, Type="String")
        login = {"username": owner.user, "password": owner.password}
        boto3.client("secretsmanager").create_secret(Name=f"test/{name}", SecretString=json.dumps(login))
        return scenario

    def close(self) -> None:
        """Ends the scenario's sessions and gives its slot back: a server has few."""
        self.on_source(
            f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{self.name}'"
        )
        self.forget_connections()

    def forget_connections(self) -> None:
        """Ends the scenario's sessions, also those whose server went away."""
        for connection in self._connections:
            with suppress(pg8000.exceptions.InterfaceError, OSError):
                connection.close()
        self._connections.clear()

    def connect(self, server: Server) -> pg8000.native.Connection:
        connection = server.connect()
        connection.run("set search_path = public")
        self._connections.append(connection)
        return connection

    def on_source(self, *statements: str) -> list[list[Any]]:
        """Run statements as the source's owner, each in a transaction of its own; the rows of the last."""
        connection = self.connect(self.source)
        return [connection.run(statement) for statement in statements][-1]

    def sign_in(self, user: str, password: str) -> None:
        """Have the jobs connect to the source as somebody else than its owner."""
        login = json.dumps({"username": user, "password": password})
        boto3.client("secretsmanager").put_secret_value(SecretId=f"test/{self.name}", SecretString=login)

    def publish_tables(self, *tables: str) -> None:
        """What the source's owner and the crawler do for tables: a publication and catalog entries."""
        self.on_source(
            f"create publication trackman for table {', '.join(tables)} with (publish_via_partition_root = true)"
        )
        self.crawl(*tables)

    def crawl(self, *tables: str) -> None:
        for table in tables:
            boto3.client("glue").create_table(
                DatabaseName=f"crawled_{self.name}",
                TableInput={
                    "Name": f"{self.name}_public_{table}",
                    "Parameters": {"connectionName": "trackman-backend", "classification": "postgresql"},
                    "StorageDescriptor": {"Location": f"{self.name}.public.{table}"},
                },
            )

    @property
    def contract(self) -> Contract:
        values = {
            **({**LOG_CONTRACT, "slot": self.name} if self.follows_log else WATERMARK_CONTRACT),
            "connection": {
                "glueConnection": "trackman-backend",
                "urlParameter": f"/test/{self.name}/url",
                "caParameter": "/test/source/ca",
                "secret": f"test/{self.name}",
            },
            "catalogDatabase": f"crawled_{self.name}",
            "serving": {"include": ["public.*"], "exclude": []},
        }
        return load_contracts(json.dumps([{**values, **self.options}]))[0]

    def ingest(self, checkpoint: Checkpoint = no_checkpoint, anew: Anew = NOTHING_ANEW) -> dict[str, TableReport]:
        """One run of the job in which no table fails."""
        reports = self.ingest_what_can_be(checkpoint, anew)
        assert [report.error for report in reports.values() if report.error] == []
        return reports

    def ingest_what_can_be(
        self, checkpoint: Checkpoint = no_checkpoint, anew: Anew = NOTHING_ANEW
    ) -> dict[str, TableReport]:
        """One run of the job in which tables may fail."""
        self.runs += 1
        run_id = f"jr_{self.name}_{self.runs}"
        kind = Ingestion if self.follows_log else WatermarkIngestion
        ingestion = kind(
            self.spark,
            self.contract,
            self.raw_database,
            self.lake_database,
            run_id,
            self.handed_over.append,
            anew,
            checkpoint,
        )
        return {report.table.removeprefix("public."): report for report in ingestion.run()}

    def copy_by_itself(self, table: TableName, checkpoint: Checkpoint = no_checkpoint) -> TableReport:
        """One run of the job snapshot."""
        self.runs += 1
        return copy_by_itself(
            self.spark,
            self.contract,
            self.raw_database,
            self.lake_database,
            f"jr_{self.name}_{self.runs}",
            table,
            checkpoint,
        )

    def migrate(self) -> None:
        """The serving database as the job migrate leaves it, with a fixed password of the loader."""
        logins = {migrate.LOADER: {"password": "loader's"}, migrate.APPLICATION: {"password": "application's"}}
        connection = self.connect(self.serving)
        for statement in migrate.migration(self.serving.database, logins):
            connection.run(statement)

    def make_marts(self, checkpoint: Checkpoint = no_checkpoint) -> dict[str, MartReport]:
        """One run of the job's stage marts."""
        self.runs += 1
        versions = current_versions(self.catalog, self.lake_database)
        log = self.spark.table(self.change_log.spark_name)
        run_id = f"jr_{self.name}_{self.runs}"
        reports = make_marts(self.spark, self.marts, versions, log, self.marts_database, run_id, checkpoint)
        return {report.mart: report for report in reports}

    def publish(self, checkpoint: Checkpoint = no_checkpoint) -> dict[str, ServingReport]:
        """One run of the job's stage serve."""
        loader = replace(self.serving, user=migrate.LOADER, password="loader's")
        versions = current_versions(self.catalog, self.lake_database)
        tables = served_tables(versions, [self.contract])
        marts = served_marts(self.catalog, self.marts, versions, self.marts_database)
        feeds = served_feeds(self.catalog, self.feeds, self.lake_database)
        reports = serve(self.spark, [*tables, *marts, *feeds], self.raw_database, loader, checkpoint)
        return {report.table: report for report in reports}

    def on_serving(self, statement: str) -> list[list[Any]]:
        return self.connect(self.serving).run(statement)

    def lake_table(self, table: str) -> IcebergTable:
        return self.catalog.find(self.lake_database, table)

    @property
    def change_log(self) -> IcebergTable:
        return self.catalog.find(self.raw_database, "changes")

    def lake_rows(self, table: str) -> list[tuple]:
        """Sorted by the first column, which is the key."""
        return sorted(tuple(row) for row in self.spark.table(self.lake_table(table).spark_name).collect())

    def logged(self) -> list[Row]:
        """The change log in the source's order."""
        changes = self.spark.table(self.change_log.spark_name)
        return changes.orderBy("commit_lsn", "ordinal").collect()

    def bookmark(self, table: IcebergTable) -> Bookmark:
        return Bookmark.from_json(table.properties[bookmark_property("backend")])

    def assert_lake_equals_source(self, *tables: str) -> None:
        for table in tables:
            rows = self.on_source(f'select * from "{table}" order by 1')
            assert self.lake_rows(table) == [tuple(row) for row in rows], table

    def assert_serving_equals_source(self, *tables: str) -> None:
        for table in tables:
            rows = self.on_source(f'select * from "{table}" order by 1')
            assert self.on_serving(f'select * from app."{table}" order by 1') == rows, table

    def assert_each_change_logged_once(self) -> None:
        places = Counter((row.table_name, row.commit_lsn, row.ordinal) for row in self.logged())
        assert [place for place, times in places.items() if times > 1] == []


def dying_at(checkpoint: str) -> Checkpoint:
    """A checkpoint at which the job dies."""

    def die(name: str) -> None:
        if name == checkpoint:
            raise Died(name)

    return die


@contextmanager
def faults(*ordered: dict[str, Any]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Requests to AWS fail as ordered (see emulator/faults.py). Gives a function for those that still are to happen."""
    try:
        _faults(list(ordered))
        yield _faults
    finally:
        _faults([])


def _faults(order: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    body = None if order is None else json.dumps(order).encode()
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_emulator/faults", body) as answer:
        return json.load(answer)


class Recorder:
    """Checkpoints by name, in the order in which they were passed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        self.names.append(name)


def at(checkpoint: str, action: Callable[[], Any]) -> Checkpoint:
    """A checkpoint at which something happens elsewhere."""

    def act(name: str) -> None:
        if name == checkpoint:
            action()

    return act


def snapshots(scenario: Scenario, tables: Sequence[str]) -> dict[str, int]:
    """The current snapshots of tables of the lake and of the change log."""
    return {
        **{table: scenario.lake_table(table).snapshot_id for table in tables},
        "changes": scenario.change_log.snapshot_id,
    }
