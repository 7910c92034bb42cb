"""The stage marts on the demonstration's own source: what is made anew is what a rebuild would make, and Postgres."""

import random
import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from itertools import count

import boto3
import pytest
from platform_under_test import REPOSITORY, Died, Scenario, at, dying_at
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import TableName
from trackman.iceberg import IcebergTable
from trackman.ingestion import Anew
from trackman.maintenance import maintain
from trackman.marts import Mart, MartColumn, MartReport, load_marts

SHOTS = 800
TABLES = ("bays", "facilities", "players", "sessions", "shots")
NAMES = ["facility_by_hour", "player_by_day", "player_clubs", "session_summary"]
AT_ONCE = timedelta(0)

_numbers = count(1)


@pytest.fixture(scope="session")
def marts() -> list[Mart]:
    """As the platform ships them."""
    program = "process.stdout.write(JSON.stringify(require('./modules/pipeline/marts.ts').loadMarts()))"
    command = ["node", "--require", "ts-node/register/transpile-only", "--eval", program]
    return load_marts(subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout)


@pytest.fixture
def golf(scenario: Scenario, marts: list[Mart]) -> Scenario:
    """The demonstration's source with a small history, in the lake and made into marts."""
    demo = REPOSITORY / "demo"
    schema = (demo / "schema.sql").read_text().split("-- What the platform is given")[0]
    connection = scenario.connect(scenario.source)
    connection.run(schema)
    connection.run(f"set demo.shots = {SHOTS}")
    connection.run((demo / "history.sql").read_text())
    scenario.publish_tables(*TABLES)
    scenario.options = {"tables": {"public.players": {"pii": {"name": "hash", "email": "drop"}}}}
    scenario.marts = marts
    scenario.migrate()
    scenario.ingest()
    assert {report.rebuilt for report in make(scenario).values()} == {"is new"}
    return scenario


def make(scenario: Scenario, checkpoint: Checkpoint = no_checkpoint) -> dict[str, MartReport]:
    """One run in which no mart fails."""
    reports = scenario.make_marts(checkpoint)
    assert [report.error for report in reports.values() if report.error] == []
    return reports


def rows_of(scenario: Scenario, mart: Mart) -> list[tuple]:
    names = [column.name for column in mart.columns]
    table = scenario.catalog.find(scenario.marts_database, mart.name)
    found = scenario.spark.table(table.spark_name).select(*names).collect()
    return sorted((tuple(row) for row in found), key=lambda row: tuple(map(str, row)))


def made_by_postgres(scenario: Scenario, mart: Mart) -> list[tuple]:
    """The mart's own SQL on the source, but for what Postgres says otherwise."""
    sql = re.sub(
        r"LATERAL VIEW explode\(sequence\((.*?)\)\) AS",
        r"CROSS JOIN LATERAL generate_series(\1) AS",
        mart.sql,
        flags=re.S,
    )
    sql = sql.replace("AS double)", "AS double precision)").replace("'hour', sessions.started_at", "'hour', started_at")
    columns = ", ".join(f"{each.name}::{as_the_lake_has_it(each.serving_type)}" for each in mart.columns)
    found = scenario.on_source(f"select {columns} from ({sql}) as made")
    return sorted((tuple(row) for row in found), key=lambda row: tuple(map(str, row)))


def as_the_lake_has_it(serving_type: str) -> str:
    return {"uuid": "text", "timestamp with time zone": "timestamp"}.get(serving_type, serving_type)


def assert_marts_equal_the_source(scenario: Scenario) -> None:
    for mart in scenario.marts:
        assert rows_of(scenario, mart) == made_by_postgres(scenario, mart), mart.name


def assert_marts_equal_their_rebuild(scenario: Scenario) -> None:
    """Each mart equals what a run makes that knows nothing of it."""
    made = {mart.name: rows_of(scenario, mart) for mart in scenario.marts}
    database, scenario.marts_database = scenario.marts_database, f"anew_{scenario.name}_{next(_numbers)}"
    boto3.client("glue").create_database(DatabaseInput={"Name": scenario.marts_database})
    assert {report.rebuilt for report in make(scenario).values()} == {"is new"}
    assert {mart.name: rows_of(scenario, mart) for mart in scenario.marts} == made
    scenario.marts_database = database


