"""Histories: the table as it was at any moment since its first copy."""

from datetime import UTC, datetime

import pytest
from platform_under_test import Died, Recorder, Scenario, at, dying_at
from trackman.contract import TableName
from trackman.ingestion import Anew

LARGE = "x" * 10_000


class Witness:
    """Remembers what the source's table was at moments at which nothing was under way."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._seen: list[tuple[datetime, list[tuple]]] = []

    def look(self) -> None:
        [[moment]] = self._scenario.on_source("select clock_timestamp()")
        rows = self._scenario.on_source("select * from players order by id")
        self._seen.append((moment.astimezone(UTC).replace(tzinfo=None), [tuple(row) for row in rows]))

    def confirm(self) -> None:
        """The history says of each moment what was seen, and overlaps nowhere."""
        columns = self._scenario.spark.table(self._scenario.lake_table("players").spark_name).columns
        history = self._scenario.spark.table(self._scenario.lake_table("players_history").spark_name).collect()
        for moment, rows in self._seen:
            held = [
                tuple(row[name] for name in columns)
                for row in history
                if row.valid_from <= moment and (row.valid_to is None or row.valid_to > moment)
            ]
            width = len(rows[0]) if rows else 0
            assert sorted((row[:width] for row in held), key=lambda row: row[0]) == rows, moment
        now = [tuple(row[name] for name in columns) for row in history if row.valid_to is None]
        assert sorted(now, key=lambda row: row[0]) == self._scenario.lake_rows("players")


def players(scenario: Scenario) -> Witness:
    scenario.on_source(
        "create table players (id int primary key, name text, handicap numeric(4, 1), notes text)",
        "alter table players alter notes set storage external",
        f"insert into players select i, 'player ' || i, i, '{LARGE}' from generate_series(1, 6) i",
    )
    scenario.publish_tables("players")
    scenario.options = {"tables": {"public.players": {"history": True}}}
    scenario.ingest()
    witness = Witness(scenario)
    witness.look()
    return witness


ROUNDS = [
    ("update players set handicap = 20 where id = 1", "insert into players values (7, 'new', null, null)"),
    ("update players set handicap = 21 where id = 1", "update players set handicap = 22 where id = 1"),
    ("delete from players where id = 2", "update players set notes = 'short' where id = 3"),
    ("update players set id = 40, name = 'moved' where id = 4", "insert into players values (4, 'another', 1, null)"),
    ("insert into players values (8, 'short-lived', 1, null)",),
    ("delete from players where id = 8", "update players set handicap = null where id in (1, 40)"),
    ("insert into players values (8, 'back', 2, null)", "update players set name = 'player 1, renamed' where id = 1"),
    (
        "begin",
        "update players set handicap = 1 where id = 5",
        "update players set handicap = 2 where id = 5",
        "insert into players values (9, 'never seen', 1, null)",
        "delete from players where id = 9",
        "commit",
    ),
]


def test_every_moment_since_the_first_copy(scenario: Scenario) -> None:
    witness = players(scenario)
    for number, statements in enumerate(ROUNDS):
        connection = scenario.connect(scenario.source)
        for statement in statements:
            connection.run(statement)
        witness.look()
        if number in (0, 4, 6):
            scenario.ingest()
    scenario.ingest()
    witness.confirm()
    before = scenario.lake_table("players_history").snapshot_id
    scenario.ingest()
    assert scenario.lake_table("players_history").snapshot_id == before
    assert (
        scenario.lake_table("players_history").properties["trackman.frontier"]
        == (scenario.lake_table("players").properties["trackman.frontier"])
    )


def test_death_at_its_steps(scenario: Scenario) -> None:
    witness = players(scenario)
    scenario.on_source("update players set handicap = 30 where id = 1")
    steps = Recorder()
    scenario.ingest(steps)
    own = [name for name in steps.names if name.startswith("history")]
    assert own == ["history written public.players", "history published public.players"]
    for number, step in enumerate(own):
        scenario.on_source(
            f"update players set handicap = {number} where id <= 3", f"delete from players where id = {4 + number}"
        )
        witness.look()
        with pytest.raises(Died):
            scenario.ingest(dying_at(step))
        scenario.on_source(f"update players set handicap = 10 + {number} where id = 1")
        witness.look()
        scenario.ingest()
        witness.confirm()


def test_rival_that_was_faster_is_not_overwritten(scenario: Scenario) -> None:
    witness = players(scenario)
    scenario.on_source("update players set handicap = 30 where id = 1")
    before = scenario.lake_table("players_history").properties["trackman.bookmark.backend"]
    rivals = before.replace('"xid": ', '"xid": 1')

    def rival() -> None:
        scenario.lake_table("players_history").publish("rival", {}, {"trackman.bookmark.backend": rivals})

    reports = scenario.ingest_what_can_be(at("history written public.players", rival))
    assert "trackman.bookmark.backend is" in reports["players (history)"].error
    assert scenario.lake_table("players_history").properties["trackman.bookmark.backend"] == rivals
    witness.look()
    scenario.lake_table("players_history").publish("test", {}, {"trackman.bookmark.backend": before})
    scenario.ingest()
    witness.confirm()


def test_what_a_copy_puts_right_is_a_change_at_that_moment(scenario: Scenario) -> None:
    witness = players(scenario)
    scenario.on_source("update players set handicap = 30 where id = 1")
    witness.look()
    scenario.on_source(
        "alter table players add column level int not null default 3",
        "delete from players where id = 2",
    )
    scenario.ingest()
    scenario.on_source("truncate players", "insert into players values (1, 'again', 1, null, 4)")
    scenario.ingest()
    witness.look()
    scenario.on_source(f"select pg_drop_replication_slot('{scenario.name}')", "update players set level = 5")
    scenario.ingest(anew=Anew(history=True))
    witness.look()
    scenario.on_source("update players set level = 6")
    scenario.ingest()
    witness.look()
    witness.confirm()


def test_history_begins_when_the_contract_asks_for_it(scenario: Scenario) -> None:
    scenario.on_source("create table players (id int primary key, name text)", "insert into players values (1, 'a')")
    scenario.publish_tables("players")
    scenario.ingest()
    assert scenario.lake_table("players_history") is None
    scenario.options = {"tables": {"public.players": {"history": True}}}
    scenario.on_source("update players set name = 'b'")
    scenario.ingest()
    witness = Witness(scenario)
    witness.look()
    scenario.on_source("update players set name = 'c'")
    scenario.ingest(anew=Anew(tables=frozenset([TableName("public", "players")])))
    witness.look()
    witness.confirm()
