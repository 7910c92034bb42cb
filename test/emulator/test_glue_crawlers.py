"""Crawlers: real crawls of a real Postgres, into the catalog, with the rights of the crawler's role."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from glue_support import TRUST_GLUE, GlueJobs, wait_for
from roles import Role, allow

from emulator.certificates import Authority

SCHEMA = """
    create table shots (id bigint primary key, club text not null, ball_speed numeric(5, 2), hit_at timestamptz);
    comment on table shots is 'one row a ball';
    comment on column shots.ball_speed is 'm/s';
    create view drives as select id, ball_speed from shots where club = 'driver';
    create schema staff;
    create table staff.coaches (id integer primary key, name text);
"""
TYPES = """
    create type handedness as enum ('left', 'right');
    create domain metres as numeric(6, 2);
    create table every_type (
        a smallint, b integer, c bigint, d real, e double precision, f numeric(5, 2), g numeric, h boolean, i date,
        j timestamp, k timestamp(3) with time zone, l text, m varchar(20), n char(2), o uuid, p jsonb, q bytea,
        r text[], s double precision[], t handedness, u interval, v time, w inet, x metres, y numeric(4, 1)[], z money
    )
"""
CATALOG_TYPES = (
    *("smallint", "int", "bigint", "float", "double", "decimal(5,2)", "decimal(38,18)", "boolean", "date"),
    *("timestamp", "timestamp", "string", "string", "string", "string", "string", "binary"),
    *("array<string>", "array<double>", "string", "string", "string", "string", "decimal(6,2)", "array<decimal(4,1)>"),
    "double",
)


class Source:
    """A DB instance of RDS that is crawled, and the connection of Glue to it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.rds, self.glue = emulator.client("rds"), emulator.client("glue")
        self.rds.create_db_instance(
            DBInstanceIdentifier="crawled",
            Engine="postgres",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="owner",
            MasterUserPassword="a-good-password",
            DBName="golf",
        )
        instance = wait_for(self._describe, lambda instance: instance["DBInstanceStatus"] == "available")
        self.port = instance["Endpoint"]["Port"]
        emulator.client("secretsmanager").create_secret(
            Name="crawled", SecretString=json.dumps({"username": "owner", "password": "a-good-password"})
        )
        self.connect("golf")

    def _describe(self) -> dict[str, Any]:
        return self.rds.describe_db_instances(DBInstanceIdentifier="crawled")["DBInstances"][0]

    def connect(self, name: str, **properties: str | None) -> None:
        """Make a connection of Glue; a property that is None is left out."""
        defaults = {
            "JDBC_CONNECTION_URL": f"jdbc:postgresql://127.0.0.1:{self.port}/golf",
            "JDBC_ENFORCE_SSL": "true",
            "SECRET_ID": "crawled",
        }
        given = {key: value for key, value in {**defaults, **properties}.items() if value is not None}
        self.glue.create_connection(
            ConnectionInput={"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": given}
        )

    def execute(self, sql: str) -> None:
        """Run statements, one transaction each."""
        connection = pg8000.native.Connection(
            "owner",
            host="127.0.0.1",
            port=self.port,
            database="golf",
            password="a-good-password",
            ssl_context=ssl.create_default_context(cafile=str(self.emulator.ca_file)),
        )
        for statement in filter(str.strip, sql.split(";")):
            connection.run(statement)
        connection.close()


