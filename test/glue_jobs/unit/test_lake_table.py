"""The lake's definition of a table, and what a change of the source's does to it."""

from dataclasses import replace

import pyarrow as pa
import pytest
from trackman.column_types import PostgresType
from trackman.contract import TableName, TableOptions
from trackman.errors import TableError
from trackman.lake_table import Drift, LakeTable, Rejected, compare, describe
from trackman.source_tables import Leaf, SourceColumn, SourceTable

INTEGER = PostgresType("int4", -1, False, "integer", True)
BIGINT = PostgresType("int8", -1, False, "bigint", True)
TEXT = PostgresType("text", -1, False, "text", True)


def column(name: str, number: int, column_type: PostgresType = TEXT, **properties: bool) -> SourceColumn:
    flags = {"has_default": False, "is_generated": False, **properties}
    return SourceColumn(name, number, column_type, "textout", None, **flags)


PLAYERS = SourceTable(
    TableName("public", "players"), 16400, "who plays", False, "d", ("id",), True,
    (column("id", 1, INTEGER), column("name", 2), column("email", 3)), (Leaf(16400, 1, 8192),),
)  # fmt: skip
OPTIONS = TableOptions(pii={"name": "hash", "email": "drop"})


def with_column(added: SourceColumn) -> SourceTable:
    return replace(PLAYERS, columns=(*PLAYERS.columns, added))


def test_definition_survives_its_property() -> None:
    table = describe("backend", PLAYERS, OPTIONS)
    assert LakeTable.from_json(table.to_json()) == table
    assert [(c.name, c.hashed, c.iceberg[1]) for c in table.columns] == [("id", False, "int"), ("name", True, "string")]


SCHEMA = pa.schema([("id", pa.int32()), ("level", pa.int32()), ("name", pa.string())])
LEVELS = replace(PLAYERS, columns=(PLAYERS.columns[0], column("level", 2, INTEGER)))


def levels(*texts: str | None) -> dict[str, pa.Array]:
    return {"id": pa.array([str(row) for row in range(len(texts))]), "level": pa.array(texts)}


def test_value_without_a_place_is_named_with_its_row() -> None:
    table = describe("backend", LEVELS, TableOptions())
    with pytest.raises(TableError, match=r'public\.players\.level, row id = 1: "1x" has no place in int32'):
        table.convert(levels("7", "1x"), SCHEMA)


def test_values_without_a_place_are_null_and_told() -> None:
    table = describe("backend", LEVELS, TableOptions())
    converted, rejected = table.convert_or_reject(levels("7", "1x", None, "y"), SCHEMA, 2)
    assert converted["level"].to_pylist() == [7, None, None, None]
    assert rejected == {
        1: [Rejected("level", "1x", "has no place in int32")],
        3: [Rejected("level", "y", "has no place in int32")],
    }
    with pytest.raises(TableError, match="row id = 3"):
        table.convert_or_reject(levels("7", "1x", None, "y"), SCHEMA, 1)


def test_key_is_never_left_out() -> None:
    table = describe("backend", LEVELS, TableOptions())
    with pytest.raises(TableError, match=r'public\.players\.id, row id = 1x: "1x" has no place in int32'):
        table.convert_or_reject({"id": pa.array(["1x"])}, SCHEMA, 100)


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


def test_generated_columns_are_left_out() -> None:
    table = with_column(column("initials", 4, is_generated=True))
    assert describe("backend", table, OPTIONS).columns == describe("backend", PLAYERS, OPTIONS).columns


def drift(table: SourceTable, options: TableOptions = OPTIONS, before: TableOptions = OPTIONS) -> Drift:
    return compare(describe("backend", PLAYERS, before), table, options)


def test_same_table_has_not_drifted() -> None:
    stored = describe("backend", PLAYERS, OPTIONS)
    assert drift(PLAYERS) == Drift((), (), (), stored)
    assert drift(PLAYERS).followed(stored) == stored


