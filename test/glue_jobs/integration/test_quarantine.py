"""Values that the lake has no place for: set aside and told, or, when they are many, a reason to stop their table."""

from datetime import datetime
from decimal import Decimal

import pytest
from platform_under_test import Died, Scenario, dying_at
from pyspark.sql import functions as F
from trackman.contract import TableName
from trackman.ingestion import Anew

LARGE = "x" * 10_000


def moments(scenario: Scenario) -> None:
    scenario.on_source(
        "create table moments (id int primary key, at timestamptz, amount numeric(6, 2), free numeric, large text)",
        "alter table moments alter large set storage external",
        f"""insert into moments values
             (1, '2026-01-01 00:00Z', 1.5, 1, '{LARGE}'), (2, 'infinity', 'NaN', 2, null),
             (3, null, null, null, null)""",
    )
    scenario.publish_tables("moments")


def quarantined(scenario: Scenario) -> list[tuple]:
    table = scenario.spark.table(scenario.catalog.find(scenario.raw_database, "quarantine").spark_name)
    rows = table.select("table_name", F.to_json("key"), "column_name", "value", "reason").collect()
    return sorted(tuple(row) for row in rows)


def test_value_without_a_place_is_null_in_the_lake_and_told_in_the_quarantine(scenario: Scenario) -> None:
    moments(scenario)
    report = scenario.ingest()["moments"]
    assert (report.read, report.quarantined) == (3, 1)
    assert scenario.lake_rows("moments")[1] == (2, None, None, Decimal("2.000000000"), None)
    found = [
        ("moments", '{"id":"2"}', "amount", "NaN", "has no place in decimal128(6, 2)"),
        ("moments", '{"id":"2"}', "at", "infinity", "has no place in timestamp[us]"),
    ]
    assert quarantined(scenario) == found

    # By the log too. The large value, which does not come with the change, stays; all else of the row moves on.
    scenario.on_source(
        "update moments set at = '-infinity', amount = 7 where id = 1",
        "insert into moments values (4, null, null, 12345678901234567890123456789012345.5, 'new')",
        "insert into moments values (5, 'infinity', null, null, 'gone before it was seen')",
        "delete from moments where id = 5",
    )
    report = scenario.ingest()["moments"]
    assert (report.read, report.quarantined) == (4, 2)
    assert scenario.lake_rows("moments")[0] == (1, None, Decimal("7.00"), Decimal("1.000000000"), LARGE)
    assert scenario.lake_rows("moments")[3] == (4, None, None, None, "new")
    free = "12345678901234567890123456789012345.5"
    found += [
        ("moments", '{"id":"1"}', "at", "-infinity", "has no place in timestamp[us]"),
        ("moments", '{"id":"4"}', "free", free, "has no place in decimal128(38, 9)"),
    ]
    assert quarantined(scenario) == sorted(found)

    # What is mended at the source needs nobody.
    scenario.on_source("update moments set at = '2026-01-02 00:00Z' where id in (1, 2)")
    scenario.ingest()
    assert [row[1] for row in scenario.lake_rows("moments")[:2]] == [datetime(2026, 1, 2)] * 2


def test_fix_of_the_contract_is_replayed_by_a_copy(scenario: Scenario) -> None:
    scenario.on_source(
        "create table sums (id int primary key, total numeric)",
        "insert into sums values (1, 12345678901234567890123456789012345.5)",
    )
    scenario.publish_tables("sums")
    assert scenario.ingest()["sums"].quarantined == 1
    scenario.options = {"tables": {"public.sums": {"decimals": {"total": [38, 1]}}}}
    error = scenario.ingest_what_can_be()["sums"].error
    assert "run `trackman source resnapshot <environment> backend public.sums`" in error
    scenario.ingest(anew=Anew(tables=frozenset([TableName("public", "sums")])))
    scenario.assert_lake_equals_source("sums")


def test_death_behind_the_quarantine_records_nothing_twice(scenario: Scenario) -> None:
    moments(scenario)
    for step in ("copies written", "copied public.moments"):
        with pytest.raises(Died):
            scenario.ingest(dying_at(step))
    scenario.ingest()
    assert len(quarantined(scenario)) == 2
    scenario.on_source("update moments set at = '-infinity' where id = 3")
    for _ in range(2):
        with pytest.raises(Died):
            scenario.ingest(dying_at("branch written public.moments"))
    with pytest.raises(Died):
        scenario.ingest(dying_at("quarantined public.moments"))
    scenario.ingest()
    assert len(quarantined(scenario)) == 3


def test_more_than_an_exception_stops_the_table_until_it_is_mended(scenario: Scenario) -> None:
    moments(scenario)
    scenario.ingest()
    before = scenario.lake_rows("moments")
    scenario.on_source("insert into moments select i, 'infinity' from generate_series(10, 13) i")
    error = scenario.ingest_what_can_be()["moments"].error
    assert error.startswith(
        "public.moments: 4 rows have values that the lake has no place for, at most 3 are set aside"
    )
    assert scenario.lake_rows("moments") == before
    assert len(quarantined(scenario)) == 2
    scenario.on_source("update moments set at = null where id = 13")
    assert scenario.ingest()["moments"].quarantined == 3


def test_key_that_the_lake_cannot_hold_stops_its_table(scenario: Scenario) -> None:
    scenario.on_source(
        "create table days (day date primary key)", "insert into days values ('2026-01-01'), ('infinity')"
    )
    scenario.publish_tables("days")
    error = scenario.ingest_what_can_be()["days"].error
    assert error == 'public.days.day, row day = infinity: "infinity" has no place in date32[day]'
