"""What becomes of the past: changes go when they are old and nobody needs them, a person's when it was erased."""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import boto3
import pyarrow.parquet as pq
import pytest
from platform_under_test import BUCKET, Died, Scenario, at, dying_at
from trackman.bookmark import Place
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.erasure import Erasure, Request, erase
from trackman.errors import TableError
from trackman.followers import Followed, followed_tables
from trackman.maintenance import maintain
from trackman.marts import Mart, MartColumn
from trackman.retention import RetentionReport, remove_old_changes, remove_old_values
from trackman.versions import current_versions

PLAYERS = "public.players"
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=32)
AT_ONCE, SOON = timedelta(0), timedelta(seconds=-1)
NAMES = Mart(
    "names",
    "Who is called what",
    ("id",),
    {"players": "select id from changed"},
    (MartColumn("id", "int", "of the player"), MartColumn("name", "string", "of the player")),
    "select id, name from players",
)


@pytest.fixture
def club(scenario: Scenario) -> Scenario:
    """Players with history, a mart and dataengineering-db; and shots, with neither."""
    scenario.on_source(
        "create table players (id int primary key, name text, born date)",
        "create table shots (id int primary key, player int)",
        "insert into players select i, 'player ' || i from generate_series(1, 5) i",
        "insert into shots select i, i from generate_series(1, 5) i",
    )
    scenario.publish_tables("players", "shots")
    scenario.options = {"tables": {PLAYERS: {"history": True}}}
    scenario.marts = [NAMES]
    scenario.migrate()
    run(scenario)
    return scenario


def run(scenario: Scenario) -> None:
    """The workflow's: ingest, then publish."""
    scenario.ingest()
    assert [report.error for report in scenario.make_marts().values() if report.error] == []
    scenario.publish()


def followed(scenario: Scenario) -> Followed:
    """As the job maintain finds it."""

    def properties(database: str) -> Iterator[tuple[str, dict[str, str]]]:
        return (
            (table.name.removeprefix(f"{database}."), table.properties) for table in scenario.catalog.tables(database)
        )

    histories = {
        version.name: version.history for version in current_versions(scenario.catalog, scenario.lake_database)
    }
    rows = scenario.on_serving("select table_name, position - '0/0' from trackman.bookmark where source = 'backend'")
    served = {name: Place(histories[name], int(position)) for name, position in rows}
    return followed_tables(properties(scenario.lake_database), properties(scenario.marts_database), served)


def forget(
    scenario: Scenario, now: datetime = LATER, checkpoint: Checkpoint = no_checkpoint
) -> dict[str, RetentionReport]:
    log, contracts = scenario.change_log, [scenario.contract]
    reports = remove_old_changes(
        scenario.spark, log, scenario.lake_database, contracts, followed(scenario), now, checkpoint
    )
    return {report.of: report for report in reports}


def logged(scenario: Scenario) -> list[tuple[str, str]]:
    return [(row.table_name, row.op) for row in scenario.logged()]


def assert_all_equal_the_source(scenario: Scenario) -> None:
    columns = "select id, name from {} order by id"
    players = scenario.on_source(columns.format("players"))
    assert [list(row[:2]) for row in scenario.lake_rows("players")] == players
    assert scenario.on_serving(columns.format("app.players")) == players
    assert scenario.on_serving(columns.format("app.names")) == players
    scenario.assert_lake_equals_source("shots")


def test_what_is_old_goes_once_nobody_needs_it(club: Scenario) -> None:
    club.on_source(
        "update players set name = 'renamed', born = 'infinity' where id = 1", "delete from shots where id = 2"
    )
    [[before]] = club.on_serving("select position from trackman.bookmark where table_name = 'players'")
    run(club)
    club.on_source("update players set name = 'again' where id = 1")
    club.ingest()
    kept = logged(club)
    assert len(kept) == 3
    assert forget(club, NOW + timedelta(days=29)) == {}
    assert logged(club) == kept

    # Marts and dataengineering-db lack the last change, which is held for them.
    for step in ("beginning told", "changes removed"):
        with pytest.raises(Died):
            forget(club, checkpoint=dying_at(step))
    reports = forget(club)
    assert reports["public.shots"] == RetentionReport("backend", "public.shots", removed=1)
    held = {"held": 1, "held_by": ["dataengineering-db", "names"]}
    assert reports[PLAYERS] == RetentionReport("backend", PLAYERS, **held)
    assert logged(club) == [("players", "U")]
    # Whole files went, and none was read for it.
    assert club.spark.table(f"{club.change_log.spark_name}.all_delete_files").count() == 0
    run(club)
    assert_all_equal_the_source(club)

    # Meanwhile ingest goes on.
    def meanwhile() -> None:
        club.on_source("update players set name = 'third' where id = 1")
        club.ingest()

    assert forget(club, checkpoint=at("beginning told", meanwhile))[PLAYERS].removed == 1
    assert logged(club) == [("players", "U")]
    assert club.make_marts()["names"].rebuilt is None
    assert club.publish()["players"].reloaded is False
    assert_all_equal_the_source(club)
    names = f"select name from {club.lake_table('players_history').spark_name} where id = 1 order by valid_from"
    assert [name for [name] in club.spark.sql(names).collect()] == ["player 1", "renamed", "again", "third"]

    # A database as a backup has it, from before the log begins.
    club.connect(club.serving).run(f"update trackman.bookmark set position = '{before}' where table_name = 'players'")
    club.connect(club.serving).run("update app.players set name = 'player 1' where id = 1")
    assert club.publish()["players"].reloaded is True
    assert_all_equal_the_source(club)

    table = club.catalog.find(club.raw_database, "quarantine")
    assert list(remove_old_values(club.spark, table, [club.contract], NOW + timedelta(days=59))) == []
    [report] = remove_old_values(club.spark, table, [club.contract], NOW + timedelta(days=61))
    assert report == RetentionReport("backend", "quarantine", removed=1)
    assert club.spark.table(table.spark_name).count() == 0


