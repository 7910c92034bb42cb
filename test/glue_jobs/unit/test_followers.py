"""What the change log must still have, from what everything that is made from it says of itself."""

import json

from trackman.bookmark import EPOCH, Bookmark, Place, Snapshot, log_begins
from trackman.contract import TableName
from trackman.followers import FollowedTable, followed_tables
from trackman.lake_table import LakeTable
from trackman.marts import MadeFrom, UsedVersion

SHOTS = TableName("public", "shots")


def standing(
    bookmark: Bookmark, property_name: str = "trackman.table", name: TableName = SHOTS, epoch: str = "7"
) -> dict[str, str]:
    definition = LakeTable("backend", name, 1, ("id",), None, 1, (), {})
    return {property_name: definition.to_json(), "trackman.bookmark.backend": bookmark.to_json(), EPOCH: epoch}


def mart(**positions: int) -> dict[str, str]:
    used = {
        name: UsedVersion(snapshot=1, history=1, position=position, epoch=7) for name, position in positions.items()
    }
    return {"trackman.made-from": MadeFrom("a1", used).to_json()}


def followed(lake: dict, marts: dict | None = None, served: dict | None = None) -> FollowedTable:
    return followed_tables(lake.items(), (marts or {}).items(), served or {})["backend", SHOTS]


def test_the_log_is_needed_from_where_the_slowest_is() -> None:
    lake = {
        "shots": standing(Bookmark(90, history=1)),
        "shots_history": standing(Bookmark(80, history=1), "trackman.history"),
        "clubs": standing(Bookmark(5, history=1), name=TableName("public", "clubs")),
        "readings": {"trackman.files": "{}"},
    }
    table = followed(
        lake, {"daily": mart(shots=70, clubs=1), "other": {}}, {"shots": Place(1, 60), "gone": Place(0, 1)}
    )
    assert table.lake_tables == ["shots"]
    assert table.place == Place(1, 60)
    assert table.behind(Place(1, 80)) == ["daily", "dataengineering-db"]
    assert table.behind(Place(2, 0)) == ["daily", "dataengineering-db", "shots", "shots_history"]


def test_a_copy_needs_what_was_in_progress_wherever_it_stands() -> None:
    copied = Bookmark(0, snapshot=Snapshot("5:9:7", lsn=100), history=1)
    assert followed({"shots": standing(copied)}).place == Place(1, 0)


def test_who_follows_a_lost_history_needs_it_whole() -> None:
    lake = {"shots": standing(Bookmark(3, history=2)), "shots_history": standing(Bookmark(90), "trackman.history")}
    assert followed(lake).place == Place(0, 90)


def test_a_history_without_a_version_needs_nothing() -> None:
    lake = {
        "shots": standing(Bookmark(90)),
        "shots_history": standing(Bookmark(0), "trackman.history", epoch="0"),
    }
    assert followed(lake).place == Place(0, 90)


def test_where_the_log_begins_counts_within_its_history() -> None:
    properties = {"trackman.log-begins": json.dumps({"history": 1, "position": "0/50"})}
    assert [log_begins(properties, history) for history in (0, 1, 2)] == [0, 0x50, 0]
    assert log_begins({}, 1) == 0
