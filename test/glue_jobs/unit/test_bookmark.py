"""Bookmarks as properties of tables."""

from datetime import UTC, datetime, timedelta, timezone

from trackman.bookmark import Bookmark, Snapshot, format_time
from trackman.lsn import format_lsn, parse_lsn


def test_positions_are_written_as_postgres_does() -> None:
    assert parse_lsn("16/B374D848") == (0x16 << 32) + 0xB374D848
    assert format_lsn(parse_lsn("16/B374D848")) == "16/B374D848"
    assert format_lsn(0) == "0/0"


def test_bookmark_survives_its_property() -> None:
    bookmark = Bookmark(0x1_0000_0001, 7, "2026-01-01T00:00:00.000000Z", Snapshot("5:9:6,7", 0x2_0000_0000))
    assert Bookmark.from_json(bookmark.to_json()) == bookmark
    assert Bookmark.from_json(Bookmark(5).to_json()) == Bookmark(5)


def test_snapshot_is_kept_until_the_log_is_past_it() -> None:
    bookmark = Bookmark(0, snapshot=Snapshot("5:9:", 100))
    assert bookmark.moved_to(Bookmark(99)).snapshot == bookmark.snapshot
    assert bookmark.moved_to(Bookmark(100, 7, "t")) == Bookmark(100, 7, "t")


def test_times_are_in_utc() -> None:
    assert (
        format_time(datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-29T01:30:00.000000Z"
    )
    assert format_time(datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000001Z"
