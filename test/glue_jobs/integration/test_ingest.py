"""The job ingest on a real source: every row of the source is in the lake, every change in the change log, once."""

import hashlib
import hmac
import json
import re
from datetime import date, datetime
from decimal import Decimal

import boto3
import pytest
from platform_under_test import PEPPER, Died, Recorder, Scenario, at, dying_at, snapshots
from trackman.bookmark import EPOCH
from trackman.errors import LostChangesError, RivalRunError, SourceError

LARGE = "x" * 10_000

ITEMS = "create table items (id int primary key, label text, large text)"
# Stored out of line, so that updates beside it do not send it.
EXTERNAL = "alter table items alter large set storage external"


def items(scenario: Scenario, rows: int = 5) -> None:
    scenario.on_source(
        ITEMS, EXTERNAL, f"insert into items select i, 'item ' || i, '{LARGE}' from generate_series(1, {rows}) i"
    )
    scenario.publish_tables("items")


def test_first_run_copies_every_type(scenario: Scenario) -> None:
    scenario.on_source(
        "create type side as enum ('left', 'right')",
        "create domain metres as numeric(6, 2) check (value >= 0)",
        """create table everything (
             id bigint primary key, b boolean, i2 smallint, i4 integer, f4 real, f8 double precision, n numeric(7, 3),
             free numeric, d date, ts timestamp, tz timestamptz, t time, iv interval, u uuid, j jsonb, raw bytea,
             c char(4), v varchar(10), e side, m metres, tags text[], numbers integer[], ip inet)""",
        "comment on column everything.tz is 'when it was hit'",
        """insert into everything values
             (1, true, -3, 70000, 1.5, 0.1, -12.345, 1234567890.123456789, '2026-03-29', '2026-03-29 02:30:00',
              '2026-03-29 02:30:00.000001+01', '24:00', '1 day 02:00:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
              '{"a": [1, null]}', '\\x00ff', 'ab', 'v', 'left', 1.5, array['a,b', null, '"'], array[1, null],
              '10.0.0.1'),
             (2, null, null, null, 'NaN', '-Infinity', null, null, null, null, null, null, null, null, null, '', null,
              '', null, null, '{}', null, null)""",
    )
    scenario.publish_tables("everything")
    scenario.ingest()
    first, second = scenario.lake_rows("everything")
    assert first == (
        1, True, -3, 70000, 1.5, 0.1, Decimal("-12.345"), Decimal("1234567890.123456789"), date(2026, 3, 29),
        datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, 0, 1), "24:00:00", "1 day 02:00:00",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"a": [1, null]}', b"\x00\xff", "ab  ", "v", "left", Decimal("1.50"),
        ["a,b", None, '"'], [1, None], "10.0.0.1",
    )  # fmt: skip
    assert second[:4] == (2, None, None, None)
    assert str(second[4]) == "nan"
    assert second[5] == float("-inf")
    assert second[6:] == (*[None] * 9, b"", None, "", None, None, [], None, None)
    schema = scenario.spark.table(scenario.lake_table("everything").spark_name).schema
    comments = {field.name: field.metadata.get("comment") for field in schema}
    assert comments["tz"] == "when it was hit; an instant, in UTC"
    assert comments["ts"] == "date and time without time zone, as the source has it"

    # The stream's values go through the same conversion as the copy's.
    scenario.on_source("update everything set id = id + 10")
    scenario.ingest()
    assert scenario.lake_rows("everything")[0] == (11, *first[1:])


def test_changes_of_all_kinds(scenario: Scenario) -> None:
    items(scenario, 10)
    scenario.ingest()
    scenario.on_source(
        "insert into items values (11, 'new', null)",
        "update items set label = 'twice' where id = 2",
        "update items set label = label || ', again' where id = 2",
        "update items set id = 103 where id = 3",
        "update items set label = 'renamed and corrected' where id = 103",
        "delete from items where id = 4",
        "insert into items values (4, 'another', 'small')",
        "insert into items values (12, 'short-lived', null)",
        "delete from items where id = 12",
        # Two rows change keys with each other.
        "update items set id = 0 where id = 5",
        "update items set id = 5 where id = 6",
        "update items set id = 6 where id = 0",
        "delete from items where id = 7",
    )
    report = scenario.ingest()["items"]
    assert (report.read, report.inserted, report.updated, report.deleted) == (13, 2, 4, 2)
    assert report.bytes > 0
    assert report.frontier == scenario.lake_table("items").properties["trackman.frontier"]
    assert report.lag_seconds > 0
    scenario.assert_lake_equals_source("items")
    assert (103, "renamed and corrected", LARGE) in scenario.lake_rows("items")
    scenario.assert_each_change_logged_once()
    logged = scenario.logged()
    assert [row.op for row in logged] == list("IUUUUDIIDUUUD")
    assert "large" not in logged[1].after  # unchanged, so not sent
    assert logged[3].before == {"id": "3"}