class Crawlers:
    """Makes crawlers of the source, each writing to a database of its own."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.glue = source.glue
        self._count = 0
        self.role = self.new_role(allow(["glue:*", "secretsmanager:GetSecretValue", "logs:*"]))

    def new_role(self, *statements: dict[str, Any]) -> Role:
        self._count += 1
        return Role(self.source.emulator, f"crawler-{self._count}", *statements, AssumeRolePolicyDocument=TRUST_GLUE)

    def create(self, path: str = "golf/public/%", connection: str = "golf", **definition: Any) -> str:
        """A crawler; its database has the same name."""
        self._count += 1
        name = f"crawled_{self._count}"
        self.glue.create_database(DatabaseInput={"Name": name})
        target = {"ConnectionName": connection, "Path": path, **definition.pop("target", {})}
        defaults = {"Role": self.role.name, "DatabaseName": name, "Targets": {"JdbcTargets": [target]}}
        self.glue.create_crawler(Name=name, **{**defaults, **definition})
        return name

    def crawl(self, name: str) -> dict[str, Any]:
        """Crawl and return what the crawler says of it."""
        self.glue.start_crawler(Name=name)
        return self.await_ready(name)["LastCrawl"]

    def get(self, name: str) -> dict[str, Any]:
        return self.glue.get_crawler(Name=name)["Crawler"]

    def await_ready(self, name: str) -> dict[str, Any]:
        """Wait for the end of the crawl."""
        return wait_for(lambda: self.get(name), lambda crawler: crawler["State"] == "READY")

    def tables(self, name: str) -> dict[str, dict[str, Any]]:
        return {table["Name"]: table for table in self.glue.get_tables(DatabaseName=name)["TableList"]}


@pytest.fixture(scope="module")
def source(emulator) -> Iterator[Source]:
    source = Source(emulator)
    source.execute(SCHEMA)
    yield source
    source.rds.delete_db_instance(DBInstanceIdentifier="crawled", SkipFinalSnapshot=True)


@pytest.fixture(scope="module")
def crawlers(source) -> Crawlers:
    return Crawlers(source)


def refusal(call, **parameters) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_tables_are_written_as_aws_does(crawlers):
    name = crawlers.create(TablePrefix="src_", target={"EnableAdditionalMetadata": ["COMMENTS", "RAWTYPES"]})
    assert crawlers.crawl(name)["Status"] == "SUCCEEDED"
    tables = crawlers.tables(name)
    assert set(tables) == {"src_golf_public_drives", "src_golf_public_shots"}
    shots = tables["src_golf_public_shots"]
    assert shots["TableType"] == "EXTERNAL_TABLE"
    assert shots["Description"] == "one row a ball"
    assert shots["StorageDescriptor"]["Location"] == "golf.public.shots"
    assert shots["StorageDescriptor"]["Columns"] == [
        {"Name": "id", "Type": "bigint", "Parameters": {"rawType": "bigint"}},
        {"Name": "club", "Type": "string", "Parameters": {"rawType": "text"}},
        {"Name": "ball_speed", "Type": "decimal(5,2)", "Comment": "m/s", "Parameters": {"rawType": "numeric(5,2)"}},
        {"Name": "hit_at", "Type": "timestamp", "Parameters": {"rawType": "timestamp with time zone"}},
    ]
    assert shots["Parameters"] == shots["StorageDescriptor"]["Parameters"]
    statistics = {"averageRecordSize", "objectCount", "recordCount", "sizeKey"}
    assert statistics <= set(shots["Parameters"])
    assert {key: value for key, value in shots["Parameters"].items() if key not in statistics} == {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "UPDATED_BY_CRAWLER": name,
        "classification": "postgresql",
        "compressionType": "none",
        "connectionName": "golf",
        "typeOfData": "table",
    }
    assert tables["src_golf_public_drives"]["Parameters"]["typeOfData"] == "view"


def test_types(crawlers, source):
    source.execute(TYPES)
    name = crawlers.create("golf/public/every_type")
    crawlers.crawl(name)
    (table,) = crawlers.tables(name).values()
    assert tuple(column["Type"] for column in table["StorageDescriptor"]["Columns"]) == CATALOG_TYPES
    source.execute("drop table every_type")


@pytest.mark.parametrize(
    ("path", "exclusions", "expected"),
    [
        ("golf/%", [], {"public.drives", "public.shots", "staff.coaches"}),
        ("golf/staff/%", [], {"staff.coaches"}),
        ("golf/public/shots", [], {"public.shots"}),
        ("golf/%/%s", [], {"public.drives", "public.shots", "staff.coaches"}),
        ("golf/public/sh%", [], {"public.shots"}),
        ("golf/%", ["shots", "staff/*"], {"public.drives"}),
        ("golf/%", ["golf/public/**"], {"staff.coaches"}),
        ("other/%", [], set()),
    ],
)
def test_include_path_and_exclusions(crawlers, path, exclusions, expected):
    name = crawlers.create(path, target={"Exclusions": exclusions})
    assert crawlers.crawl(name)["Status"] == "SUCCEEDED"
    locations = {table["StorageDescriptor"]["Location"] for table in crawlers.tables(name).values()}
    assert locations == {f"golf.{table}" for table in expected}


def test_versions_are_made_by_changes_only(crawlers, source):
    source.execute("create table clubs (id integer, loft real)")
    name = crawlers.create("golf/public/clubs")
    crawlers.crawl(name)
    source.execute("insert into clubs select i, 10 from generate_series(1, 1000) i; analyze clubs")
    crawlers.crawl(name)
    assert crawlers.tables(name)["golf_public_clubs"]["VersionId"] == "1"

    source.execute(
        "alter table clubs add column lie real;alter table clubs alter column loft type double precision;analyze clubs"
    )
    crawlers.crawl(name)
    table = crawlers.tables(name)["golf_public_clubs"]
    assert [column["Type"] for column in table["StorageDescriptor"]["Columns"]] == ["int", "double", "float"]
    assert table["VersionId"] == "2"
    assert table["Parameters"]["recordCount"] == "1000"
    history = crawlers.glue.list_crawls(CrawlerName=name)["Crawls"]
    assert [json.loads(crawl["Summary"]) for crawl in history] == [
        {"TABLE": {"Update": {"Count": 1, "Details": {"names": ["golf_public_clubs"]}}}},
        {},
        {"TABLE": {"Add": {"Count": 1, "Details": {"names": ["golf_public_clubs"]}}}},
    ]
    metrics = crawlers.glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"][0]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"], metrics["TablesDeleted"]) == (1, 1, 0)
    source.execute("drop table clubs")


def test_logging_policy_changes_nothing(crawlers, source):
    source.execute("create table tees (id integer)")
    name = crawlers.create("golf/public/tees%", SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
    crawlers.crawl(name)
    before = crawlers.tables(name)
    source.execute("alter table tees add column colour text")
    crawlers.crawl(name)
    source.execute("drop table tees")
    crawlers.crawl(name)
    assert crawlers.tables(name) == before


def test_table_that_is_gone_is_deprecated_until_it_is_back(crawlers, source):
    source.execute("create table greens (id integer)")
    name = crawlers.create("golf/public/greens%")
    crawlers.crawl(name)
    source.execute("drop table greens")
    before = time.time()
    crawlers.crawl(name)
    deprecated = crawlers.tables(name)["golf_public_greens"]["Parameters"]["DEPRECATED_BY_CRAWLER"]
    assert int(before * 1000) <= int(deprecated) <= int(time.time() * 1000)
    crawlers.crawl(name)
    assert crawlers.tables(name)["golf_public_greens"]["Parameters"]["DEPRECATED_BY_CRAWLER"] == deprecated
    source.execute("create table greens (id integer)")
    crawlers.crawl(name)
    assert "DEPRECATED_BY_CRAWLER" not in crawlers.tables(name)["golf_public_greens"]["Parameters"]
    source.execute("drop table greens")


def test_table_that_is_gone_is_deleted_if_the_policy_says_so(crawlers, source):
    source.execute("create table bunkers (id integer); create table bunkers_of_old (id integer)")
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DELETE_FROM_DATABASE"}
    name = crawlers.create("golf/public/bunkers%", SchemaChangePolicy=policy)
    crawlers.glue.create_table(DatabaseName=name, TableInput={"Name": "made_by_hand"})
    crawlers.crawl(name)
    source.execute("drop table bunkers_of_old")
    crawlers.crawl(name)
    assert set(crawlers.tables(name)) == {"golf_public_bunkers", "made_by_hand"}
    source.execute("drop table bunkers")


def test_name_that_is_taken_gets_a_hash(crawlers):
    name = crawlers.create("golf/public/shots")
    crawlers.glue.create_table(DatabaseName=name, TableInput={"Name": "golf_public_shots"})
    crawlers.crawl(name)
    names = sorted(crawlers.tables(name))
    assert names[0] == "golf_public_shots"
    assert names[1].startswith("golf_public_shots_")
    crawlers.crawl(name)
    assert sorted(crawlers.tables(name)) == names


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"JDBC_CONNECTION_URL": "jdbc:postgresql://127.0.0.1:1/golf"}, "Connection refused"),
        ({"SECRET_ID": None, "USERNAME": "owner", "PASSWORD": "wrong"}, "password authentication failed"),
        ({"JDBC_CONNECTION_URL": "jdbc:mysql://127.0.0.1:1/golf"}, "jdbc:mysql://127.0.0.1:1/golf"),
        ({"SECRET_ID": "nobodys"}, "ResourceNotFoundException"),
    ],
)
def test_source_that_cannot_be_read_fails_the_crawl(crawlers, source, request, properties, reason):
    connection = f"broken {request.node.name}"
    source.connect(connection, **properties)
    name = crawlers.create(connection=connection)
    last = crawlers.crawl(name)
    assert last["Status"] == "FAILED"
    assert reason in last["ErrorMessage"]
    assert (last["LogGroup"], last["LogStream"]) == ("/aws-glue/crawlers", name)
    assert crawlers.tables(name) == {}
    assert crawlers.glue.list_crawls(CrawlerName=name)["Crawls"][0]["State"] == "FAILED"


def test_certificate_is_verified_when_tls_is_enforced(crawlers, source, tmp_path):
    s3 = source.emulator.client("s3")
    s3.create_bucket(Bucket="certificates", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="certificates", Key="rds.pem", Body=source.emulator.ca_file.read_bytes())
    Authority.create(tmp_path / "other.pem")
    s3.put_object(Bucket="certificates", Key="other.pem", Body=(tmp_path / "other.pem").read_bytes())
    role = crawlers.new_role(allow(["glue:*", "logs:*", "s3:GetObject", "secretsmanager:GetSecretValue"]))
    source.connect("right authority", CUSTOM_JDBC_CERT="s3://certificates/rds.pem")
    source.connect("other authority", CUSTOM_JDBC_CERT="s3://certificates/other.pem")
    source.connect("not enforced", JDBC_ENFORCE_SSL="false")
    outcomes = {
        name: crawlers.crawl(crawlers.create(connection=name, Role=role.name))
        for name in ("right authority", "other authority", "not enforced")
    }
    assert outcomes["right authority"]["Status"] == "SUCCEEDED"
    assert outcomes["other authority"]["Status"] == "FAILED"
    assert "certificate verify failed" in outcomes["other authority"]["ErrorMessage"]
    assert outcomes["not enforced"]["Status"] == "SUCCEEDED"


def test_crawler_has_its_roles_rights(crawlers):
    role = crawlers.new_role(allow(["glue:GetConnection", "glue:GetTables", "secretsmanager:GetSecretValue", "logs:*"]))
    name = crawlers.create(Role=role.name)
    last = crawlers.crawl(name)
    assert last["Status"] == "FAILED"
    assert f"{role.name}/AWS-Crawler is not authorized to perform: glue:CreateTable" in last["ErrorMessage"]
    assert crawlers.tables(name) == {}


def test_database_that_is_missing_is_created(crawlers):
    name = crawlers.create(DatabaseName="made_by_crawler")
    assert crawlers.crawl(name)["Status"] == "SUCCEEDED"
    assert set(crawlers.tables("made_by_crawler")) == {"golf_public_drives", "golf_public_shots"}


def test_crawl_is_logged(crawlers, source):
    name = crawlers.create("golf/public/shots")
    last = crawlers.crawl(name)
    logs = source.emulator.client("logs")
    events = logs.get_log_events(logGroupName="/aws-glue/crawlers", logStreamName=name)["events"]
    assert [event["message"] for event in events] == [
        f"[{last['MessagePrefix']}] {line}"
        for line in (
            f"BENCHMARK : Running Start Crawl for Crawler {name}",
            f"INFO : Created table golf_public_shots in database {name}",
            "BENCHMARK : Finished writing to Catalog",
            "BENCHMARK : Crawler has finished running and is in state READY",
        )
    ]


@pytest.fixture
def silent_connection(source) -> Iterator[socket.socket]:
    """A connection "silent" whose server accepts everybody and says nothing until the test closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source.connect("silent", JDBC_CONNECTION_URL=f"jdbc:postgresql://127.0.0.1:{server.getsockname()[1]}/golf")
        yield server
    source.glue.delete_connection(ConnectionName="silent")


