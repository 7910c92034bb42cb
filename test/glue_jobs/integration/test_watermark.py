"""Watermark mode on a real source: what commits late, what no watermark tells, and runs that die lose nothing."""

from dataclasses import replace

import pg8000.native
import pytest
from platform_under_test import Died, Scenario, at, dying_at, snapshots
from trackman.contract import TableName
from trackman.errors import LostChangesError, RivalRunError, SourceError
from trackman.ingestion import Anew

STAMP = """create function stamp() returns trigger language plpgsql as
           $$begin new.updated_at := clock_timestamp(); return new; end$$"""
MEMBERS = """create table members (
               id int primary key, name text, joined timestamptz, fee numeric(8, 2), tags text[], cancelled boolean,
               updated_at timestamptz not null)"""
BOOKINGS = """create table bookings (
                club int, starts timestamptz, member int, deleted_at timestamptz, updated_at timestamptz not null,
                primary key (club, starts))"""


@pytest.fixture
def club(scenario: Scenario) -> Scenario:
    """A source of two tables that is followed by watermarks, after its first run."""
    scenario.follows_log = False
    scenario.on_source(STAMP, MEMBERS, BOOKINGS)
    for table in ("members", "bookings"):
        scenario.on_source(
            f"create trigger stamp before insert or update on {table} for each row execute function stamp()"
        )
    scenario.on_source(
        "insert into members select i, 'member ' || i, '2026-01-01 10:00Z', i, array['a'], false"
        " from generate_series(1, 6) i",
        "insert into bookings select i % 2, '2026-05-01 10:00Z'::timestamptz + i * interval '1 h', i"
        " from generate_series(1, 6) i",
        "update members set cancelled = true where id = 6",
    )
    scenario.crawl("members", "bookings")
    scenario.options = {
        "tables": {
            "public.members": {
                "softDelete": "cancelled",
                "quality": [{"rule": "range", "column": "fee", "max": 9000, "action": "quarantine"}],
            },
            "public.bookings": {"softDelete": "deleted_at"},
        }
    }
    assert_same(scenario, scenario.ingest())
    return scenario


def assert_same(scenario: Scenario, _reports: object = None) -> None:
    """The lake has the source's rows but those that say of themselves that they are deleted."""
    for table, alive in {"members": "cancelled is not true", "bookings": "deleted_at is null"}.items():
        if scenario.lake_table(table):
            rows = scenario.on_source(f"select * from {table} where {alive} order by 1, 2")
            assert scenario.lake_rows(table) == [
                tuple(value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value for value in row)
                for row in rows
            ], table


def compare_all(scenario: Scenario) -> dict:
    """A run to which it is time to compare all rows."""
    before, scenario.options = scenario.options, {**scenario.options, "reconcileHours": 0}
    try:
        return scenario.ingest()
    finally:
        scenario.options = before


def application(scenario: Scenario) -> pg8000.native.Connection:
    """A session of somebody else than the platform."""
    connection = scenario.connect(scenario.source)
    connection.run("set application_name = 'the application'")
    return connection


def test_late_commits_are_not_skipped_and_rows_that_say_they_are_deleted_go(club: Scenario) -> None:
    late = application(club)
    late.run("begin")
    late.run("insert into members values (50, 'late')")
    late.run("update bookings set member = 99 where club = 1")
    club.on_source(
        "insert into members values (10, 'early', '2026-02-01 00:00Z', 1.5, array['x,y', null])",
        "update members set name = 'another' where id = 2",
    )
    # Stamped behind the start of a transaction that is open: for later, and the frontier says so.
    held = club.ingest()["members"]
    assert [row[0] for row in club.lake_rows("members")] == [1, 2, 3, 4, 5]
    # One in two phases: when it began is not known, so nothing is read until it has ended.
    late.run("prepare transaction 'two phases'")
    assert club.ingest()["members"].frontier == held.frontier
    late.run("commit prepared 'two phases'")
    followed = club.ingest()
    assert followed["members"].frontier > held.frontier
    assert (followed["members"].read, followed["bookings"].read) == (3, 3)
    assert_same(club)
    # Rows that say that they are deleted go, and come again when they no longer say so.
    club.on_source(
        "update members set cancelled = true where id in (1, 10)",
        "update members set cancelled = false where id = 6",
        "update bookings set deleted_at = now() where member = 2",
    )
    reports = club.ingest()
    assert (reports["members"].deleted, reports["bookings"].deleted) == (2, 1)
    assert [row[0] for row in club.lake_rows("members")] == [2, 3, 4, 5, 6, 50]
    assert_same(club)
    idle = snapshots(club, ["members", "bookings"])
    frontier = club.ingest()["members"].frontier
    assert snapshots(club, ["members", "bookings"]) == idle
    assert frontier > reports["members"].frontier


