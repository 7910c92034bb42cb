"""Rows of the change log from the recorded stream."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from trackman.change_log import epoch_restorer
from trackman.changes import COLUMNS, ChangeFormat
from trackman.column_types import arrow_schema, iceberg_schema
from trackman.contract import load_contracts
from trackman.pgoutput import Parser
from trackman.pii import hash_texts

RECORDING = Path(__file__).parent / "recordings" / "traffic.arrow"
PEPPER = bytes(range(32))


@pytest.fixture(scope="module")
def change_format(contract_values: dict) -> ChangeFormat:
    tables = {"public.toasted": {"pii": {"large": "hash"}}, "public.everything": {"pii": {"label": "drop"}}}
    values = {**contract_values, "exclude": ["public.wide"], "tables": tables}
    [contract] = load_contracts(json.dumps([values]))
    return ChangeFormat(contract, PEPPER, "jr_1", 0, arrow_schema(iceberg_schema(COLUMNS)), epoch_restorer(1 << 32))


@pytest.fixture(scope="module")
def rows(change_format: ChangeFormat) -> list[dict]:
    """All rows in the source's order, maps as dicts."""
    messages = feather.read_table(RECORDING)["data"].combine_chunks()
    tables = [table for _, table in change_format.tables(Parser().parse(messages))]
    rows = [row for table in tables for row in table.to_pylist()]
    for row in rows:
        row["before"], row["after"] = (image and dict(image) for image in (row["before"], row["after"]))
    return sorted(rows, key=lambda row: (row["commit_lsn"], row["ordinal"], row["table_name"]))


def of(rows: list[dict], table: str) -> list[dict]:
    return [row for row in rows if row["table_name"] == table]


def test_row_of_the_log(rows: list[dict]) -> None:
    first = rows[0]
    assert first.pop("commit_lsn") > 0
    assert isinstance(first.pop("committed_at"), datetime)
    assert first.pop("xid") >> 32 in (0, 1)
    assert first == {
        "source": "backend",
        "schema_name": "public",
        "table_name": "everything",
        "op": "I",
        "history": 0,
        "ordinal": 0,
        "before": None,
        "after": {"id": "1", "amount": "1.37", "at": "2026-01-01 00:00:00+00", "flag": "f"},
        "run_id": "jr_1",
    }


def test_unchanged_values_are_absent_and_old_keys_present(rows: list[dict]) -> None:
    toasted = of(rows, "toasted")
    assert [row["op"] for row in toasted] == ["I"] * 5 + ["U"] * 8
    assert toasted[5]["after"] == {"id": "1", "n": "2"}
    moved = toasted[-1]
    assert (moved["before"], moved["after"]) == ({"id": "1"}, {"id": "100", "n": "3"})


def test_whole_old_rows_are_kept(rows: list[dict]) -> None:
    updated = of(rows, "whole")[2]
    assert updated["before"] == {"id": "1", "part": "a", "note": None}
    assert updated["after"] == {"id": "1", "part": "a", "note": "changed"}


def test_truncate_is_a_row_of_each_table(rows: list[dict]) -> None:
    truncates = [row for row in rows if row["op"] == "T"]
    assert [(row["table_name"], row["ordinal"]) for row in truncates] == [("indexed", 4), ("whole", 4)]
    assert [row["before"] or row["after"] for row in truncates] == [None, None]


def test_columns_follow_the_tables_definition(rows: list[dict]) -> None:
    everything = of(rows, "everything")
    assert set(everything[-3]["after"]) == {"id", "amount", "at", "flag", "added"}
    assert set(everything[-2]["after"]) == {"id", "amount", "at", "added"}


def test_personal_data_is_hashed_or_absent(rows: list[dict]) -> None:
    large = of(rows, "toasted")[0]["after"]["large"]
    assert large == hash_texts(pa.array(["é" * 3000]), PEPPER)[0].as_py()
    assert all("label" not in (row["after"] or {}) for row in of(rows, "everything"))


def test_excluded_tables_are_not_logged(rows: list[dict]) -> None:
    assert of(rows, "wide") == []


@pytest.mark.parametrize(
    ("near", "xid", "full"),
    [
        (1000, 999, 999),
        (1000, 1005, 1005),
        ((5 << 32) + 3, 0xFFFFFFFE, (4 << 32) + 0xFFFFFFFE),
        ((5 << 32) + 0xFFFFFFFE, 4, (6 << 32) + 4),
    ],
)
def test_transaction_ids_get_the_nearest_epoch(near: int, xid: int, full: int) -> None:
    assert epoch_restorer(near)(np.array([xid])).tolist() == [full]
