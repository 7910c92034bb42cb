"""Up to which time rows can be read, and what is read as rows of the change log."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from contracts import WATERMARK_CONTRACT
from trackman.contract import Retention, TableName, Watermark, WatermarkContract, load_contracts
from trackman.errors import ContractError
from trackman.watermark_reading import Stamp, change_rows
from trackman.watermarks import Activity, Watermarks, from_microseconds, to_microseconds

CLOCK = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MEMBERS, BOOKINGS = TableName("public", "members"), TableName("public", "bookings")


@pytest.mark.parametrize(
    ("oldest", "prepared", "bound"),
    [
        (None, (), CLOCK - SECOND),
        (CLOCK - 60 * SECOND, (), CLOCK - 61 * SECOND),
        (CLOCK + SECOND, (), CLOCK - SECOND),  # it began while the clock was read
        (None, ("two phases",), None),
    ],
)
def test_bound_is_before_all_that_may_still_commit(
    oldest: datetime | None, prepared: tuple[str, ...], bound: datetime | None
) -> None:
    assert Activity(CLOCK, oldest, prepared).bound(SECOND) == bound


def test_marks_move_on_and_never_back() -> None:
    marks = Watermarks().begun([MEMBERS, BOOKINGS], CLOCK, CLOCK)
    later = marks.moved(MEMBERS, CLOCK + SECOND, None)
    assert later[MEMBERS].read_to == CLOCK + SECOND
    assert later[MEMBERS].reconciled_at == CLOCK
    assert later.moved(MEMBERS, CLOCK, CLOCK + SECOND)[MEMBERS].read_to == CLOCK + SECOND
    assert later.moved(MEMBERS, None, None)[MEMBERS] == later[MEMBERS]
    assert later.read_to([MEMBERS, BOOKINGS]) == CLOCK
    assert marks[MEMBERS].read_to == CLOCK
    restored = Watermarks.from_json(later.to_json())
    assert [restored[name] for name in (MEMBERS, BOOKINGS)] == [later[name] for name in (MEMBERS, BOOKINGS)]


def test_positions_are_microseconds() -> None:
    time = datetime(2026, 5, 1, 12, 0, 0, 123457, tzinfo=UTC)
    assert from_microseconds(to_microseconds(time)) == time
    assert to_microseconds(datetime.fromtimestamp(0, UTC) + SECOND) == 1_000_000


def test_rows_become_upserts_and_deletes() -> None:
    text_map = pa.map_(pa.string(), pa.string())
    types = {
        "source": pa.string(), "schema_name": pa.string(), "table_name": pa.string(), "op": pa.string(),
        "history": pa.int32(), "commit_lsn": pa.int64(), "ordinal": pa.int64(), "xid": pa.int64(),
        "committed_at": pa.timestamp("us"), "before": text_map, "after": text_map, "run_id": pa.string(),
    }  # fmt: skip
    stamp = Stamp("clubs", MEMBERS, 2, 77, CLOCK, "jr_1")
    columns = {"id": pa.array(["1", "2", "3"]), "name": pa.array(["Ann", None, "Cy"])}
    rows = change_rows(pa.array([False, True, False]), columns, ["id"], stamp, 5, pa.schema(list(types.items())))
    assert [(row["op"], row["ordinal"], row["before"], row["after"]) for row in rows.to_pylist()] == [
        ("U", 5, None, [("id", "1"), ("name", "Ann")]),
        ("D", 6, [("id", "2")], None),
        ("U", 7, None, [("id", "3"), ("name", "Cy")]),
    ]
    assert rows.to_pylist()[0] | {"op": 0, "ordinal": 0, "before": 0, "after": 0} == {
        "source": "clubs", "schema_name": "public", "table_name": "members", "op": 0, "history": 2, "commit_lsn": 77,
        "ordinal": 0, "xid": 77, "committed_at": CLOCK.replace(tzinfo=None), "before": 0, "after": 0, "run_id": "jr_1",
    }  # fmt: skip


def test_contract_of_watermarks() -> None:
    options = {"public.bookings": {"watermark": {"column": "made", "setBy": "default"}, "softDelete": "deleted_at"}}
    serving = {"include": ["public.*"], "exclude": [], "indexes": {"public.bookings": [["made"]]}}
    [contract] = load_contracts(json.dumps([{**WATERMARK_CONTRACT, "tables": options, "serving": serving}]))
    assert isinstance(contract, WatermarkContract)
    assert contract.watermark_of(MEMBERS) == Watermark("updated_at", "trigger")
    assert contract.watermark_of(BOOKINGS) == Watermark("made", "default")
    assert contract.options(BOOKINGS).soft_delete == "deleted_at"
    assert contract.indexes == {BOOKINGS: (("made",),)}
    assert contract.retention == Retention(timedelta(days=30), timedelta(days=60))
    assert contract.reconcile_every == timedelta(days=1)
    wrong = {**WATERMARK_CONTRACT, "watermark": {"column": "c", "setBy": "application"}}
    with pytest.raises(ContractError, match='setBy is "application", expected one of trigger, default'):
        load_contracts(json.dumps([wrong]))
    reference = {"rule": "reference", "column": "member", "table": "public.members", "to": "id", "action": "warn"}
    wrong = {**WATERMARK_CONTRACT, "tables": {"public.bookings": {"quality": [reference]}}}
    with pytest.raises(ContractError, match=r"rules reference of public\.bookings: expected none in watermark mode"):
        load_contracts(json.dumps([wrong]))