def test_comparison_finds_what_no_watermark_tells(club: Scenario) -> None:
    club.on_source(
        "alter table members disable trigger stamp",
        "update members set name = null, fee = 0 where id = 3",
        "insert into members values (7, 'of a restore', null, null, null, null, '2020-01-01')",
        "update members set cancelled = true where id = 4",
        "alter table members enable trigger stamp",
        "delete from members where id = 5",
        "delete from bookings where club = 1 and member = 1",
        "update members set name = 'stamped' where id = 2",
    )
    club.ingest()
    assert [row[1] for row in club.lake_rows("members")] == [
        "member 1", "stamped", "member 3", "member 4", "member 5",
    ]  # fmt: skip
    reports = compare_all(club)
    assert (reports["members"].read, reports["members"].deleted, reports["bookings"].read) == (4, 2, 1)
    assert_same(club)
    club.assert_each_change_logged_once()
    # Keys of rows that are gone are told as the source writes them.
    gone = [row.before for row in club.logged() if row.op == "D"]
    assert {"club": "1", "starts": "2026-05-01 11:00:00+00"} in gone
    # What a rule sets aside is null in the lake, and no difference; what the rule no longer sets aside comes.
    club.on_source("update members set fee = 9500 where id = 1")
    report = club.ingest()["members"]
    assert (report.quarantined, dict(report.violations)) == (1, {"range(fee)": 1})
    assert club.lake_rows("members")[0][3] is None
    same = snapshots(club, ["members", "bookings"])
    compare_all(club)
    assert snapshots(club, ["members", "bookings"]) == same
    del club.options["tables"]["public.members"]["quality"]
    assert compare_all(club)["members"].read == 1
    assert_same(club)


def test_death_at_every_step(club: Scenario) -> None:
    club.on_source(
        "create table late (id int primary key, updated_at timestamptz not null)",
        "create trigger stamp before insert or update on late for each row execute function stamp()",
        "insert into late values (1)",
    )
    club.crawl("late")

    def traffic(number: int) -> None:
        club.on_source(
            f"insert into members values (100 + {number}, 'new')",
            f"insert into late values (100 + {number})",
            f"update members set name = 'step {number}' where id <= 3",
            f"update members set cancelled = true where id = 100 + {number} - 1",
            f"delete from bookings where member = {number}",
        )

    # The others are log mode's too, or leave nothing behind.
    steps = [
        "marks set", "copied public.late", "change log written", "change log published", "published public.members",
    ]  # fmt: skip
    for number, step in enumerate(steps, start=1):
        traffic(number)
        with pytest.raises(Died):
            club.ingest(dying_at(step))
    club.ingest()
    compare_all(club)
    assert_same(club)
    rows = club.on_source("select id from late order by 1")
    assert [row[0] for row in club.lake_rows("late")] == [row[0] for row in rows]
    club.assert_each_change_logged_once()


def test_rivals_and_other_servers_are_refused(club: Scenario) -> None:
    def second_run() -> None:
        with pytest.raises(RivalRunError, match="another run is at work"):
            club.ingest()

    club.ingest(at("activity read", second_run))
    # One that got past the lock: what it read is not appended again.
    club.on_source("insert into members values (30, 'once')")

    def rival() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trackman.watermark_source.lock", lambda *_: None)
            club.ingest()

    with pytest.raises(RivalRunError, match=r"trackman\.bookmark\.backend is"):
        club.ingest(at("change log written", rival))
    assert [row.after["id"] for row in club.logged()] == ["30"]
    log, name = club.change_log, "trackman.server.backend"
    other = log.properties[name].replace('"timeline": 1', '"timeline": 2')
    log.publish("test", {}, {name: other})
    club.on_source("delete from members where id = 1")
    with pytest.raises(LostChangesError, match="resnapshot <environment> backend --all"):
        club.ingest()
    club.ingest(anew=Anew(history=True))
    assert_same(club)
    club.ingest(anew=Anew(tables=frozenset([TableName("public", "bookings")])))
    # A clock that went back: positions go on from where they were.
    log, name = club.change_log, "trackman.bookmark.backend"
    ahead = replace(club.bookmark(log), position=club.bookmark(log).position + 3_600_000_000)
    log.publish("test", {}, {name: ahead.to_json()})
    club.on_source("update members set name = 'behind' where id = 2")
    club.ingest()
    assert_same(club)
    assert club.bookmark(club.change_log).position > ahead.position


def test_source_that_watermark_mode_cannot_use_is_refused(scenario: Scenario) -> None:
    scenario.follows_log = False
    scenario.on_source(
        "create table unstamped (id int primary key, updated_at timestamptz not null default now())",
        "create table nullable (id int primary key, updated_at timestamptz default now())",
        "create table defaulted (id int primary key, created timestamptz not null default now())",
        "create table undefaulted (id int primary key, created timestamptz not null)",
        "create table floating (id float8 primary key, updated_at timestamptz not null)",
        "create table flagged (id int primary key, gone text, created timestamptz not null default now())",
        "insert into defaulted values (1)",
    )
    names = ["unstamped", "nullable", "defaulted", "undefaulted", "floating", "flagged"]
    scenario.crawl(*names)
    by_default = {"watermark": {"column": "created", "setBy": "default"}}
    scenario.options = {
        "tables": {
            "public.defaulted": by_default,
            "public.undefaulted": by_default,
            "public.flagged": {**by_default, "softDelete": "gone"},
        }
    }
    errors = {name: report.error for name, report in scenario.ingest_what_can_be().items()}
    assert errors.pop("defaulted") is None
    for name, part in {
        "unstamped": "no enabled trigger BEFORE INSERT OR UPDATE … FOR EACH ROW sets its watermark updated_at",
        "nullable": "is timestamp with time zone, expected timestamp with time zone not null",
        "undefaulted": "has default none, expected now()",
        "floating": "id of its key is double precision",
        "flagged": "its softDelete gone is text, expected a boolean or a time",
    }.items():
        assert part in errors[name], name

    scenario.on_source("create role blind login password 'x'", "grant select on all tables in schema public to blind")
    scenario.sign_in("blind", "x")
    with pytest.raises(SourceError, match='its owner runs GRANT pg_monitor TO "blind"'):
        scenario.ingest()
