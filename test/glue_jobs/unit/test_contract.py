"""Contracts as the jobs read them."""

import json
from typing import Any

import pytest
from trackman.contract import Contract, FilesContract, TableName, load_contracts
from trackman.errors import ContractError


def load(values: dict[str, Any]) -> Contract:
    [contract] = load_contracts(json.dumps([values]))
    return contract


def test_tables_are_selected_by_patterns(contract_values: dict) -> None:
    contract = load({**contract_values, "include": ["public.*", "sales.orders"], "exclude": ["public.tmp_*"]})
    selected = [
        TableName("public", "shots"),
        TableName("public", "tmp_1"),
        TableName("sales", "orders"),
        TableName("sales", "x"),
    ]
    assert [name in contract.selection for name in selected] == [True, False, True, False]
    assert contract.serves(TableName("public", "shots"))
    assert not contract.serves(TableName("public", "internal_audit"))
    assert not contract.serves(TableName("public", "tmp_1"))


def test_lake_names(contract_values: dict) -> None:
    contract = load({**contract_values, "tables": {"public.shots": {"lakeTable": "strokes"}}})
    names = [TableName("public", "bays"), TableName("sales", "orders"), TableName("public", "shots")]
    assert [contract.lake_table(name) for name in names] == ["bays", "sales_orders", "strokes"]


def test_table_options(contract_values: dict) -> None:
    options = {"pii": {"name": "hash", "email": "drop"}, "partitionBy": ["month(at)"], "decimals": {"price": [12, 4]}}
    contract = load({**contract_values, "tables": {"public.players": options}})
    players = contract.options(TableName("public", "players"))
    assert players.columns_with("hash") == {"name"}
    assert players.partition_by == ("month(at)",)
    assert players.decimals == {"price": (12, 4)}
    assert contract.options(TableName("public", "others")).pii == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "trigger"}, r'contract backend: mode is "trigger", expected one of log, watermark, files'),
        ({"slot": None}, r"contract backend: slot is None, expected a value of type str"),
        ({"walBytesPerStep": "1"}, r"contract backend: walBytesPerStep is '1', expected a value of type int"),
        ({"connection": {}}, r"contract backend\.connection: glueConnection is None"),
        ({"surprise": 1}, r"contract backend: surprise is not known"),
        ({"tables": {"shots": {}}}, r'table "shots" is not of the form schema\.table'),
        (
            {"tables": {"public.players": {"pii": {"email": "mask"}}}},
            r'contract backend\.tables\.public\.players: pii of email is "mask", expected one of keep, hash, drop',
        ),
    ],
)
def test_what_is_wrong_is_named(contract_values: dict, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        load({**contract_values, **change})


def test_contracts_are_told_by_their_kind(contract_values: dict, files_contract_values: dict) -> None:
    text = json.dumps([files_contract_values, contract_values])
    assert [contract.source for contract in load_contracts(text)] == ["backend"]
    assert [contract.source for contract in load_contracts(text, FilesContract)] == ["telemetry"]


def test_a_feeds_columns(files_contract_values: dict) -> None:
    [feed] = load_contracts(json.dumps([files_contract_values]), FilesContract)
    assert [(column.name, column.nullable, column.pii) for column in feed.columns] == [
        ("bay", False, "keep"),
        ("name", True, "hash"),
        ("phone", True, "drop"),
    ]
    assert [column.name for column in feed.kept] == ["bay", "name"]
    assert feed.hashes


def test_indexes(contract_values: dict, files_contract_values: dict) -> None:
    serving = {"include": ["public.*"], "exclude": [], "indexes": {"public.shots": [["club", "carry"], ["hit_at"]]}}
    [contract] = load_contracts(json.dumps([{**contract_values, "serving": serving}]))
    assert contract.indexes == {TableName("public", "shots"): (("club", "carry"), ("hit_at",))}
    served = {**files_contract_values, "key": ["bay"], "serving": {"indexes": [["name"]]}}
    feeds = load_contracts(json.dumps([files_contract_values, served]), FilesContract)
    assert [(feed.serves, feed.indexes) for feed in feeds] == [(False, ()), (True, (("name",),))]


def test_what_decides_whether_a_file_is_taken_has_a_fingerprint(files_contract_values: dict) -> None:
    def fingerprint(**changes: Any) -> str:
        [feed] = load_contracts(json.dumps([{**files_contract_values, **changes}]), FilesContract)
        return feed.fingerprint

    assert fingerprint() == fingerprint(bytesPerCommit=1 << 25)
    columns = files_contract_values["columns"]
    assert (
        len({fingerprint(), fingerprint(badRowShare=0.1), fingerprint(columns={**columns, "x": {"type": "int"}})}) == 3
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serving": True}, r"contract telemetry: serving is True, expected false or an object"),
        ({"serving": {}}, r"contract telemetry: serving needs a key, by which rows take the place of earlier ones"),
        ({"serving": {"views": []}, "key": ["bay"]}, r"contract telemetry\.serving: views is not known"),
        ({"columns": {"bay": {}}}, r"contract telemetry\.columns\.bay: type is None, expected a value of type str"),
        (
            {"columns": {"bay": {"type": "int", "pii": "mask"}}},
            r'columns\.bay: pii is "mask", expected one of keep, hash',
        ),
        ({"columns": {"bay": {"type": "int", "unit": "m"}}}, r"contract telemetry\.columns\.bay: unit is not known"),
        ({"badRowShare": "1%"}, r"contract telemetry: badRowShare is '1%', expected a value of type int | float"),
        ({"slot": "s"}, r"contract telemetry: slot is not known"),
    ],
)
def test_what_is_wrong_with_a_feed_is_named(files_contract_values: dict, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        load({**files_contract_values, **change})
