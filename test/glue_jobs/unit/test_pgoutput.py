"""The parser against what a real server sent (recordings/), and against a plain parser that goes message by message."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pgoutput_reference import reference
from pyarrow import feather
from trackman.pgoutput import NULL, UNCHANGED, Batch, Cells, Parser, RowChanges

RECORDING = Path(__file__).parent / "recordings" / "traffic.arrow"


@pytest.fixture(scope="module")
def messages() -> pa.BinaryArray:
    return feather.read_table(RECORDING)["data"].combine_chunks()


def said(batches: list[Batch]) -> dict[str, list]:
    """The parser's batches in the form of the reference."""
    return {
        "rows": sorted(row for batch in batches for changes in batch.rows for row in rows_of(changes)),
        "truncates": [
            (t.commit_lsn, t.committed_at, t.xid, t.ordinal, [f"{r.schema}.{r.table}" for r in t.relations])
            for batch in batches
            for t in batch.truncates
        ],
        "messages": [tuple(message) for batch in batches for message in batch.messages],
        "commits": [tuple(commit) for batch in batches for commit in batch.commits],
    }


def rows_of(changes: RowChanges) -> list[tuple]:
    relation = changes.relation
    images: list[dict[str, Any]] = [{} for _ in changes.kind]
    for cells, is_new in ((changes.old, False), (changes.new, True)):
        for place, row in enumerate(cells.rows):
            tag = "N" if is_new else "O" if cells.whole[place] else "K"
            images[row][tag] = values_of(cells, place, [column.name for column in relation.columns])
    return [
        (*map(int, place), f"{relation.schema}.{relation.table}", chr(kind), image)
        for *place, kind, image in zip(
            changes.commit_lsn,
            changes.committed_at,
            changes.xid,
            changes.ordinal,
            changes.kind,
            images,
            strict=True,
        )
    ]


def values_of(cells: Cells, place: int, names: list[str]) -> dict[str, str | None]:
    values = {}
    for column, name in enumerate(names):
        kind = cells.kind[place, column]
        if kind == NULL:
            values[name] = None
        elif kind != UNCHANGED:
            start, end = cells.start[place, column], cells.end[place, column]
            values[name] = cells.buffer[start:end].to_pybytes().decode()
    return values


def test_recording_is_what_the_test_believes(messages: pa.BinaryArray) -> None:
    rows = reference(messages.to_pylist())["rows"]
    assert Counter((table.removeprefix("public."), kind) for *_, table, kind, _ in rows) == {
        ("everything", "I"): 42, ("everything", "U"): 18, ("everything", "D"): 6,
        ("toasted", "I"): 5, ("toasted", "U"): 8,
        ("whole", "I"): 3, ("whole", "U"): 2, ("whole", "D"): 1,
        ("indexed", "I"): 2, ("indexed", "U"): 1, ("indexed", "D"): 1,
        ("wide", "I"): 2, ("wide", "U"): 1,
    }  # fmt: skip
    moved = next(images for *_, table, kind, images in rows if table == "public.toasted" and "K" in images)
    assert moved == {"K": {"id": "1", "large": None, "n": None}, "N": {"id": "100", "n": "3"}}
    assert {len(images["N"]) for *_, table, kind, images in rows if table == "public.wide"} == {70}


def test_whole_stream_at_once(messages: pa.BinaryArray) -> None:
    assert said([Parser().parse(messages)]) == reference(messages.to_pylist())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_stream_in_batches_of_any_size(messages: pa.BinaryArray, size: int) -> None:
    parser = Parser()
    batches = [parser.parse(messages.slice(start, size)) for start in range(0, len(messages), size)]
    assert said(batches) == reference(messages.to_pylist())


def test_ordinals_count_events_and_not_relations(messages: pa.BinaryArray) -> None:
    batch = Parser().parse(messages)
    [truncate] = batch.truncates
    assert (truncate.ordinal, [relation.table for relation in truncate.relations]) == (4, ["whole", "indexed"])
    assert [(message.prefix, message.content) for message in batch.messages] == [("trackman", b"inside")]


def test_message_that_is_not_known_is_refused(messages: pa.BinaryArray) -> None:
    with pytest.raises(ValueError, match="unknown message type b'S'"):
        Parser().parse(pa.array([b"S123"], pa.binary()))


def test_change_outside_a_transaction_is_refused(messages: pa.BinaryArray) -> None:
    with pytest.raises(ValueError, match="outside any transaction"):
        Parser().parse(messages.slice(1))


def test_change_of_an_unknown_relation_is_refused(messages: pa.BinaryArray) -> None:
    without_relations = [message for message in messages.to_pylist() if message[:1] != b"R"]
    with pytest.raises(ValueError, match="before the relation's definition"):
        Parser().parse(pa.array(without_relations, pa.binary()))
