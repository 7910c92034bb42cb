"""The lake's definition of a table, and what a change of the source's does to it."""

from dataclasses import replace

import pyarrow as pa
import pytest
from trackman.column_types import PostgresType
from trackman.contract import TableName, TableOptions
from trackman.errors import TableError
from trackman.lake_table import LakeTable, added_columns, describe
from trackman.source_tables import SourceColumn, SourceTable

INTEGER = PostgresType("int4", -1, False, "integer", True)
TEXT = PostgresType("text", -1, False, "text", True)


def column(name: str, number: int, column_type: PostgresType = TEXT, **properties: bool) -> SourceColumn:
    flags = {"has_default": False, "is_generated": False, **properties}
    return SourceColumn(name, number, column_type, "textout", None, **flags)


PLAYERS = SourceTable(
    TableName("public", "players"), 16400, "who plays", False, "d", ("id",), True,
    (column("id", 1, INTEGER), column("name", 2), column("email", 3)),
)  # fmt: skip
OPTIONS = TableOptions(pii={"name": "hash", "email": "drop"})


def with_column(added: SourceColumn) -> SourceTable:
    return replace(PLAYERS, columns=(*PLAYERS.columns, added))


def test_definition_survives_its_property() -> None:
    table = describe("backend", PLAYERS, OPTIONS)
    assert LakeTable.from_json(table.to_json()) == table
    assert [(c.name, c.hashed, c.iceberg[1]) for c in table.columns] == [("id", False, "int"), ("name", True, "string")]


def test_value_without_a_place_is_named_with_its_row() -> None:
    table = describe("backend", PLAYERS, OPTIONS)
    with pytest.raises(TableError, match=r'public\.players\.id, row id = 1x: "1x" has no place in int32'):
        table.convert(table.columns[0], pa.array(["7", "1x"]), pa.int32(), [pa.array(["7", "1x"])])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TableOptions(pii={"id": "drop"}), "the contract drops id, which is part of the key"),
        (TableOptions(pii={"nick": "hash"}), "the contract's pii names nick, which is no column of it"),
    ],
)
def test_contract_that_does_not_fit_is_refused(options: TableOptions, message: str) -> None:
    with pytest.raises(TableError, match=message):
        describe("backend", PLAYERS, options)


def test_generated_column_has_to_be_left_out() -> None:
    table = with_column(column("initials", 4, is_generated=True))
    with pytest.raises(TableError, match=r"players\.initials: is a generated column"):
        describe("backend", table, OPTIONS)
    describe("backend", table, TableOptions(pii={"initials": "drop"}))


def test_new_column_without_default_is_added() -> None:
    stored = describe("backend", PLAYERS, OPTIONS)
    assert [c.name for c in added_columns(stored, with_column(column("handicap", 4, INTEGER)), OPTIONS)] == ["handicap"]
    assert added_columns(stored, PLAYERS, OPTIONS) == []


def test_dropped_column_stays() -> None:
    stored = describe("backend", PLAYERS, TableOptions())
    assert added_columns(stored, replace(PLAYERS, columns=PLAYERS.columns[:2]), TableOptions()) == []


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (replace(PLAYERS, oid=16500), OPTIONS, "was dropped and created again"),
        (replace(PLAYERS, key=("name",)), OPTIONS, "its key was id, now name"),
        (with_column(column("level", 4, has_default=True)), OPTIONS, r"players\.level: was renamed, or added"),
        (PLAYERS, TableOptions(pii={"name": "hash"}), r"players\.email: was renamed, or added with a default or by"),
        (
            PLAYERS,
            TableOptions(pii={"email": "drop"}),
            r"players\.name: was text, hashed .*, now text \(column number 2\)",
        ),
        (
            replace(PLAYERS, columns=(column("id", 1, TEXT), *PLAYERS.columns[1:])),
            OPTIONS,
            r"players\.id: was integer .*, now text .*its changes wait in the change log",
        ),
        (
            replace(PLAYERS, columns=(PLAYERS.columns[0], column("name", 5), PLAYERS.columns[2])),
            OPTIONS,
            r"players\.name: was text, hashed \(column number 2\), now text, hashed \(column number 5\)",
        ),
    ],
)
def test_change_that_older_rows_do_not_have_is_refused(table: SourceTable, options: TableOptions, message: str) -> None:
    with pytest.raises(TableError, match=message):
        added_columns(describe("backend", PLAYERS, OPTIONS), table, options)
