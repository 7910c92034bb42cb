"""What of files mode needs no AWS: names, formats, values, batches."""

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from trackman import file_formats
from trackman.contract import FileColumn
from trackman.file_formats import format_of, unpack
from trackman.file_values import FileError, check
from trackman.files import batches
from trackman.landing import Unit

COLUMNS = [FileColumn("n", "long", False, "keep", None), FileColumn("s", "string", True, "keep", None)]


def read(path: Path, name: str, content: bytes, columns: list[FileColumn] = COLUMNS) -> tuple[list[tuple], dict]:
    """Good rows with their places, and the bad ones."""
    file = path / "file"
    file.write_bytes(content)
    good, bad = [], {}
    for rows in format_of(name)[0](file, columns):
        checked = check(rows, columns, None)
        arrays = [array.to_pylist() for array in (checked.numbers, *checked.columns.values())]
        good += zip(*arrays, strict=True)
        bad.update(checked.bad)
    return good, bad


@pytest.mark.parametrize("name", ["a.json", "x/y.jsonl", "a.csv", "a.b.parquet", "a.parquet.gz", "a.json.gz"])
def test_names_that_say_a_format(name: str) -> None:
    assert format_of(name)[1] == name.endswith(".gz")


@pytest.mark.parametrize("name", ["a", "a.gz", "a.JSON", "a.json.zip", "a.json.gz.gz", "a.json/b"])
def test_names_that_say_none(name: str) -> None:
    with pytest.raises(FileError, match="its name ends in none of"):
        format_of(name)


def test_a_bomb_is_put_out_at_the_limit(tmp_path: Path) -> None:
    packed, unpacked = tmp_path / "packed", tmp_path / "unpacked"
    packed.write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(FileError, match="unpacks to more than 1048576 bytes"):
        unpack(packed, unpacked, 1 << 20)
    assert unpacked.stat().st_size <= 1 << 20


def test_members_of_a_gzip_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(gzip.compress(b"a") + gzip.compress(b"b"))
    unpack(tmp_path / "packed", tmp_path / "unpacked", 2)
    assert (tmp_path / "unpacked").read_bytes() == b"ab"


def test_lines_and_an_array_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_formats, "_BLOCK_BYTES", 7)
    monkeypatch.setattr(file_formats, "_ROWS", 3)
    values = [{"n": number, "s": "ü}],{" * number} for number in range(10)]
    expected = [(place, value["n"], value["s"]) for place, value in enumerate(values, 1)]
    lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    array = json.dumps(values, ensure_ascii=False, indent=2)
    for name, text in [("a.jsonl", lines), ("a.json", lines), ("a.json", array), ("a.json", f"\ufeff {array}\n ")]:
        assert read(tmp_path, name, text.encode()) == (expected, {}), (name, text)


@pytest.mark.parametrize("text", ["[]", " [ ] ", ""])
def test_no_rows_are_none(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "a.json", text.encode()) == ([], {})


@pytest.mark.parametrize(
    "text", ["[", '[{"n": 1}', '[{"n": 1},]', '[{"n": 1} {"n": 2}]', '[{"n": 1}] x', "[1]", '[{"n": }]', "[,]"]
)
def test_half_an_array_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileError):
        read(tmp_path, "a.json", text.encode())


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_formats, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(file_formats, "_LONGEST_ROW_BYTES", 64)
    with pytest.raises(FileError, match="has a line of more than 64 bytes"):
        read(tmp_path, "a.jsonl", b"x" * 100)


def test_bad_rows_are_named_by_their_places(tmp_path: Path) -> None:
    text = '{"n": 1}\n\nx\n{"n": "2"}\n[]\n{"m": 1}\n{"s": ""}\n{"n": 3, "s": "\\u0000"}\n{"n": 4, "s": "\\ud800"}\n'
    assert read(tmp_path, "a.jsonl", text.encode() + b'{"n": "\xff"}\n') == (
        [(1, 1, None)],
        {
            3: "is not JSON",
            4: "column n: expected long",
            5: "is no object",
            6: "its field 1 is no column of the contract",
            7: "column n: has no value",
            8: "column s: expected string",
            9: "column s: expected string",
            10: "is not JSON",
        },
    )


def test_csv_over_many_blocks_keeps_places_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_formats, "_BLOCK_BYTES", 64)
    expected, bad, text = [], {}, "s,n\n"
    for place in range(2, 200):
        if place % 7 == 0:
            text += f"{place}\n"
            bad[place] = "has not 2 values"
        elif place % 11 == 0:
            text += f"x,{place}.5\n"
            bad[place] = "column n: expected long"
        else:
            text += f'"a\n{place}",{place}\n'
            expected.append((place, place, f"a\n{place}"))
    assert read(tmp_path, "a.csv", text.encode()) == (expected, bad)


