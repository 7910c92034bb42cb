"""The stage serve on a real dataengineering-db: it holds what the lake holds, and says up to where."""

import json
from dataclasses import replace
from itertools import count
from typing import Any

import boto3
import migrate
import pg8000.exceptions
import pytest
from contracts import FILES_CONTRACT
from platform_under_test import Died, Scenario, at, dying_at
from trackman.contract import FilesContract, TableName, load_contracts
from trackman.errors import RivalRunError
from trackman.files import FilesIngestion
from trackman.ingestion import Anew

SHOTS = "create table shots (id int primary key, club text, carry numeric(6, 2), raw jsonb)"


def shots(scenario: Scenario) -> None:
    scenario.migrate()
    scenario.on_source(
        SHOTS,
        "create table bays (facility int, number smallint, primary key (facility, number))",
        "insert into shots select i, 'driver', i, '{\"a\": 1}' from generate_series(1, 5) i",
        "insert into bays values (1, 1), (1, 2)",
    )
    scenario.publish_tables("shots", "bays")
    scenario.ingest()


def bookmarks(scenario: Scenario) -> list[list]:
    return scenario.on_serving("select table_name, position::text, epoch, frontier from trackman.bookmark order by 1")


def test_types_keys_comments_and_personal_data(scenario: Scenario) -> None:
    scenario.migrate()
    scenario.on_source(
        "create type side as enum ('left', 'right')",
        """create table everything (
             id uuid primary key, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric(7, 3),
             d date, ts timestamp, tz timestamptz, t time, iv interval, j jsonb, raw bytea, c char(4), v varchar(10),
             e side, tags text[], numbers integer[], moments timestamptz[], ip inet, name text)""",
        "comment on table everything is 'one of each'",
        "comment on column everything.n is 'metres'",
        """insert into everything values
             ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, -3, 1, 1.5, 0.1, -12.345, '2026-03-29', '2026-03-29 02:30',
              '2026-03-29 02:30+01', '23:59:59.5', '1 day', '{"a": [1, null]}', '\\x00ff', 'ab', 'v', 'left',
              array['a,b', null], array[1, null], array['2026-01-01 00:00Z'::timestamptz], '10.0.0.1', 'Ann'),
             ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', null, null, null, 'NaN', null, null, null, null, null, null, null,
              null, '', null, '', null, '{}', null, null, null, null)""",
    )
    scenario.publish_tables("everything")
    scenario.options = {"tables": {"public.everything": {"pii": {"name": "hash"}}}}
    scenario.ingest()
    scenario.publish()
    served = scenario.on_serving("select * from app.everything order by id")
    source = scenario.on_source("select * from everything order by id")
    assert [str(row[:-1]) for row in served] == [str(row[:-1]) for row in source]
    assert [len(row[-1] or "") for row in served] == [64, 0]
    types = dict(
        scenario.on_serving(
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = 'app.everything'::regclass and attnum > 0"
        )
    )
    assert types == {
        "id": "uuid", "b": "boolean", "i2": "smallint", "i8": "bigint", "f4": "real", "f8": "double precision",
        "n": "numeric(7,3)", "d": "date", "ts": "timestamp without time zone", "tz": "timestamp with time zone",
        "t": "time without time zone", "iv": "interval", "j": "jsonb", "raw": "bytea", "c": "character(4)",
        "v": "character varying(10)", "e": "text", "tags": "text[]", "numbers": "integer[]",
        "moments": "timestamp with time zone[]", "ip": "inet", "name": "text",
    }  # fmt: skip
    assert scenario.on_serving(
        "select obj_description('app.everything'::regclass), col_description('app.everything'::regclass, 7),"
        " (select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'base.everything'::regclass)"
    ) == [["one of each", "metres", "PRIMARY KEY (id)"]]


def test_only_changed_rows_are_written(scenario: Scenario) -> None:
    shots(scenario)
    first = scenario.publish()
    assert [(report.reloaded, report.upserted) for report in first.values()] == [(True, 2), (True, 5)]
    scenario.assert_serving_equals_source("shots", "bays")
    versions = dict(scenario.on_serving("select id, xmin::text from base.shots"))

    scenario.on_source(
        "insert into shots values (6, 'putter', 3.5, null)",
        "update shots set carry = 99.5 where id = 1",
        "update shots set id = 20 where id = 2",
        "delete from shots where id = 3",
        "update bays set number = 7 where number = 2",
    )
    scenario.ingest()
    report = scenario.publish()
    assert (report["shots"].reloaded, report["shots"].upserted, report["shots"].deleted) == (False, 3, 2)
    scenario.assert_serving_equals_source("shots", "bays")
    after = dict(scenario.on_serving("select id, xmin::text from base.shots"))
    assert {key for key in after if after[key] == versions.get(key)} == {4, 5}
    assert bookmarks(scenario) == [
        [name, *rest] for name, rest in (("bays", held(scenario, "bays")), ("shots", held(scenario, "shots")))
    ]


