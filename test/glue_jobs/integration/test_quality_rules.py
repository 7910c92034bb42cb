"""Rules on quality over a source that breaks them: in copies, in changes, and once somebody mended it."""

from decimal import Decimal

import pytest
from platform_under_test import Scenario
from pyspark.sql import functions as F
from test_files import Feed, feed, lines
from trackman.contract import TableName
from trackman.errors import JobError
from trackman.ingestion import Anew

__all__ = ["feed"]  # a fixture
LARGE = "x" * 10_000


def rule(kind: str, action: str, column: str | None = None, **values: object) -> dict:
    return {"rule": kind, "action": action, **({"column": column} if column else {}), **values}


SHOTS = [
    rule("range", "quarantine", "speed", min=1, max=110),
    rule("allowed", "warn", "club", values=["driver", "iron"]),
    rule("notNull", "quarantine", "club"),
    rule("reference", "quarantine", "bay", table="public.bays", to="id"),
    rule("rowCount", "warn", maxLoss=0.5),
]
BOOKINGS = [rule("range", "fail", "price", min=0), rule("reference", "fail", "bay", table="public.bays", to="id")]


def table_rules(shots: list[dict] | None = None, bookings: list[dict] | None = None) -> dict:
    return {
        "rejectLimit": 4,
        "tables": {
            "public.shots": {"quality": shots or SHOTS},
            "public.bookings": {"quality": bookings or BOOKINGS},
        },
    }


def quarantined(scenario: Scenario) -> set[tuple]:
    table = scenario.spark.table(scenario.catalog.find(scenario.raw_database, "quarantine").spark_name)
    rows = table.select("table_name", F.to_json("key"), "column_name", "value", "reason").collect()
    return {tuple(row) for row in rows}


def told(row: int, column: str, value: str | None, reason: str) -> tuple:
    return "shots", f'{{"id":"{row}"}}', column, value, reason


SPEED, CLUB = "range(speed): expected 1 to 110", "notNull(club): expected a value"
BAY = "reference(bay): expected a value of public.bays.id"


def test_rules_over_copies_changes_and_what_was_mended(scenario: Scenario) -> None:
    # `bookings` and `shots` come before `zones`, which nothing refers to, and refer to what comes with the same run.
    scenario.on_source(
        "create table bays (id bigint primary key, label text)",
        "create table bookings (id int primary key, bay int, price numeric(6, 2))",
        "create table shots (id int primary key, speed numeric(5, 2), club text, bay int, raw text)",
        "alter table shots alter raw set storage external",
        "insert into bays values (1, 'a'), (2, 'b')",
        "insert into bookings values (1, 1, 10), (2, null, null)",
        f"""insert into shots values (1, 70, 'driver', 1, '{LARGE}'), (2, 300, 'spoon', 2, null),
             (3, 50, null, 9, null), (4, 1, 'iron', null, null)""",
    )
    scenario.publish_tables("shots", "bookings", "bays")
    scenario.options = table_rules()

    reports = scenario.ingest()
    assert reports["shots"].violations == {
        "range(speed)": 1, "allowed(club)": 1, "notNull(club)": 1, "reference(bay)": 1, "rowCount": 0,
    }  # fmt: skip
    assert (reports["shots"].read, reports["shots"].quarantined) == (4, 2)
    assert reports["bookings"].violations == {"range(price)": 0, "reference(bay)": 0}
    assert [row[:4] for row in scenario.lake_rows("shots")] == [
        (1, Decimal(70), "driver", 1),
        (2, None, "spoon", 2),
        (3, Decimal(50), None, None),
        (4, Decimal(1), "iron", None),
    ]
    found = {told(2, "speed", "300.00", SPEED), told(3, "club", None, CLUB), told(3, "bay", "9", BAY)}
    assert quarantined(scenario) == found

    # By the log too: a parent that comes with the run is there, whichever was first. Of a row that changed, all values
    # that were sent are judged again; what is gone is not.
    scenario.on_source(
        "update shots set speed = 0.99 where id = 1",
        "update shots set speed = 110 where id = 2",
        "insert into shots values (5, 60, 'driver', 3, 'new'), (6, 60, 'driver', 8, 'new'), (7, 999, 'none', 8, 'new')",
        "delete from shots where id = 7",
        "insert into bookings values (3, 3, 0), (4, 8, -1)",
        "insert into bays values (3, 'c')",
    )
    before = scenario.lake_rows("bookings")
    reports = scenario.ingest_what_can_be()
    assert reports["shots"].violations == {
        "range(speed)": 1, "allowed(club)": 1, "notNull(club)": 0, "reference(bay)": 1, "rowCount": 0,
    }  # fmt: skip
    assert (reports["shots"].error, reports["shots"].quarantined) == (None, 2)
    assert scenario.lake_rows("shots")[0] == (1, None, "driver", 1, LARGE)
    assert [row[1:4] for row in scenario.lake_rows("shots")[4:]] == [(60, "driver", 3), (60, "driver", None)]
    found |= {told(1, "speed", "0.99", SPEED), told(6, "bay", "8", BAY)}
    assert quarantined(scenario) == found

    # `fail` stops its table alone, and holds nothing back once the source is mended.
    assert reports["bookings"].error.startswith(
        "public.bookings: 1 rows are against range(price), expected at least 0, such as id = 4, 1 rows are against "
        "reference(bay), expected a value of public.bays.id, such as id = 4: nothing of it is published until"
    )
    assert scenario.lake_rows("bookings") == before
    scenario.on_source("update bookings set price = 1 where id = 4", "insert into bays values (8, 'd')")
    # What was set aside comes back with a copy, when the rule is another or the source has what it lacked.
    others = [rule("range", "quarantine", "speed", max=400), *SHOTS[3:]]
    scenario.options = table_rules(shots=others)
    scenario.on_source("insert into bays values (9, 'e')")
    report = scenario.ingest(anew=Anew(tables=frozenset([TableName("public", "shots")])))["shots"]
    assert report.violations == {"range(speed)": 0, "reference(bay)": 0, "rowCount": 0}
    scenario.assert_lake_equals_source("bookings", "bays", "shots")

    # Many of them stop the table, by the same limit as values without a place.
    scenario.on_source("insert into shots select 10 + i, 999, 'driver', 1 from generate_series(1, 5) i")
    error = scenario.ingest_what_can_be()["shots"].error
    assert "5 rows have values that the lake has no place for, 5 by range(speed), at most 4 are set aside" in error

    # What refers to a table that stopped is not judged by that, and goes on.
    scenario.on_source(
        "delete from shots where id > 2",
        "alter table bays alter label type int using 1",
        "insert into bays values (77, 1)",
        "update shots set bay = 77 where id = 1",
    )
    reports = scenario.ingest_what_can_be()
    assert "label was text, now integer" in reports["bays"].error
    assert reports["shots"].error is None
    assert reports["shots"].violations == {"range(speed)": 0, "rowCount": 1}  # 2 rows of 6
    assert reports["shots"].unjudged == ("reference(bay): public.bays is not where this run ends",)
    scenario.assert_lake_equals_source("shots")