CANARY = "Canary Bird of 1871"


def objects(scenario: Scenario) -> Iterator[tuple[str, bytes]]:
    """All objects of the scenario's tables as a reader of their format has them: Parquet's rows and footers, the blocks
    of Avro (manifests, with the bounds of values), JSON."""
    s3 = boto3.client("s3")
    for database in (scenario.raw_database, scenario.lake_database, scenario.marts_database):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{database}.db/"):
            for each in page.get("Contents", []):
                data = s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
                if each["Key"].endswith(".parquet"):
                    data += repr(pq.read_table(BytesIO(data)).to_pylist()).encode()
                elif each["Key"].endswith(".avro"):
                    data += inflated(data)
                yield each["Key"], data


def inflated(avro: bytes) -> bytes:
    """The blocks of an Avro file, each of which is compressed by itself and ends with the file's own mark."""
    mark, blocks = avro[-16:], b""
    header, *rest, _ = avro.split(mark)
    assert b"deflate" in header
    for block in rest:
        start = 0
        for _ in range(2):  # how many objects, how many bytes
            while block[start] & 0x80:
                start += 1
            start += 1
        blocks += zlib.decompress(block[start:], wbits=-15)
    return blocks


def holding(scenario: Scenario, text: str) -> list[str]:
    """The tables and kinds of the objects that hold a text."""
    short = text[:16].encode()  # what Iceberg notes of a text as a bound
    found = {(key.split("/")[1], key.rsplit(".", 1)[1]) for key, data in objects(scenario) if short in data}
    return sorted(f"{table} {kind}" for table, kind in found)


def upkeep(scenario: Scenario, erasure: Erasure) -> None:
    """As the job does it, when the time that snapshots are kept has passed."""
    for database in (scenario.raw_database, scenario.lake_database, scenario.marts_database):
        for table in scenario.catalog.tables(database):
            of_marts = database == scenario.marts_database
            report = maintain(
                scenario.spark, table, AT_ONCE, SOON, leave_nothing=of_marts or table.name in erasure.tables
            )
            assert (report.error, report.lost) == (None, [])


def erase_player(scenario: Scenario, key: str = "7", checkpoint: Checkpoint = no_checkpoint) -> Erasure:
    request = Request.parse(f"backend {PLAYERS} {key}")
    return erase(scenario.spark, request, scenario.raw_database, scenario.lake_database, followed(scenario), checkpoint)


def test_nothing_is_left_of_a_person_who_was_erased(club: Scenario) -> None:
    club.on_source(f"insert into players values (7, '{CANARY}', 'infinity')", "insert into players values (8, 'stays')")
    run(club)
    club.on_source("update players set name = name || '!' where id in (1, 7, 8)")
    with pytest.raises(Died):  # and leaves a branch, with files that belong to no table
        club.ingest(dying_at("branch written public.players"))
    run(club)
    kinds = [f"{table} {kind}" for table in ("names", "players", "players_history") for kind in ("avro", "parquet")]
    kinds.append("changes parquet")  # of what is in a map Iceberg notes no bounds
    assert holding(club, CANARY) == sorted(kinds)

    club.on_source("delete from players where id = 7")
    club.ingest()
    with pytest.raises(TableError, match="dataengineering-db, names still has to follow the row's last change"):
        erase_player(club)
    run(club)
    with pytest.raises(TableError, match="2 values were given for its key id"):
        erase_player(club, "7 8")
    others = {table: [row for row in club.lake_rows(table) if row[0] != 7] for table in ("players", "players_history")}
    for step in ("beginning told", "changes removed", "versions removed", "quarantined removed"):
        with pytest.raises(Died):
            erase_player(club, checkpoint=dying_at(step))
    erasure = erase_player(club)
    assert (erasure.changes, erasure.versions, erasure.quarantined, erasure.rows) == (0, 0, 0, 0)
    upkeep(club, erasure)
    assert holding(club, CANARY) == []
    assert {table: club.lake_rows(table) for table in others} == others
    assert logged(club).count(("players", "U")) == 2
    assert club.catalog.find(club.raw_database, "quarantine") is not None

    # Who is still there was emptied by the source: the past goes, the present stays.
    club.on_source("update players set name = 'anonymous' where id = 8")
    run(club)
    erasure = erase_player(club, "8")
    assert (erasure.changes, erasure.versions, erasure.quarantined, erasure.rows) == (3, 2, 0, 1)
    upkeep(club, erasure)
    assert holding(club, "stays") == []
    club.on_source("update players set name = 'goes on' where id = 8")
    run(club)
    assert_all_equal_the_source(club)
