"""The fold of a table's changes to one a row. Cases are in the source's order; a key is its column k."""

import pytest
from pyspark.sql import SparkSession
from trackman.current import fold, follow_moves

Change = tuple[str, dict | None, dict | None]


def insert(**after: str | None) -> Change:
    return "I", None, after


def update(key: str | None = None, **after: str | None) -> Change:
    """`key` is the one before, when it is sent."""
    return "U", {"k": key} if key else None, after


def delete(key: str) -> Change:
    return "D", {"k": key}, None


def life(origin: str | None, deleted: bool = False, **sent: str | None) -> tuple:
    return origin, deleted, sent


CASES = {
    "insert takes the place of what may be there": ([insert(k="1", a="x", b=None)], [life("1", k="1", a="x", b=None)]),
    "insert and delete leave nothing": (
        [insert(k="1", a="x", b="y"), delete("1")],
        [life("1", True, k="1", a="x", b="y")],
    ),
    "last value of each column, unchanged ones kept": (
        [update(k="1", a="x"), update(k="1", b=None), update(k="1", a="y")],
        [life("1", k="1", a="y", b=None)],
    ),
    "a large value that was never sent is not touched": ([update(k="1", a="x")], [life("1", k="1", a="x")]),
    "delete": ([update(k="1", a="x", b="y"), delete("1")], [life("1", True, k="1", a="x", b="y")]),
    "delete and insert at one key are two rows": (
        [delete("1"), insert(k="1", a="new", b=None)],
        [life(None, k="1", a="new", b=None), life("1", True)],
    ),
    "a row that comes and goes between": (
        [delete("1"), insert(k="1", a="x", b=None), delete("1"), insert(k="1", a="y", b=None)],
        [life(None, True, k="1", a="x", b=None), life(None, k="1", a="y", b=None), life("1", True)],
    ),
    "a changed key keeps what was not sent": ([update("1", k="2", a="x")], [life("1", k="2", a="x")]),
    "a chain of keys with values on the way": (
        [update(k="1", b="large"), update("1", k="2", a="x"), update("2", k="3", a="y"), update(k="3", a="z")],
        [life("1", k="3", a="z", b="large")],
    ),
    "inserted, then moved": (
        [insert(k="1", a="x", b="large"), update("1", k="2", a="y")],
        [life("1", k="2", a="y", b="large")],
    ),
    "moved, then deleted": ([update("1", k="2", a="x"), delete("2")], [life("1", True, k="2", a="x")]),
    "two rows change keys": (
        [update("1", k="0", a="one"), update("2", k="1", a="two"), update("0", k="2", a="one")],
        [life("1", k="2", a="one"), life("2", k="1", a="two")],
    ),
    "a key is taken over after a delete": (
        [delete("2"), update("1", k="2", a="x")],
        [life("1", k="2", a="x"), life("2", True)],
    ),
    "away and back again": ([update("1", k="2", a="x"), update("2", k="1", a="y")], [life("1", k="1", a="y")]),
    "away, and another comes": (
        [update("1", k="2", a="x"), insert(k="1", a="new", b=None)],
        [life(None, k="1", a="new", b=None), life("1", k="2", a="x")],
    ),
    "the old key is sent though it is the same": ([update("1", k="1", a="x")], [life("1", k="1", a="x")]),
}


@pytest.mark.parametrize("case", CASES)
def test_fold(spark: SparkSession, case: str) -> None:
    changes, expected = CASES[case]
    rows = [(place // 2, place % 2, None, *change) for place, change in enumerate(changes)]
    text_map = "map<string,string>"
    places = "commit_lsn long, ordinal long, committed_at timestamp_ntz"
    schema = f"{places}, op string, before {text_map}, after {text_map}"
    lives = fold(spark.createDataFrame(rows, schema), ["k"], ["k", "a", "b"], may_move=True).collect()
    found = [
        life(
            row.origin and row.origin.k,
            row.deleted,
            **{column: row["values"][column] for column in ("k", "a", "b") if row.sent[column]},
        )
        for row in lives
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_follow_moves() -> None:
    moves = [("a", "b"), ("b", "c"), ("x", "y"), ("c", "d")]
    assert follow_moves(moves) == {"b": "a", "c": "a", "d": "a", "y": "x"}
    long_way = [(n, n + 1) for n in range(5000)]
    assert set(follow_moves(long_way[::-1]).values()) == {0}
