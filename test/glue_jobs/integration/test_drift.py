"""Sources that change under the platform's hands: what can be followed is, all else copies a table anew or stops it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
from platform_under_test import Died, Scenario, at, dying_at
from trackman.contract import TableName
from trackman.errors import JobError, LostChangesError
from trackman.ingestion import Anew


def notes(scenario: Scenario, *statements: str) -> None:
    scenario.on_source(
        "create table notes (id int primary key, note text, amount numeric(6, 2))",
        "insert into notes values (1, 'a', 1.5), (2, 'b', null)",
        *statements,
    )
    scenario.publish_tables("notes")
    scenario.migrate()
    scenario.ingest()
    scenario.publish()


def assert_followed(scenario: Scenario, columns: str = "*", table: str = "notes") -> None:
    """The source's columns are in lake and serving as they are there; others may be beside them."""
    rows = scenario.on_source(f"select {columns} from {table} order by 1, 2")
    lake = scenario.spark.table(scenario.lake_table(table).spark_name)
    names = lake.columns if columns == "*" else columns.split(", ")
    assert sorted((tuple(row) for row in lake.select(*names).collect()), key=lambda row: row[:2]) == [
        tuple(row) for row in rows
    ], table
    assert scenario.on_serving(f"select {columns} from app.{table} order by 1, 2") == rows, table


@dataclass(frozen=True)
class Drift:
    statements: tuple[str, ...]
    reason: str | None
    """Why the table is copied anew; None when the log tells enough."""
    columns: str = "*"


DRIFTS = {
    "column added": Drift(
        ("alter table notes add column weight int", "update notes set weight = 7 where id = 1"), None
    ),
    "column added with a default": Drift(
        ("alter table notes add column weight int not null default 7", "insert into notes values (3, 'c', 1)"),
        "older rows may hold a value in weight",
    ),
    "column dropped": Drift(
        ("alter table notes drop column amount", "insert into notes values (3, 'c')"), None, "id, note"
    ),
    "column renamed": Drift(
        ("alter table notes rename amount to price", "insert into notes values (3, 'c', 1)"),
        "older rows may hold a value in price",
        "id, note, price",
    ),
    "column dropped and added": Drift(
        ("alter table notes drop column amount", "alter table notes add column amount numeric(6, 2)"),
        "amount was dropped and added again",
        "id, note, amount",
    ),
    "text made shorter": Drift(("alter table notes alter note type varchar(5)",), "was truncated or written anew"),
    "type widened": Drift(
        ("alter table notes alter id type bigint", "insert into notes values (5000000000, 'c', 1)"),
        "was truncated or written anew; id was integer, now bigint",
    ),
    "digits added": Drift(
        ("alter table notes alter amount type numeric(12, 2)", "insert into notes values (3, 'c', 1234567890.12)"),
        "amount was numeric(6,2), now numeric(12,2)",
    ),
    "values written anew": Drift(
        ("alter table notes alter amount type numeric(6, 2) using amount * 2",), "was truncated or written anew"
    ),
    "key changed": Drift(
        (
            "alter table notes drop constraint notes_pkey",
            "alter table notes add primary key (note, id)",
            "insert into notes values (2, 'other', 1)",
        ),
        "its key was id, now note, id",
    ),
    "dropped and created": Drift(
        (
            "drop table notes",
            "create table notes (id int primary key, note text, amount numeric(6, 2))",
            "insert into notes values (7, 'another', 1)",
            "alter publication trackman add table notes",
        ),
        "was dropped and created again",
    ),
    "truncated": Drift(("truncate notes", "insert into notes values (9, 'z', 1)"), "was truncated or written anew"),
}