@pytest.mark.parametrize("header", ["n,x", "n,n", "N"])
def test_a_header_has_the_contracts_names(tmp_path: Path, header: str) -> None:
    with pytest.raises(FileError):
        read(tmp_path, "a.csv", f"{header}\n1,2\n".encode())


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", "false", False),
        ("int", "-2147483648", -2147483648),
        ("double", "1e3", 1000.0),
        ("decimal(3,1)", "99.9", 99.9),
        ("date", "2024-02-29", datetime(2024, 2, 29).date()),
        ("timestamp", "2024-02-29T23:59:59.999999", datetime(2024, 2, 29, 23, 59, 59, 999999)),
        ("timestamptz", "2026-03-29T02:30:00+02:00", datetime(2026, 3, 29, 0, 30)),
        ("string", "", ""),
    ],
)
def test_texts_that_fit(tmp_path: Path, kind: str, text: str, value: Any) -> None:
    good, bad = read(tmp_path, "a.csv", f'v\n"{text}"\n'.encode(), [FileColumn("v", kind, True, "keep", None)])
    assert bad == {}
    assert [float(each[1]) if "decimal" in kind else each[1] for each in good] == [value]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("boolean", "yes"),
        ("int", "2147483648"),
        ("long", "1.0"),
        ("decimal(3,1)", "100.0"),
        ("decimal(3,1)", "1.25"),
        ("decimal(3,1)", "NaN"),
        ("date", "2025-02-29"),
        ("date", "29.02.2024"),
        ("timestamp", "2026-03-29T02:30:00Z"),
        ("timestamptz", "2026-03-29T02:30:00"),
        ("timestamptz", "infinity"),
        ("timestamptz", "2026-03-29T02:30:00.1234567Z"),
    ],
)
def test_texts_that_do_not(tmp_path: Path, kind: str, text: str) -> None:
    _, bad = read(tmp_path, "a.csv", f"v\n{text}\n".encode(), [FileColumn("v", kind, True, "keep", None)])
    assert bad == {2: f"column v: expected {kind}"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("boolean", "1"),
        ("int", "true"),
        ("int", "1.0"),
        ("long", "9223372036854775808"),
        ("double", '"1"'),
        ("double", "true"),
        ("double", "1e999"),
        ("decimal(3,1)", "1.25"),
        ("decimal(3,1)", '"NaN"'),
        ("string", "1"),
        ("string", "{}"),
        ("date", "20260101"),
    ],
)
def test_json_is_taken_at_its_word(tmp_path: Path, kind: str, text: str) -> None:
    columns = [FileColumn("v", kind, True, "keep", None)]
    _, bad = read(tmp_path, "a.jsonl", f'{{"v": null}}\n{{"v": {text}}}\n'.encode(), columns)
    assert bad == {2: f"column v: expected {kind}"}


def test_decimals_keep_their_digits(tmp_path: Path) -> None:
    columns = [FileColumn("v", "decimal(20,10)", True, "keep", None), FileColumn("w", "double", True, "keep", None)]
    good, _ = read(tmp_path, "a.jsonl", b'{"v": 1234567890.0123456789, "w": 0.1}\n', columns)
    assert [(str(v), w) for _, v, w in good] == [("1234567890.0123456789", 0.1)]


def unit(key: str, size: int = 1) -> Unit:
    return Unit("b", key, "v", size, "e", datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=size))


def test_batches_are_bounded_and_keep_the_order() -> None:
    units = [unit("a", 4), unit("b", 4), unit("c", 4), unit("d", 99), unit("a", 1), unit("a", 2), unit("e", 3)]
    keys = [[each.key for each in batch] for batch in batches(units, 8)]
    assert keys == [["a", "b"], ["c"], ["d"], ["a"], ["a", "e"]]
    assert list(batches([], 8)) == []


def test_whatever_bytes_there_are_they_are_rows_or_a_file_error(tmp_path: Path) -> None:
    """Files with some bytes changed, cut or doubled, by seeds that never change."""
    table = pa.table({"n": pa.array(range(200), pa.int64()), "s": [f"ü{n}" for n in range(200)]})
    written = {"a.parquet": io.BytesIO(), "a.csv": io.BytesIO()}
    pq.write_table(table, written["a.parquet"])
    csv.write_csv(table, written["a.csv"])
    rows = [json.dumps(row) for row in table.to_pylist()]
    contents = {
        **{name: file.getvalue() for name, file in written.items()},
        "a.jsonl": "\n".join(rows).encode(),
        "a.json": f"[{','.join(rows)}]".encode(),
    }
    for name, content in contents.items():
        assert len(read(tmp_path, name, content)[0]) == 200
        for seed in range(60):
            random = Random(f"{name} {seed}")
            torn = bytearray(content)
            for _ in range(random.randint(1, 4)):
                start = random.randrange(len(torn))
                length = random.randrange(1, 20)
                torn[start : start + length] = random.choice(
                    [b"", random.randbytes(length), torn[start : start + length] * 2]
                )
            try:
                good, bad = read(tmp_path, name, bytes(torn))
            except FileError:
                continue
            assert len(good) + len(bad) <= 2 * 200, (name, seed)