def test_crawl_that_hangs_holds_neither_workflows_nor_what_was_found_before(crawlers, silent_connection, source):
    glue, jobs = crawlers.glue, GlueJobs(source.emulator)
    crawlers.crawl(name := crawlers.create("golf/public/shots"))
    before = crawlers.tables(name)
    glue.update_crawler(Name=name, Targets={"JdbcTargets": [{"ConnectionName": "silent", "Path": "golf/public/shots"}]})
    glue.start_crawler(Name=name)
    client, _ = silent_connection.accept()
    glue.create_workflow(Name=name, MaxConcurrentRuns=1)
    glue.create_trigger(
        Name=name, Type="ON_DEMAND", WorkflowName=name, Actions=[{"JobName": jobs.create("print('ingested')")}]
    )
    for _ in range(2):
        run_id = glue.start_workflow_run(Name=name)["RunId"]
        run = wait_for(
            lambda run_id=run_id: glue.get_workflow_run(Name=name, RunId=run_id)["Run"],
            lambda run: run["Status"] != "RUNNING",
        )
        assert (run["Status"], run["Statistics"]["SucceededActions"]) == ("COMPLETED", 1)
    assert crawlers.get(name)["State"] == "RUNNING"
    assert crawlers.tables(name) == before
    client.close()
    assert crawlers.await_ready(name)["LastCrawl"]["Status"] == "FAILED"
    assert crawlers.tables(name) == before