def held(scenario: Scenario, table: str) -> list:
    """A table's position, epoch and frontier in the lake, as dataengineering-db writes them."""
    iceberg = scenario.lake_table(table)
    properties = iceberg.properties
    return scenario.on_serving(
        f"select ('0/0'::pg_lsn + {scenario.bookmark(iceberg).position})::text, {properties['trackman.epoch']}::bigint,"
        f" '{properties['trackman.frontier']}'::timestamptz"
    )[0]


def test_truncate_and_drop_of_rows_reload_the_table(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    scenario.on_source("truncate shots", "insert into shots values (5, 'new', 1, null)")
    scenario.ingest()
    report = scenario.publish()["shots"]
    assert (report.reloaded, report.upserted, report.deleted) == (True, 1, 4)
    scenario.assert_serving_equals_source("shots", "bays")


def test_death_at_every_step(scenario: Scenario) -> None:
    shots(scenario)
    for number, step in enumerate(["staged", "applied", "committed"] * 2):
        before = bookmarks(scenario)
        with pytest.raises(Died):
            scenario.publish(dying_at(step))
        if step == "committed":
            scenario.assert_serving_equals_source("shots", "bays")
            assert scenario.publish() == {}
        else:
            assert bookmarks(scenario) == before
        scenario.on_source(
            f"insert into shots values (100 + {number}, '{step}', 1, null)", "delete from shots where id = 1"
        )
        scenario.ingest()
    scenario.publish()
    scenario.assert_serving_equals_source("shots", "bays")
    assert scenario.on_serving("select count(*) from pg_tables where schemaname = 'staging'") == [[0]]


def test_nothing_new_writes_nothing(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    assert scenario.publish() == {}
    scenario.ingest()
    before = scenario.on_serving("select xmin::text from base.shots")
    reports = scenario.publish()
    assert {(report.upserted, report.deleted) for report in reports.values()} == {(0, 0)}
    assert scenario.on_serving("select xmin::text from base.shots") == before
    assert [row[1:] for row in bookmarks(scenario)] == [held(scenario, table) for table in ("bays", "shots")]


def test_bookmark_that_was_moved_meanwhile_undoes_the_run(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    scenario.on_source("delete from shots where id = 1")
    scenario.ingest()

    def rival() -> None:
        scenario.on_serving("update trackman.bookmark set position = position + 1 where table_name = 'shots'")

    with pytest.raises(RivalRunError, match="its bookmark is no longer where it was"):
        scenario.publish(at("staged", rival))
    assert scenario.on_serving("select count(*) from app.shots") == [[5]]


def test_new_copy_of_a_table_reloads_it(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    scenario.on_serving("update trackman.bookmark set epoch = 1")
    scenario.on_serving("delete from base.shots where id = 2")
    assert {report.reloaded for report in scenario.publish().values()} == {True}
    scenario.assert_serving_equals_source("shots", "bays")


def test_added_column_reaches_the_application(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    scenario.on_source(
        "alter table shots add column spin int",
        "comment on column shots.spin is 'per minute'",
        "update shots set spin = 2700 where id = 4",
    )
    scenario.options = {
        "serving": {"include": ["public.*"], "exclude": [], "indexes": {"public.shots": [["spin"], ["wind"]]}}
    }
    scenario.ingest()
    report = scenario.publish()["shots"]
    assert (report.upserted, report.problem) == (1, 'shots: index (wind): column "wind" does not exist')
    scenario.assert_serving_equals_source("shots")
    assert scenario.on_serving("select col_description('app.shots'::regclass, 5)") == [["per minute"]]
    indexed = "select substring(indexdef from '\\((.*)\\)') from pg_indexes where schemaname = 'base' order by 1"
    assert [columns for [columns] in scenario.on_serving(indexed)] == ["facility, number", "id", "spin"]


def test_only_served_tables_that_are_complete(scenario: Scenario) -> None:
    scenario.migrate()
    scenario.on_source(SHOTS, "create table secrets (id int primary key)")
    scenario.publish_tables("shots", "secrets")
    scenario.options = {"serving": {"include": ["public.*"], "exclude": ["public.secrets"]}}
    with pytest.raises(Died):
        scenario.ingest(dying_at("barrier set"))  # the copy is there, the log not yet behind it
    assert scenario.publish() == {}
    scenario.ingest()
    assert list(scenario.publish()) == ["shots"]


def test_new_copy_is_served_once_it_is_caught_up_with(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    before = bookmarks(scenario)
    scenario.on_source("insert into shots values (6, 'putter', 3, null)")
    with pytest.raises(Died):
        scenario.ingest(dying_at("copied public.shots"), Anew(tables=frozenset([TableName("public", "shots")])))
    scenario.publish()
    assert bookmarks(scenario) == before
    assert scenario.on_serving("select count(*) from app.shots") == [[5]]
    scenario.ingest()
    assert scenario.publish()["shots"].reloaded
    scenario.assert_serving_equals_source("shots", "bays")


def test_application_may_read_and_no_more(scenario: Scenario) -> None:
    shots(scenario)
    scenario.publish()
    application = replace(scenario.serving, user=migrate.APPLICATION, password="application's")
    connection = scenario.connect(application)
    assert connection.run("select count(*) from app.shots") == [[5]]
    for statement in (
        "delete from app.shots",
        "select * from base.shots",
        "select * from trackman.bookmark",
        "create table app.mine (id int)",
        "create table public.mine (id int)",
        "create temporary table mine (id int)",
    ):
        with pytest.raises(pg8000.exceptions.DatabaseError, match="permission denied"):
            connection.run(statement)


FEED = {
    **FILES_CONTRACT,
    "columns": {
        "bay": {"type": "int", "nullable": False},
        "at": {"type": "timestamptz", "nullable": False, "comment": "by the bay's clock"},
        "volts": {"type": "decimal(5, 2)"},
    },
    "key": ["bay", "at"],
    "serving": {"indexes": [["at"]]},
}


class Feed:
    """What lands in a landing zone of the scenario's own, until it is in the lake."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._bucket = f"landing-publish-{scenario.name}"
        self._runs = count(1)
        region = boto3.session.Session().region_name
        boto3.client("s3").create_bucket(Bucket=self._bucket, CreateBucketConfiguration={"LocationConstraint": region})
        self.follow(FEED)

    def follow(self, contract: dict[str, Any]) -> None:
        self._scenario.feeds = load_contracts(json.dumps([contract]), FilesContract)

    def land(self, *rows: dict[str, Any]) -> None:
        """A file of them, and a run of the job ingest-files."""
        scenario, run = self._scenario, next(self._runs)
        body = "".join(f"{json.dumps({'at': '2026-11-24T09:00:00+01:00', **row})}\n" for row in rows)
        boto3.client("s3").put_object(Bucket=self._bucket, Key=f"telemetry/{run}.jsonl", Body=body.encode())
        [contract], raw, lake = scenario.feeds, scenario.raw_database, scenario.lake_database
        run_id = f"jr_{scenario.name}_feed_{run}"
        assert FilesIngestion(scenario.spark, contract, self._bucket, raw, lake, run_id).run().error is None

    def assert_served(self, columns: str = "bay, at, volts") -> None:
        table = self._scenario.lake_table("readings").spark_name
        rows = sorted(tuple(row) for row in self._scenario.spark.sql(f"select {columns} from {table}").collect())
        served = columns.replace("at", "at at time zone 'UTC'")
        assert [
            tuple(row) for row in self._scenario.on_serving(f"select {served} from app.readings order by 1")
        ] == rows


def test_feed_is_served_by_what_was_added(scenario: Scenario) -> None:
    shots(scenario)
    feed = Feed(scenario)
    feed.land({"bay": 1, "volts": 11.5}, {"bay": 2}, {"bay": 3})
    with pytest.raises(Died):
        scenario.publish(dying_at("applied"))
    report = scenario.publish()["readings"]
    assert (report.reloaded, report.upserted) == (True, 3)
    feed.assert_served()
    assert scenario.on_serving(
        "select format_type(atttypid, atttypmod), col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = 'app.readings'::regclass and attnum > 0 order by attnum"
    ) == [
        ["integer", None],
        ["timestamp with time zone", "by the bay's clock; an instant, in UTC"],
        ["numeric(5,2)", None],
    ]
    versions = dict(scenario.on_serving("select bay, xmin::text from base.readings"))

    # Commits of the feed, one of upkeep among them; then a column that older files do not have.
    feed.land({"bay": 1, "volts": 12}, {"bay": 4})
    table = scenario.lake_table("readings").name
    scenario.spark.sql(
        f"call glue_catalog.system.rewrite_data_files(table => '{table}', options => map('rewrite-all', 'true'))"
    )
    feed.follow({**FEED, "columns": {**FEED["columns"], "lit": {"type": "boolean"}}})
    feed.land({"bay": 1, "volts": 13, "lit": True})
    for step in ("staged", "applied", "committed"):
        with pytest.raises(Died):
            scenario.publish(dying_at(step))
    assert scenario.publish() == {}
    feed.assert_served("bay, at, volts, lit")
    after = dict(scenario.on_serving("select bay, xmin::text from base.readings"))
    assert {bay for bay in after if after[bay] == versions.get(bay)} == {2, 3}

    # Without the column again: what comes has none of it.
    feed.follow(FEED)
    feed.land({"bay": 1, "volts": 14})
    report = scenario.publish()["readings"]
    assert (report.reloaded, report.upserted) == (False, 1)
    feed.assert_served("bay, at, volts, lit")

    # Rows that went.
    scenario.spark.sql(f"delete from {scenario.lake_table('readings').spark_name} where bay = 2")
    assert scenario.publish()["readings"].reloaded
    feed.assert_served()