def test_truncate_empties_and_what_follows_stays(scenario: Scenario) -> None:
    items(scenario)
    scenario.ingest()
    scenario.on_source(
        "update items set label = 'gone'", "truncate items", "insert into items values (1, 'first', null)"
    )
    scenario.ingest()
    assert scenario.lake_rows("items") == [(1, "first", None)]
    scenario.on_source("truncate items")
    scenario.ingest()
    assert scenario.lake_rows("items") == []


def test_replica_identity_full_and_partitioned_tables(scenario: Scenario) -> None:
    scenario.on_source(
        "create table events (id int, at date, note text, primary key (id, at)) partition by range (at)",
        "create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01')",
        "create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01')",
        "create table notes (id int primary key, note text)",
        "alter table notes replica identity full",
        "insert into events values (1, '2026-01-05', 'a'), (2, '2026-02-05', 'b')",
        "insert into notes values (1, 'a'), (2, null)",
    )
    scenario.publish_tables("events", "notes")
    scenario.options = {"tables": {"public.events": {"partitionBy": ["month(at)"]}}}
    scenario.ingest()
    scenario.assert_lake_equals_source("events", "notes")
    scenario.on_source(
        "update events set at = '2026-02-06', note = 'moved' where id = 1",
        "update notes set note = 'c' where id = 2",
        "update notes set id = 3 where id = 1",
        "delete from notes where id = 2",
    )
    scenario.ingest()
    scenario.assert_lake_equals_source("events", "notes")


def test_personal_data_is_hashed_or_dropped_before_it_is_stored(scenario: Scenario) -> None:
    scenario.on_source(
        "create table players (id int primary key, name text, email text)",
        "insert into players values (1, 'Ann', 'ann@example.com'), (2, null, 'bob@example.com')",
    )
    scenario.publish_tables("players")
    scenario.options = {"tables": {"public.players": {"pii": {"name": "hash", "email": "drop"}}}}
    scenario.ingest()

    def hashed(name: str) -> str:
        return hmac.new(bytes.fromhex(PEPPER), name.encode(), hashlib.sha256).hexdigest()

    assert scenario.lake_rows("players") == [(1, hashed("Ann")), (2, None)]
    scenario.on_source("update players set name = 'Bob' where id = 2", "delete from players where id = 1")
    scenario.ingest()
    assert scenario.lake_rows("players") == [(2, hashed("Bob"))]
    assert [row.after for row in scenario.logged()] == [{"id": "2", "name": hashed("Bob")}, None]


def test_transaction_that_commits_while_its_table_is_copied(scenario: Scenario) -> None:
    items(scenario)
    late = scenario.connect(scenario.source)

    def begin() -> None:
        late.run("begin")
        late.run("insert into items values (100, 'late', null)")
        late.run("update items set label = 'late' where id = 1")
        scenario.on_source("insert into items values (50, 'seen by the copy', null)")

    def act(checkpoint: str) -> None:
        if checkpoint == "slot ready":
            begin()
        elif checkpoint == "copies written":
            late.run("commit")

    scenario.ingest(act)
    scenario.assert_lake_equals_source("items")
    assert [row.after["id"] for row in scenario.logged()] == ["50", "100", "1"]
    scenario.assert_each_change_logged_once()


def test_transaction_that_commits_behind_the_barrier_comes_next_time(scenario: Scenario) -> None:
    items(scenario)
    scenario.ingest()
    late = scenario.connect(scenario.source)
    late.run("begin")
    late.run("insert into items values (100, 'late', null)")
    scenario.on_source("insert into items values (101, 'early', null)")

    scenario.ingest(at("barrier set", lambda: late.run("commit")))
    assert [row[0] for row in scenario.lake_rows("items")] == [1, 2, 3, 4, 5, 101]
    scenario.ingest()
    scenario.assert_lake_equals_source("items")
    scenario.assert_each_change_logged_once()


def test_idle_run_moves_frontier_and_slot_but_makes_no_snapshot(scenario: Scenario) -> None:
    items(scenario)
    scenario.ingest()
    before, properties = snapshots(scenario, ["items"]), scenario.lake_table("items").properties
    report = scenario.ingest()["items"]
    after = scenario.lake_table("items").properties
    assert report.read == 0
    assert snapshots(scenario, ["items"]) == before
    assert after["trackman.frontier"] > properties["trackman.frontier"]
    position = scenario.bookmark(scenario.lake_table("items")).position
    assert position == scenario.bookmark(scenario.change_log).position
    [[confirmed]] = scenario.on_source(
        f"select confirmed_flush_lsn - '0/0' from pg_replication_slots where slot_name = '{scenario.name}'"
    )
    assert confirmed == position