def test_running_crawler_can_only_be_stopped(crawlers, silent_connection):
    glue = crawlers.glue
    name = crawlers.create(connection="silent", Schedule="cron(0 3 * * ? *)")
    glue.start_crawler(Name=name)
    client, _ = silent_connection.accept()
    assert crawlers.get(name)["State"] == "RUNNING"
    assert crawlers.get(name)["CrawlElapsedTime"] >= 0
    running = f"Crawler with name {name} has already started"
    assert refusal(glue.start_crawler, Name=name) == ("CrawlerRunningException", running)
    assert refusal(glue.update_crawler, Name=name, TablePrefix="x") == (
        "InvalidInputException",
        "Cannot update Crawler while running. Please stop crawl or wait until it completes to update.",
    )
    assert refusal(glue.delete_crawler, Name=name)[0] == "CrawlerRunningException"
    assert glue.list_crawls(CrawlerName=name)["Crawls"][0]["State"] == "RUNNING"

    glue.stop_crawler(Name=name)
    assert crawlers.get(name)["State"] == "STOPPING"
    assert refusal(glue.stop_crawler, Name=name)[0] == "CrawlerStoppingException"
    client.close()
    assert crawlers.await_ready(name)["LastCrawl"]["Status"] == "CANCELLED"
    assert refusal(glue.stop_crawler, Name=name)[0] == "CrawlerNotRunningException"
    glue.update_crawler(Name=name, TablePrefix="x")
    assert crawlers.get(name)["TablePrefix"] == "x"
    glue.delete_crawler(Name=name)
    assert refusal(glue.start_crawler, Name=name) == (
        "EntityNotFoundException",
        f"Crawler entry with name {name} does not exist",
    )