def test_copy_that_is_against_a_rule_leaves_the_table_as_it_was(scenario: Scenario) -> None:
    scenario.on_source(
        "create table bays (id int primary key)",
        "create table shots (id int primary key, bay int, owner text)",
        "insert into bays select generate_series(1, 10)",
        "insert into shots select i, i, 'Ann' from generate_series(1, 10) i",
    )
    scenario.publish_tables("shots", "bays")
    rules = [rule("reference", "fail", "bay", table="public.bays", to="id"), rule("rowCount", "fail", maxLoss=0.2)]
    scenario.options = {"tables": {"public.shots": {"pii": {"owner": "hash"}, "quality": rules}}}
    scenario.ingest()
    before = scenario.lake_rows("shots")
    asked = Anew(tables=frozenset([TableName("public", "shots")]))

    scenario.on_source("truncate shots", "insert into shots select i, i, 'Ann' from generate_series(1, 7) i")
    error = scenario.ingest_what_can_be(anew=asked)["shots"].error
    assert error.startswith("public.shots: would have 7 rows after 10, expected a loss of at most 20% (rowCount)")
    scenario.on_source("insert into shots values (8, 77, 'Ann')")
    error = scenario.ingest_what_can_be()["shots"].error
    assert error.startswith(
        "public.shots: 1 rows are against reference(bay), expected a value of public.bays.id, such as id = 8:"
    )
    assert scenario.lake_rows("shots") == before
    scenario.on_source("update shots set bay = 8 where id = 8")
    assert scenario.ingest()["shots"].violations == {"reference(bay)": 0, "rowCount": 0}
    assert len(scenario.lake_rows("shots")) == 8


def test_rules_over_files(feed: Feed) -> None:
    feed.options = {
        "badRowShare": 0.5,
        "quality": [
            rule("range", "quarantine", "speed", min=0, max=100),
            rule("allowed", "warn", "bay", values=[1, 2]),
            rule("rowCount", "quarantine", min=2),
        ],
    }
    at = "2026-11-24T09:00:00Z"
    feed.put("a.json", lines(*({"bay": bay, "at": at, "speed": speed} for bay, speed in [(1, 70), (3, 100), (2, 101)])))
    feed.put("b.json", lines({"bay": 1, "at": at, "speed": 7}))
    report = feed.ingest_what_can_be()
    assert report.violations == {"range(speed)": 1, "allowed(bay)": 1, "rowCount": 1}
    assert (report.rows, report.bad_rows) == (2, 1)
    assert feed.rows("bay", "speed") == [(1, 70.0), (3, 100.0)]
    assert feed.reasons() == {
        "a.json": "row 3: range(speed): expected 0 to 100",
        "b.json": "rowCount: 1 rows, expected at least 2",
    }

    feed.options = {"quality": [rule("range", "fail", "speed", max=100)]}
    feed.put("c.json", lines({"bay": 1, "at": at, "speed": 8}, {"bay": 1, "at": at, "speed": 900}))
    with pytest.raises(JobError, match=r"c\.json: row 2 is against range\(speed\), expected at most 100: readings has"):
        feed.ingest_what_can_be()
    assert len(feed.rows("bay")) == 2
    feed.delete("c.json")
    # What another rule had set aside is read again.
    feed.ingest()
    assert feed.rows("bay", "speed") == [(1, 7.0), (1, 70.0), (3, 100.0)]