def assert_served_marts_equal_the_lakes(scenario: Scenario) -> None:
    for mart in scenario.marts:
        columns = ", ".join(f"{each.name}::{as_the_lake_has_it(each.serving_type)}" for each in mart.columns)
        served = [tuple(row) for row in scenario.on_serving(f"select {columns} from app.{mart.name}")]
        assert sorted(served, key=lambda row: tuple(map(str, row))) == rows_of(scenario, mart), mart.name


def mart_table(scenario: Scenario, mart: str) -> IcebergTable:
    return scenario.catalog.find(scenario.marts_database, mart)


def traffic(dice: random.Random) -> list[str]:
    """Statements that move rows into, out of and between groups of every mart, in an order of chance."""
    shot, other = (f"(select id from shots order by md5(id::text || {dice.random()}) limit 1)" for _ in range(2))
    session, played = (f"(select id from sessions order by md5(id::text || {dice.random()}) limit 1)" for _ in range(2))
    player = f"(select id from players order by md5(id::text || {dice.random()}) limit 1)"
    bay = f"(select id from bays order by md5(id::text || {dice.random()}) limit 1)"
    number = dice.randrange(10**6, 10**9)
    statements = [
        f"insert into sessions select md5('{number}')::uuid, {player}, {bay}, s, s + interval '100 minutes', s,"
        f" '1 hour' from (select timestamptz '2026-05-0{dice.randint(1, 9)} 23:{dice.randint(10, 59)}Z' as s) as begin",
        f"insert into shots select {number} + i, {session}, i, 'driver', 70.5, null, null, 12, 2600, 220 + i, 230,"
        f" -1.5, timestamptz '2026-06-01 23:59Z' + make_interval(mins => i) from generate_series(1, 3) as i",
        f"update shots set carry = carry + 1.25, side = -side where id % 7 = {dice.randrange(7)} and id < 300",
        f"update shots set club = 'putter', id = id + 1000000 where id = {shot}",
        f"update shots set session_id = {session} where session_id = {played} and id % 2 = 0",
        f"update shots set hit_at = hit_at + interval '1 day' where id = {other}",
        f"update sessions set ended_at = ended_at + interval '75 minutes' where id = {session}",
        f"update sessions set ended_at = null where id = {played}",
        f"update sessions set bay_id = {bay}, player_id = {player} where id = {session}",
        f"update bays set facility_id = 1 + facility_id % 12, number = 100 + number where id = {bay}",
        f"delete from shots where id in ({shot}, {other})",
        f"delete from shots where session_id = {played}",
        f"delete from sessions where not exists (select from shots where session_id = sessions.id) and id = {played}",
        f"delete from players where id = {player}",  # an erasure: sessions lose their player
        f"update facilities set name = name || '!' where id = {dice.randint(1, 12)}",
    ]
    dice.shuffle(statements)
    return statements


def test_incremental_marts_equal_their_rebuild_and_the_source(golf: Scenario) -> None:
    assert_marts_equal_the_source(golf)
    dice = random.Random(6)
    for _ in range(2):
        golf.on_source(*traffic(dice))
        golf.ingest()
        reports = make(golf)
        assert [report.rebuilt for report in reports.values()] == [None] * 4
        assert all(report.groups > 0 for report in reports.values())
        assert_marts_equal_the_source(golf)
        golf.publish()
        assert_served_marts_equal_the_lakes(golf)
    assert_marts_equal_their_rebuild(golf)