def test_schedule_is_stopped_and_started(crawlers):
    glue = crawlers.glue
    name = crawlers.create(Schedule="cron(0 3 * * ? *)")
    assert crawlers.get(name)["Schedule"] == {"ScheduleExpression": "cron(0 3 * * ? *)", "State": "SCHEDULED"}
    assert refusal(glue.start_crawler_schedule, CrawlerName=name)[0] == "SchedulerRunningException"
    glue.stop_crawler_schedule(CrawlerName=name)
    assert crawlers.get(name)["Schedule"]["State"] == "NOT_SCHEDULED"
    assert refusal(glue.stop_crawler_schedule, CrawlerName=name)[0] == "SchedulerNotRunningException"
    glue.start_crawler_schedule(CrawlerName=name)
    glue.update_crawler_schedule(CrawlerName=name, Schedule="cron(0 4 * * ? *)")
    assert crawlers.get(name)["Schedule"] == {"ScheduleExpression": "cron(0 4 * * ? *)", "State": "SCHEDULED"}
    unscheduled = crawlers.create()
    assert refusal(glue.start_crawler_schedule, CrawlerName=unscheduled)[0] == "NoScheduleException"


def test_crawls_are_listed_newest_first_filtered_and_in_pages(crawlers, source):
    name = crawlers.create("golf/public/shots")
    ids = [crawlers.crawl(name)["MessagePrefix"] for _ in range(3)]
    first = crawlers.glue.list_crawls(CrawlerName=name, MaxResults=2)
    rest = crawlers.glue.list_crawls(CrawlerName=name, MaxResults=2, NextToken=first["NextToken"])
    assert [crawl["CrawlId"] for crawl in first["Crawls"] + rest["Crawls"]] == ids[::-1]

    def filtered(field: str, comparison: str, value: str) -> list[str]:
        criterion = {"FieldName": field, "FilterOperator": comparison, "FieldValue": value}
        return [
            crawl["CrawlId"] for crawl in crawlers.glue.list_crawls(CrawlerName=name, Filters=[criterion])["Crawls"]
        ]

    assert filtered("STATE", "EQ", "COMPLETED") == ids[::-1]
    assert filtered("STATE", "NE", "COMPLETED") == []
    assert filtered("CRAWL_ID", "EQ", ids[1]) == [ids[1]]
    last_start = first["Crawls"][0]["StartTime"].timestamp() * 1000
    assert filtered("START_TIME", "LT", str(last_start)) == [ids[1], ids[0]]