def test_new_column_without_default_is_added() -> None:
    stored = describe("backend", PLAYERS, OPTIONS)
    found = drift(with_column(column("handicap", 4, INTEGER)))
    assert [c.name for c in found.added] == ["handicap"]
    assert not found.copy_reasons
    assert [c.name for c in found.followed(stored).columns] == ["id", "name", "handicap"]


def test_dropped_column_stays() -> None:
    stored = describe("backend", PLAYERS, TableOptions())
    found = drift(replace(PLAYERS, columns=PLAYERS.columns[:2]), TableOptions(), TableOptions())
    assert not found.copy_reasons
    assert found.followed(stored).columns == stored.columns


def test_longer_text_is_followed_without_a_copy() -> None:
    longer = column("email", 3, PostgresType("varchar", 300, False, "character varying(296)", True))
    found = drift(replace(PLAYERS, columns=(*PLAYERS.columns[:2], longer)), TableOptions(), TableOptions())
    assert not found.copy_reasons
    assert not found.incompatible
    stored = describe("backend", PLAYERS, TableOptions())
    assert found.followed(stored).column("email").type.name == "varchar"


PARTITIONED = replace(PLAYERS, is_partitioned=True, leaves=(Leaf(7, 7, 8192), Leaf(8, 8, 0)))


@pytest.mark.parametrize(
    ("leaves", "reasons"),
    [
        ((*PARTITIONED.leaves, Leaf(9, 9, 0)), ()),
        ((*PARTITIONED.leaves, Leaf(9, 9, 8192)), ("partitions came with rows or went",)),
        (PARTITIONED.leaves[:1], ("partitions came with rows or went",)),
        ((Leaf(7, 17, 0), Leaf(8, 8, 0)), ("was truncated or written anew",)),
    ],
    ids=["an empty one came", "one came with rows", "one went", "one was written anew"],
)
def test_partitions(leaves: tuple[Leaf, ...], reasons: tuple[str, ...]) -> None:
    stored = describe("backend", PARTITIONED, OPTIONS)
    found = compare(stored, replace(PARTITIONED, leaves=leaves), OPTIONS)
    assert found.copy_reasons == reasons
    assert found.followed(stored).leaves == {leaf.oid: leaf.file for leaf in leaves}


@pytest.mark.parametrize(
    ("table", "options", "reason"),
    [
        (replace(PLAYERS, oid=16500), OPTIONS, "was dropped and created again"),
        (replace(PLAYERS, key=("name",)), OPTIONS, "its key was id, now name"),
        (replace(PLAYERS, leaves=(Leaf(16400, 2, 0),)), OPTIONS, "was truncated or written anew"),
        (with_column(column("level", 4, has_default=True)), OPTIONS, "older rows may hold a value in level"),
        (PLAYERS, TableOptions(pii={"name": "hash"}), "older rows may hold a value in email"),
        (PLAYERS, TableOptions(pii={"email": "drop"}), "name is no longer hashed by the contract"),
        (PLAYERS, TableOptions(pii={"name": "drop", "email": "drop"}), "name is no longer kept by the contract"),
        (
            replace(PLAYERS, columns=(PLAYERS.columns[0], column("name", 5), PLAYERS.columns[2])),
            OPTIONS,
            "name was dropped and added again",
        ),
        (
            replace(PLAYERS, columns=(column("id", 1, BIGINT), *PLAYERS.columns[1:])),
            OPTIONS,
            "id was integer, now bigint",
        ),
    ],
)
def test_what_the_log_does_not_tell_is_a_reason_for_a_copy(
    table: SourceTable, options: TableOptions, reason: str
) -> None:
    found = drift(table, options)
    assert [text for text in found.copy_reasons if text.startswith(reason)] != []
    assert not found.incompatible


def test_type_that_the_lake_cannot_widen_to_is_incompatible() -> None:
    found = drift(replace(PLAYERS, columns=(column("id", 1, TEXT), *PLAYERS.columns[1:])))
    assert found.incompatible == ("id was integer, now text",)