def test_only_groups_that_changed_are_made_anew_and_served(golf: Scenario) -> None:
    golf.publish()
    assert_served_marts_equal_the_lakes(golf)
    versions = dict(golf.on_serving("select session_id::text, xmin::text from base.session_summary"))
    golf.on_source(
        "update shots set carry = carry + 1 where id = 1", "update sessions set notes = 'x' where notes <> ''"
    )
    golf.ingest()
    before = {name: mart_table(golf, name).snapshot_id for name in NAMES}
    reports = make(golf)
    notes = golf.on_source("select count(*) from sessions where notes = 'x'")[0][0]
    summary = reports["session_summary"]
    assert (summary.inserted, summary.updated, summary.deleted) == (0, 1, 0)
    assert summary.groups in (notes, notes + 1)
    assert reports["player_clubs"].updated == 1
    # Groups of it were made anew, and found to be as they were.
    assert (reports["facility_by_hour"].groups > 0, reports["facility_by_hour"].updated) == (True, 0)
    assert mart_table(golf, "facility_by_hour").snapshot_id == before["facility_by_hour"]

    served = golf.publish()
    assert (served["session_summary"].reloaded, served["session_summary"].upserted) == (False, 1)
    after = dict(golf.on_serving("select session_id::text, xmin::text from base.session_summary"))
    assert len(after.items() - versions.items()) == 1
    assert_served_marts_equal_the_lakes(golf)
    assert_marts_equal_the_source(golf)

    # Nothing new: no snapshot, the frontier moves; nothing at all: no commit.
    before = {name: mart_table(golf, name).snapshot_id for name in NAMES}
    frontier = mart_table(golf, "player_clubs").properties["trackman.frontier"]
    golf.ingest()
    make(golf)
    assert {name: mart_table(golf, name).snapshot_id for name in NAMES} == before
    assert mart_table(golf, "player_clubs").properties["trackman.frontier"] > frontier
    golf.publish()
    moved = golf.on_serving(
        "select count(*) from trackman.bookmark where source like 'marts%' and frontier ="
        f" '{mart_table(golf, 'player_clubs').properties['trackman.frontier']}'"
    )
    assert moved == [[4]]
    metadata = {name: mart_table(golf, name).java.operations().current().metadataFileLocation() for name in NAMES}
    make(golf)
    assert metadata == {
        name: mart_table(golf, name).java.operations().current().metadataFileLocation() for name in NAMES
    }


def test_whole_rebuild_where_the_log_does_not_lead(golf: Scenario) -> None:
    golf.on_source(
        "create table kept as select * from shots where id < 100",
        "truncate shots",
        "insert into shots select * from kept",
        "update bays set facility_id = 2, number = 101 where id = 1",
    )
    golf.ingest(anew=Anew(frozenset([TableName("public", "bays")])))
    copied = ["bays", "shots", "shots", "bays"]  # a truncated table is
    assert [report.rebuilt for report in make(golf).values()] == [f"{table} was copied anew" for table in copied]
    assert_marts_equal_the_source(golf)
    golf.publish()

    golf.on_source("update sessions set ended_at = ended_at + interval '1 hour'")
    golf.ingest()
    maintain(golf.spark, golf.lake_table("sessions"), AT_ONCE, timedelta(days=1))
    assert {report.rebuilt for report in make(golf).values()} == {"sessions can no longer be read as it was"}
    assert_marts_equal_the_source(golf)

    # Upkeep alone changes nothing.
    for table in (mart_table(golf, "session_summary"), golf.lake_table("sessions"), golf.lake_table("shots")):
        maintain(golf.spark, table, AT_ONCE, timedelta(days=1))
    golf.on_source("delete from shots where session_id in (select id from sessions where bay_id % 2 = 0)")
    golf.ingest()
    assert [report.rebuilt for report in make(golf).values()] == [None] * 4
    golf.publish()
    assert_served_marts_equal_the_lakes(golf)
    assert_marts_equal_the_source(golf)


def other_definition(mart: Mart) -> Mart:
    """With another key, a column more and one less, and one of another type."""
    columns = [column for column in mart.columns if column.name not in ("clubs", "shots")]
    columns += [MartColumn("clubs", "string", "As text."), MartColumn("name", "string", "Of the facility.")]
    sql = mart.sql.replace("sessions.bay_id,", "sessions.bay_id, 'x' AS name,", 1)
    return replace(mart, key=("session_id", "started_at"), columns=tuple(columns), sql=sql, tables={
        name: sql.replace("id AS session_id FROM changed", "id AS session_id, started_at FROM changed")
        for name, sql in mart.tables.items()
    })  # fmt: skip