@pytest.mark.parametrize(
    ("definition", "named"),
    [
        ({"Targets": {"DynamoDBTargets": [{"Path": "shots"}]}}, "DynamoDBTargets"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}}, "CRAWL_NEW_FOLDERS_ONLY"),
        ({"Configuration": json.dumps({"Version": 1.0, "Grouping": {"TableLevelConfiguration": 2}})}, "Grouping"),
    ],
)
def test_what_is_not_emulated_is_named(crawlers, definition, named):
    name = crawlers.create(**definition)
    code, message = refusal(crawlers.glue.start_crawler, Name=name)
    assert code == "NotImplementedByEmulator"
    assert named in message


def test_state_changes_are_events(crawlers, source):
    events, sqs = source.emulator.client("events"), source.emulator.client("sqs")
    queue = sqs.create_queue(QueueName="crawler-states")["QueueUrl"]
    pattern = {"source": ["aws.glue"], "detail-type": ["Glue Crawler State Change"]}
    events.put_rule(Name="crawlers", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:crawler-states"
    events.put_targets(Rule="crawlers", Targets=[{"Id": "queue", "Arn": arn}])
    name = crawlers.create("golf/public/shots")
    crawlers.crawl(name)
    received = []
    while len(received) < 2:
        received += sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=10)["Messages"]
    details = [json.loads(message["Body"])["detail"] for message in received]
    assert [(detail["crawlerName"], detail["state"]) for detail in details] == [(name, "Started"), (name, "Succeeded")]
    assert (details[1]["tablesCreated"], details[1]["tablesUpdated"], details[1]["tablesDeleted"]) == ("1", "0", "0")
    events.remove_targets(Rule="crawlers", Ids=["queue"])