def test_death_at_every_step(scenario: Scenario) -> None:
    scenario.on_source(ITEMS, EXTERNAL, "create table notes (id int primary key, note text)")
    scenario.on_source(f"insert into items select i, 'item', '{LARGE}' from generate_series(1, 20) i")
    scenario.publish_tables("items", "notes")
    for step in ("slot ready", "copies written", "copied public.items", "barrier set", "change log written"):
        with pytest.raises(Died):
            scenario.ingest(dying_at(step))
        scenario.on_source(f"insert into notes values ((select count(*) from notes), '{step}')")
    scenario.ingest()
    scenario.assert_lake_equals_source("items", "notes")

    def traffic(number: int) -> None:
        scenario.on_source(
            f"insert into items values (1000 + {number}, 'new', null)",
            f"update items set label = 'step {number}' where id <= 10",
            f"update items set id = 2000 + {number} where id = 1000 + {number} - 1",
            f"delete from items where id = 10 + {number}",
        )

    traffic(0)
    steps = Recorder()
    scenario.ingest(steps)
    assert steps.names == [
        "slot ready", "barrier set", "change log written", "change log published", "slot advanced",
        "branch written public.items", "published public.items", "published public.notes",
    ]  # fmt: skip
    for number, step in enumerate(steps.names, start=1):
        traffic(number)
        with pytest.raises(Died):
            scenario.ingest(dying_at(step))
        if number % 2:
            traffic(100 + number)
        scenario.ingest()
        scenario.assert_lake_equals_source("items", "notes")
    scenario.assert_each_change_logged_once()


def test_rivals_are_refused(scenario: Scenario) -> None:
    items(scenario)
    scenario.ingest()
    scenario.on_source("insert into items values (100, 'new', null)")

    def second_run() -> None:
        with pytest.raises(RivalRunError, match="another run is at work"):
            scenario.ingest()

    scenario.ingest(at("barrier set", second_run))
    scenario.assert_lake_equals_source("items")

    # One that got past the lock: it published between this run's reading and its commit.
    scenario.on_source("insert into items values (101, 'newer', null)")
    log = scenario.change_log

    def rival() -> None:
        moved = scenario.bookmark(log)
        log.publish("rival", {}, {"trackman.bookmark.backend": moved.to_json().replace('"xid": ', '"xid": 1')})

    before = len(scenario.logged())
    with pytest.raises(RivalRunError, match=r"trackman\.bookmark\.backend is"):
        scenario.ingest(at("change log written", rival))
    assert len(scenario.logged()) == before


def test_small_steps_read_the_same(scenario: Scenario) -> None:
    items(scenario)
    scenario.options = {"walBytesPerStep": 1 << 20}
    scenario.ingest()
    scenario.on_source(
        "insert into items select i, 'bulk', null from generate_series(1000, 9000) i",
        "update items set label = 'changed' where id < 5000",
        "insert into items select i, 'more', null from generate_series(10000, 19000) i",
    )
    steps = Recorder()
    scenario.ingest(steps)
    assert steps.names.count("slot advanced") > 1
    scenario.assert_lake_equals_source("items")
    scenario.assert_each_change_logged_once()


def test_lost_changes_are_told(scenario: Scenario) -> None:
    items(scenario)
    scenario.ingest()
    scenario.on_source("insert into items values (100, 'new', null)")
    with pytest.raises(Died):
        scenario.ingest(dying_at("change log published"))
    log = scenario.change_log
    bookmark = scenario.bookmark(log)
    # What the lake would see of a source that was restored: another transaction ends at the bookmark.
    other = bookmark.to_json().replace(f'"xid": {bookmark.xid}', f'"xid": {bookmark.xid + 1}')
    log.publish("test", {}, {"trackman.bookmark.backend": other})
    with pytest.raises(LostChangesError, match="restored or failed over"):
        scenario.ingest()
    scenario.change_log.publish("test", {}, {"trackman.bookmark.backend": bookmark.to_json()})
    scenario.ingest()
    scenario.assert_lake_equals_source("items")

    here = log.properties["trackman.server.backend"]
    for another in ('"timeline": 7', '"system_identifier": "7"', '"database_oid": 7'):
        name = another.split(":")[0]
        elsewhere = re.sub(rf"{name}: (\d+|\"\d+\")", another, here)
        scenario.change_log.publish("test", {}, {"trackman.server.backend": elsewhere})
        with pytest.raises(LostChangesError, match="the lake follows ServerIdentity"):
            scenario.ingest()
    scenario.change_log.publish("test", {}, {"trackman.server.backend": here})
    scenario.ingest()

    scenario.on_source(
        "insert into items values (101, 'unseen', null)",
        f"select pg_replication_slot_advance('{scenario.name}', pg_current_wal_flush_lsn())",
    )
    with pytest.raises(LostChangesError, match="somebody else read from it"):
        scenario.ingest()
    scenario.on_source(f"select pg_drop_replication_slot('{scenario.name}')")
    with pytest.raises(LostChangesError, match="is gone"):
        scenario.ingest()


