"""Tables and views of dataengineering-db on a real server: what the application reads stays, whatever comes behind."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import migrate
import pg8000.exceptions
import pg8000.native
import pytest
from platform_under_test import Scenario
from trackman import serving_layout
from trackman.errors import TableError
from trackman.served import ServedColumn, ServedTable
from trackman.serving_layout import follow_definition, follow_indexes

COLUMNS = (
    ServedColumn("id", "integer", None),
    ServedColumn("club", "text", "as the player says"),
    ServedColumn("carry", "numeric(6,2)", "metres"),
)


def table(columns: Sequence[ServedColumn] = COLUMNS, **values: Any) -> ServedTable:
    served = ServedTable(
        "shots", "backend", "one of each", ("id",), tuple(columns), (), None, 0, None, 0, 0, "2026-03-01T12:00:00Z"
    )
    return replace(served, **values)


@pytest.fixture
def loader(scenario: Scenario) -> pg8000.native.Connection:
    """Of a database in which the table is served and holds a row."""
    scenario.migrate()
    connection = scenario.connect(replace(scenario.serving, user=migrate.LOADER, password="loader's"))
    follow_definition(connection, table(), is_whole=True)
    connection.run("insert into base.shots values (1, 'driver', 200.5)")
    return connection


def rights(scenario: Scenario) -> list[list]:
    return scenario.on_serving(
        "select g.* from pg_class c, aclexplode(c.relacl) g where c.oid = 'app.shots'::regclass"
        " union all"
        " select g.* from pg_attribute a, aclexplode(a.attacl) g where a.attrelid = 'app.shots'::regclass order by 2, 3"
    )


def comments(scenario: Scenario) -> list:
    return scenario.on_serving(
        "select obj_description(v.oid), array(select col_description(v.oid, attnum) from pg_attribute"
        " where attrelid = v.oid and attnum > 0 order by attnum) from (select 'app.shots'::regclass as oid) v"
    )[0]


def indexes(scenario: Scenario) -> list[str]:
    """By their columns, in order; but for the key's."""
    rows = scenario.on_serving(
        "select substring(indexdef from '\\((.*)\\)') from pg_indexes where tablename = 'shots'"
        " and indexname <> 'shots_pkey' order by 1"
    )
    return [columns for [columns] in rows]


def test_view_gets_columns_at_its_end_and_loses_none(scenario: Scenario, loader: pg8000.native.Connection) -> None:
    scenario.on_serving("create view public.drives as select club, carry from app.shots")
    before = rights(scenario)
    follow_definition(loader, table([ServedColumn("spin", "integer", None), *COLUMNS]), is_whole=False)
    loader.run("update base.shots set spin = 2700")
    assert scenario.on_serving("select * from app.shots") == [[1, "driver", carry(scenario), 2700]]

    # Without the column, as another copy of the table has it: its values go, it stays.
    gone = follow_definition(loader, table([ServedColumn("spin", "integer", None), *COLUMNS[:2]]), is_whole=True)
    assert gone == ["carry"]
    loader.run("insert into base.shots (id, club) values (2, 'putter')")
    assert scenario.on_serving("select id, club, carry, spin from app.shots") == [[2, "putter", None, None]]
    assert scenario.on_serving("select * from public.drives") == [["putter", None]]
    assert rights(scenario) == before


def carry(scenario: Scenario) -> Any:
    return scenario.on_serving("select 200.50::numeric(6, 2)")[0][0]


def test_grants_survive_another_type(scenario: Scenario, loader: pg8000.native.Connection) -> None:
    scenario.on_serving("revoke select on app.shots from application")
    for right in ("select on app.shots to reader with grant option", "select (id, club) on app.shots to public"):
        loader.run(f"grant {right}")
    before = rights(scenario)
    wider = table([*COLUMNS[:2], ServedColumn("carry", "numeric(8,2)", "metres")])
    for is_whole in (False, True):
        follow_definition(loader, wider, is_whole)
        assert rights(scenario) == before
        assert comments(scenario) == ["one of each", [None, "as the player says", "metres"]]
        wider = table([*COLUMNS[:2], ServedColumn("carry", "text", "metres")])
    types = scenario.on_serving(
        "select format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'app.shots'::regclass and attname = 'carry'"
    )
    assert types == [["text"]]


def test_what_stands_upon_a_view_is_named_and_left(scenario: Scenario, loader: pg8000.native.Connection) -> None:
    scenario.on_serving("create view public.drives as select club, carry from app.shots")
    loader.run("begin")
    with pytest.raises(TableError, match=r"app\.shots: carry is now text, .*view public\.drives depends on view"):
        follow_definition(loader, table([*COLUMNS[:2], ServedColumn("carry", "text", None)]), is_whole=True)
    loader.run("rollback")
    assert scenario.on_serving("select count(*) from public.drives") == [[1]]


def test_comments_follow(scenario: Scenario, loader: pg8000.native.Connection) -> None:
    assert comments(scenario) == ["one of each", [None, "as the player says", "metres"]]
    changed = [ServedColumn("id", "integer", "it's a \\ number"), ServedColumn("club", "text", None), COLUMNS[2]]
    follow_definition(loader, table(changed, comment=None), is_whole=False)
    assert comments(scenario) == [None, ["it's a \\ number", None, "metres"]]


def test_indexes_follow_the_contract_and_others_are_left(scenario: Scenario, loader: pg8000.native.Connection) -> None:
    loader.run("create index on base.shots (club)")

    def follow(*wanted: tuple[str, ...]) -> list[str]:
        loader.run("begin")
        problems = follow_indexes(loader, table(indexes=wanted))
        loader.run("commit")
        return problems

    assert follow(("club", "carry"), ("carry",)) == []
    assert indexes(scenario) == ["carry", "club", "club, carry"]
    assert follow(("carry", "speed"), ("carry",), ("carry", "club")) == [
        'shots: index (carry, speed): column "speed" does not exist'
    ]
    assert indexes(scenario) == ["carry", "carry, club", "club"]
    assert follow() == []
    assert indexes(scenario) == ["club"]


def test_index_names_are_short_and_tell_columns_apart() -> None:
    names = {serving_layout._index_name("t" * 63, columns) for columns in (["a", "b"], ["a_b"], ["a"])}
    assert {len(name) for name in names} == {63}
    assert len(names) == 3


def test_application_and_people_read_views_and_nothing_behind_them(
    scenario: Scenario, loader: pg8000.native.Connection
) -> None:
    follow_definition(loader, table(name="bays"), is_whole=True)
    assert scenario.on_serving(
        "select role, has_table_privilege(role, 'app.bays', 'select'), has_schema_privilege(role, 'base', 'usage'),"
        " has_table_privilege(role, 'base.bays', 'select') from unnest(array['application', 'reader']) role"
    ) == [["application", True, False, False], ["reader", True, False, False]]
    application = scenario.connect(replace(scenario.serving, user=migrate.APPLICATION, password="application's"))
    assert application.run("select carry from app.shots") == [[carry(scenario)]]
    for statement in ("update app.shots set club = ''", "select * from base.shots"):
        with pytest.raises(pg8000.exceptions.DatabaseError, match="permission denied"):
            application.run(statement)