def test_changed_definition_makes_another_mart(golf: Scenario) -> None:
    golf.publish()
    *others, summary = golf.marts
    golf.marts = [*others, other_definition(summary)]
    reports = make(golf)
    assert reports["session_summary"].rebuilt == "its definition changed"
    assert [reports[mart.name].rebuilt for mart in others] == [None] * 3
    schema = mart_table(golf, "session_summary").layout.schema
    assert (str(schema.field("clubs").type), "name" in schema.names, "shots" in schema.names) == ("string", True, False)
    assert golf.publish()["session_summary"].reloaded
    [[key, clubs]] = golf.on_serving(
        "select pg_get_constraintdef(oid), (select max(clubs) from app.session_summary) from pg_constraint"
        " where conrelid = 'base.session_summary'::regclass"
    )
    assert (key, clubs) == ("PRIMARY KEY (session_id, started_at)", "6")


def test_death_at_every_step_and_a_run_that_overlaps(golf: Scenario) -> None:
    dice = random.Random(9)
    golf.on_source(*traffic(dice))
    golf.ingest()
    for name in (NAMES[0], NAMES[-1]):  # every step of one that others follow, and of the last
        for step in (f"written {name}", f"published {name}"):
            with pytest.raises(Died):
                golf.make_marts(dying_at(step))
    assert {(report.groups, report.rebuilt) for report in make(golf).values()} == {(0, None)}
    assert_marts_equal_the_source(golf)

    golf.on_source(*traffic(dice))
    golf.ingest()
    reports = make(golf, at("written facility_by_hour", lambda: make(golf)))
    assert {report.groups for report in reports.values()} == {0}  # the other run made all of them
    assert_marts_equal_the_source(golf)
    assert_marts_equal_their_rebuild(golf)


def test_mart_that_fails_stops_only_itself(golf: Scenario) -> None:
    *others, clubs, _ = golf.marts
    broken = {
        "no_such_column": ("SELECT speed FROM shots", "`speed` cannot be resolved"),
        "table_that_it_does_not_declare": ("SELECT club FROM players", "The table or view `players` cannot be found"),
        "no_key": (clubs.sql.replace("player_id,\n  club", "club"), "a query of it gives no player_id"),
        "two_rows": (clubs.sql.replace("FROM clubs", "FROM clubs, (VALUES (1), (2)) AS two"), "more than one row for"),
        "nobody": (
            clubs.sql.replace("SELECT\n  player_id,", "SELECT\n  NULL AS player_id,"),
            "rows with null in player_id",
        ),
        "no_number": (clubs.sql.replace("\n  carry_max,", "\n  club AS carry_max,"), "CAST_INVALID_INPUT"),
        "players": (clubs.sql, "the lake has a table of this name"),
    }
    golf.marts = [
        *(replace(clubs, name=name, sql=sql) for name, (sql, _) in broken.items()),
        replace(clubs, name="not_yet", tables={**clubs.tables, "balls": "SELECT club FROM changed"}),
        # One that was good once.
        replace(clubs, sql="SELECT club FROM nothing"),
        *others,
    ]
    golf.on_source("update shots set club = 'spoon', hit_at = hit_at + interval '1 day' where id = 4")
    golf.ingest()
    reports = golf.make_marts()
    for name, (_, complaint) in broken.items():
        assert complaint in reports[name].error, name
    assert "`nothing` cannot be found" in reports["player_clubs"].error
    assert reports["not_yet"].waiting == "the lake has no balls yet"
    assert reports["player_by_day"].updated + reports["player_by_day"].inserted > 0
    golf.publish()
    assert golf.on_serving("select count(*) from app.shots where club = 'spoon'") == [[1]]
    tables = golf.on_serving("select tablename::text from pg_tables where schemaname = 'base' order by 1")
    assert [name for [name] in tables] == sorted({*TABLES, *NAMES[:2]})
    golf.marts = others
    assert_served_marts_equal_the_lakes(golf)