def test_one_table_that_cannot_be_followed_does_not_stop_others(scenario: Scenario) -> None:
    items(scenario)
    scenario.on_source(
        "create table keyless (id int)",
        "create table unpublished (id int primary key)",
        "create table mute (id int primary key)",
        "alter table mute replica identity nothing",
        "alter publication trackman add table keyless, mute",
    )
    scenario.crawl("keyless", "unpublished", "mute", "dropped")
    reports = scenario.ingest_what_can_be()
    assert reports["items"].error is None
    assert reports["keyless"].error == "public.keyless: has no primary key (that is not deferrable): its owner adds one"
    assert reports["mute"].error.startswith("public.mute: has REPLICA IDENTITY NOTHING: its owner runs ALTER TABLE")
    assert reports["unpublished"].error.endswith('ALTER PUBLICATION "trackman" ADD TABLE "public"."unpublished"')
    assert reports["dropped"].error == "public.dropped: was crawled, but is no longer in the source"
    scenario.assert_lake_equals_source("items")


def test_table_is_added_to_a_running_source(scenario: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    items(scenario)
    scenario.migrate()
    scenario.ingest()
    scenario.publish()
    before = scenario.lake_table("items")
    epoch, snapshot = before.properties[EPOCH], before.snapshot_id

    # Its rows are older than the publication has it.
    scenario.on_source(
        'create table "Clubs" (code text primary key, loft numeric(4, 1))',
        """insert into "Clubs" values ('7i', 34.0), ('pw', 46.0)""",
        'alter publication trackman add table "Clubs"',
        "update items set label = 'changed' where id = 1",
    )
    scenario.crawl("Clubs")
    capsys.readouterr()
    scenario.ingest()
    assert re.findall(r"(\S+): .*, copying it", capsys.readouterr().out) == ["public.Clubs"]
    scenario.on_source(
        """update "Clubs" set loft = 45 where code = 'pw'""", """delete from "Clubs" where code = '7i'"""
    )
    scenario.ingest()
    scenario.publish()

    assert [row.loft for row in scenario.spark.table(scenario.lake_table("clubs").spark_name).collect()] == [45]
    assert scenario.on_serving("select * from app.clubs") == scenario.on_source('select * from "Clubs"')
    scenario.assert_lake_equals_source("items")
    items_now = scenario.lake_table("items")
    assert items_now.properties[EPOCH] == epoch
    assert items_now.has_snapshot(snapshot)  # it was followed from where it stood
    scenario.assert_each_change_logged_once()


def test_table_with_a_partition_that_may_not_be_read_does_not_stop_others(scenario: Scenario) -> None:
    items(scenario)
    role = f"reader_{scenario.name}"
    scenario.on_source(
        "create table readings (id int primary key) partition by range (id)",
        "create table readings_low partition of readings for values from (0) to (10)",
        "insert into readings values (1)",
        "alter publication trackman add table readings",
        f"create role {role} login password 'the-readers-password'",
        f"grant rds_replication to {role}",
        f"grant select on items, readings to {role}",
    )
    login = {"username": role, "password": "the-readers-password"}
    boto3.client("secretsmanager").put_secret_value(SecretId=f"test/{scenario.name}", SecretString=json.dumps(login))
    scenario.crawl("readings")
    reports = scenario.ingest_what_can_be()
    assert reports["items"].error is None
    assert reports["readings"].error.endswith(f'TO "{role}", and on each of its partitions')
    scenario.on_source(f"grant select on readings_low to {role}")
    scenario.ingest()
    assert scenario.lake_rows("readings") == [(1,)]


def test_source_that_log_mode_cannot_use_is_refused(scenario: Scenario) -> None:
    scenario.on_source(ITEMS)
    scenario.crawl("items")
    with pytest.raises(SourceError, match="there is no publication"):
        scenario.ingest()
    scenario.on_source("create publication trackman for table items")
    with pytest.raises(SourceError, match="publish_via_partition_root = true"):
        scenario.ingest()