def test_drift_is_followed_without_anyone_acting(scenario: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    tables = {f"{kind.replace(' ', '_')}_notes": drift for kind, drift in DRIFTS.items()}
    for table in tables:
        scenario.on_source(
            f"create table {table} (id int primary key, note text not null, amount numeric(6, 2))",
            f"insert into {table} values (1, 'a', 1.5), (2, 'b', null)",
        )
    scenario.publish_tables(*tables)
    scenario.migrate()
    scenario.ingest()
    scenario.publish()
    capsys.readouterr()

    for table, drift in tables.items():
        scenario.on_source(*(re.sub(r"\bnotes", table, statement) for statement in drift.statements))
    scenario.ingest()
    copied = dict(re.findall(r"public\.(\w+): (.*), copying it", capsys.readouterr().out))
    expected = {table: drift.reason for table, drift in tables.items() if drift.reason}
    assert copied.keys() == expected.keys()
    assert [table for table, reason in expected.items() if not copied[table].startswith(reason)] == []
    scenario.publish()
    for table, drift in tables.items():
        assert_followed(scenario, drift.columns, table)

    # They are tables like any other again.
    for table in tables:
        scenario.on_source(f"update {table} set note = 'later' where id <> 2", f"delete from {table} where id = 2")
    scenario.ingest()
    scenario.publish()
    for table, drift in tables.items():
        assert_followed(scenario, drift.columns, table)
    assert "copying it" not in capsys.readouterr().out


def test_partitions_that_come_and_go_with_their_rows(scenario: Scenario) -> None:
    months = {1: "('2026-01-01') to ('2026-02-01')", 2: "('2026-02-01') to ('2026-03-01')"}
    partitions = [
        f"create table events_{month} partition of events for values from {bounds}" for month, bounds in months.items()
    ]
    scenario.on_source(
        "create table events (id int, at date, primary key (id, at)) partition by range (at)",
        *partitions,
        "insert into events values (1, '2026-01-05'), (2, '2026-02-05')",
    )
    scenario.publish_tables("events")
    scenario.ingest()
    scenario.on_source(
        "create table events_3 (id int, at date, primary key (id, at))",
        "insert into events_3 values (3, '2026-03-05')",
        "alter table events attach partition events_3 for values from ('2026-03-01') to ('2026-04-01')",
        "alter table events detach partition events_1",
    )
    scenario.ingest()
    assert scenario.lake_rows("events") == [(2, date(2026, 2, 5)), (3, date(2026, 3, 5))]

    scenario.on_source(
        "create table events_4 partition of events for values from ('2026-04-01') to ('2026-05-01')",
    )
    assert scenario.ingest()["events"].read == 0  # empty as it came, it was not copied
    scenario.on_source("insert into events values (4, '2026-04-05')")
    scenario.ingest()
    scenario.assert_lake_equals_source("events")


def test_incompatible_type_stops_its_table_until_somebody_asks(scenario: Scenario) -> None:
    notes(scenario)
    scenario.on_source("create table others (id int primary key)", "alter publication trackman add table others")
    scenario.crawl("others")
    scenario.ingest()
    before = scenario.lake_rows("notes")
    scenario.on_source(
        "alter table notes alter note type int using id * 10", "insert into notes values (3, 30, 1)",
        "insert into others values (1)",
    )  # fmt: skip
    for _ in range(2):
        error = scenario.ingest_what_can_be()["notes"].error
        assert error == (
            "public.notes: note was text, now integer; its changes wait in the change log: when the new type is "
            "wanted, run `trackman source resnapshot <environment> backend public.notes`"
        )
    assert scenario.lake_rows("notes") == before
    scenario.assert_lake_equals_source("others")
    assert [row.after["note"] for row in scenario.logged() if row.table_name == "notes"] == ["30"]

    scenario.ingest(anew=Anew(tables=frozenset([TableName("public", "notes")])))
    scenario.publish()
    assert scenario.spark.table(scenario.lake_table("notes").spark_name).schema["note"].dataType.typeName() == "integer"
    assert_followed(scenario, "id, note, amount")


def test_contract_that_becomes_stricter_takes_personal_data_out(scenario: Scenario) -> None:
    notes(scenario)
    scenario.options = {"tables": {"public.notes": {"pii": {"note": "drop", "amount": "hash"}}}}
    scenario.ingest()
    scenario.publish()
    table = scenario.spark.table(scenario.lake_table("notes").spark_name)
    assert table.columns == ["id", "amount"]
    assert [len(row.amount or "") for row in table.orderBy("id").collect()] == [64, 0]
    [[note, amount], _] = scenario.on_serving("select note, amount from app.notes order by id")
    assert (note, len(amount)) == (None, 64)


def test_copy_that_was_asked_for_puts_the_table_right(scenario: Scenario) -> None:
    notes(scenario)
    lake = scenario.lake_table("notes").spark_name
    scenario.spark.sql(f"delete from {lake} where id = 1")
    scenario.spark.sql(f"insert into {lake} values (99, 'was never there', null)")
    scenario.on_source("insert into notes values (3, 'c', 1)")
    asked = Anew(tables=frozenset([TableName("public", "notes")]))
    for step in ("copies written", "copied public.notes"):
        with pytest.raises(Died):
            scenario.ingest(dying_at(step), asked)
    scenario.ingest(anew=asked)
    scenario.publish()
    assert_followed(scenario)


def test_history_that_was_lost_is_told_and_followed_anew(scenario: Scenario) -> None:
    notes(scenario)
    scenario.on_source(
        "delete from notes where id = 1",
        f"select pg_drop_replication_slot('{scenario.name}')",
        "insert into notes values (4, 'unseen', 1)",
    )
    with pytest.raises(LostChangesError, match=r"is gone.*trackman source resnapshot <environment> backend --all"):
        scenario.ingest()
    for step in ("slot ready", "copies written", "change log published"):
        with pytest.raises(Died):
            scenario.ingest(dying_at(step), Anew(history=True))
        scenario.on_source(f"insert into notes select max(id) + 1, '{step}', 2 from notes")
    scenario.ingest()
    scenario.publish()
    assert_followed(scenario)
    scenario.on_source("update notes set note = 'after'")
    scenario.ingest()
    scenario.publish()
    assert_followed(scenario)
    assert {row.history for row in scenario.logged()} >= {3}


def test_positions_of_a_lost_history_are_not_taken_for_those_of_the_next(scenario: Scenario) -> None:
    """As after a restore, when the source's log begins again before where it was, with the same transaction ids."""
    notes(scenario)
    scenario.on_source("update notes set note = 'of the past'")
    scenario.ingest()
    scenario.on_source("update notes set note = 'of the present'")
    scenario.ingest(anew=Anew(history=True))
    log, lake = scenario.change_log, scenario.lake_table("notes")
    bookmark = scenario.bookmark(lake)
    assert bookmark.history == 1
    behind = scenario.spark.table(log.spark_name).where("history = 0").count()
    assert behind > 0
    # The copy's bookmark begins before everything; only what is of its own history follows it.
    scenario.ingest()
    scenario.publish()
    assert_followed(scenario)


def test_table_too_large_for_the_run_is_copied_by_itself(scenario: Scenario) -> None:
    scenario.options = {"inlineSnapshotBytes": 1 << 20}
    scenario.on_source(
        "create table large (id int primary key, label text)",
        "insert into large select i, repeat('x', 100) from generate_series(1, 20000) i",
        "create table small (id int primary key)",
        "insert into small values (1)",
    )
    scenario.publish_tables("large", "small")

    def by_itself(checkpoint: Callable[[str], None]) -> None:
        assert scenario.copy_by_itself(TableName("public", "large"), checkpoint).error is None

    with pytest.raises(JobError, match="is not followed yet"):
        by_itself(lambda _name: None)
    reports = scenario.ingest()
    assert scenario.handed_over == [TableName("public", "large")]
    assert reports["large"].waiting == "is new, too large for this run: is copied by itself"
    scenario.assert_lake_equals_source("small")
    scenario.on_source("update large set label = 'before' where id <= 10")

    def meanwhile() -> None:
        scenario.on_source("update large set label = 'while' where id <= 5", "insert into small values (2)")
        scenario.ingest()
        scenario.assert_lake_equals_source("small")

    by_itself(at("copies written", meanwhile))
    scenario.on_source("delete from large where id = 20000")
    scenario.ingest()
    scenario.assert_lake_equals_source("large", "small")

    # A copy of a table that is followed meanwhile.
    scenario.handed_over.clear()
    scenario.ingest(anew=Anew(tables=frozenset([TableName("public", "large")])))
    assert scenario.handed_over == [TableName("public", "large")]
    by_itself(at("copies written", meanwhile_followed(scenario)))
    scenario.ingest()
    scenario.assert_lake_equals_source("large", "small")
    scenario.assert_each_change_logged_once()


def meanwhile_followed(scenario: Scenario) -> Callable[[], None]:
    def act() -> None:
        scenario.on_source("update large set label = 'followed' where id <= 7")
        assert scenario.ingest()["large"].updated == 7

    return act


def test_lost_race_with_upkeep_is_run_again(scenario: Scenario) -> None:
    notes(scenario)
    scenario.on_source("update notes set amount = 3 where id = 1")

    races = iter([True])

    def upkeep() -> None:
        if next(races, False):
            scenario.lake_table("notes").java.newAppend().commit()

    assert scenario.ingest(at("branch written public.notes", upkeep))["notes"].updated == 1
    scenario.publish()
    assert_followed(scenario)
    assert scenario.lake_rows("notes")[0] == (1, "a", Decimal("3.00"))
