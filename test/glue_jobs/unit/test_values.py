"""Postgres' text of values in the lake's types."""

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from trackman.column_types import PostgresType, arrow_type, iceberg_type, serving_type
from trackman.values import UnrepresentableValueError, from_text, parse_array


def postgres(
    name: str, modifier: int = -1, is_array: bool = False, sql: str = "", built_in: bool = True
) -> PostgresType:
    return PostgresType(name, modifier, is_array, sql or name, built_in)


def numeric(precision: int, scale: int) -> PostgresType:
    return postgres("numeric", ((precision << 16) | (scale & 0x7FF)) + 4, sql=f"numeric({precision},{scale})")


def convert(postgres_type: PostgresType, *texts: str | None) -> list:
    iceberg = iceberg_type(postgres_type)
    if isinstance(iceberg, dict):
        iceberg = {**iceberg, "element-id": 1}
    return from_text(pa.array(texts, pa.string()), postgres_type, arrow_type(iceberg)).to_pylist()


@pytest.mark.parametrize(
    ("postgres_type", "iceberg"),
    [
        (postgres("bool"), "boolean"),
        (postgres("int2"), "int"),
        (postgres("int8"), "long"),
        (postgres("float4"), "float"),
        (numeric(5, 2), "decimal(5, 2)"),
        (numeric(3, 5), "decimal(5, 5)"),
        (numeric(3, -2), "decimal(5, 0)"),
        (postgres("numeric"), "decimal(38, 9)"),
        (postgres("timestamptz"), "timestamp"),
        (postgres("timestamp"), "timestamp"),
        (postgres("bytea"), "binary"),
        (postgres("uuid"), "string"),
        (postgres("jsonb"), "string"),
        (postgres("interval"), "string"),
        (postgres("handedness", built_in=False), "string"),
        (postgres("int4", is_array=True), {"type": "list", "element": "int", "element-required": False}),
    ],
)
def test_lake_types(postgres_type: PostgresType, iceberg: object) -> None:
    assert iceberg_type(postgres_type) == iceberg


def test_contract_says_what_an_unconstrained_numeric_is() -> None:
    assert iceberg_type(postgres("numeric"), decimal=(20, 4)) == "decimal(20, 4)"
    with pytest.raises(ValueError, match=r"numeric\(50,2\) has 50 digits.*at most 38.*decimals"):
        iceberg_type(numeric(50, 2))


def test_serving_types_are_the_sources_where_every_postgres_has_them() -> None:
    assert serving_type(postgres("numeric", sql="numeric(5,2)")) == "numeric(5,2)"
    assert serving_type(postgres("handedness", built_in=False)) == "text"
    assert serving_type(postgres("handedness", is_array=True, built_in=False)) == "text[]"


@pytest.mark.parametrize(
    ("postgres_type", "texts", "values"),
    [
        (postgres("bool"), ["t", "f", None], [True, False, None]),
        (postgres("int8"), ["-9223372036854775808", None], [-9223372036854775808, None]),
        (postgres("float8"), ["0.1", "Infinity", "-Infinity", "1e-300"], [0.1, float("inf"), float("-inf"), 1e-300]),
        (numeric(7, 3), ["-12.345", "0.000", None], [Decimal("-12.345"), Decimal("0.000"), None]),
        (postgres("date"), ["0001-01-01", "9999-12-31"], [date(1, 1, 1), date(9999, 12, 31)]),
        (postgres("timestamp"), ["2026-03-29 02:30:00", "2026-03-29 02:30:00.5"],
         [datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 2, 30, 0, 500000)]),
        (postgres("timestamptz"), ["2026-03-29 01:30:00.000001+00", None], [datetime(2026, 3, 29, 1, 30, 0, 1), None]),
        (postgres("bytea"), ["\\x00ff", "\\x", None], [b"\x00\xff", b"", None]),
        (postgres("uuid"), ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
        (postgres("time"), ["24:00:00"], ["24:00:00"]),
        (postgres("text", is_array=True), ["{}", None, '{a,NULL,"NULL","a \\"b\\\\c, {d}",""}'],
         [[], None, ["a", None, "NULL", 'a "b\\c, {d}', ""]]),
        (postgres("timestamptz", is_array=True), ['{"2026-01-01 00:00:00+00",NULL}'], [[datetime(2026, 1, 1), None]]),
        (postgres("bytea", is_array=True), ['{"\\\\x01"}'], [[b"\x01"]]),
    ],
)  # fmt: skip
def test_values(postgres_type: PostgresType, texts: list[str | None], values: list) -> None:
    assert convert(postgres_type, *texts) == values


def test_not_a_number_is_one_in_floats() -> None:
    [value] = convert(postgres("float4"), "NaN")
    assert value != value


@pytest.mark.parametrize(
    ("postgres_type", "text"),
    [
        (numeric(5, 2), "NaN"),
        (postgres("numeric"), "Infinity"),
        (postgres("numeric"), "0.0000000001"),
        (postgres("date"), "infinity"),
        (postgres("date"), "0044-03-15 BC"),
        (postgres("timestamp"), "-infinity"),
        (postgres("timestamptz"), "0044-03-15 12:00:00+00 BC"),
        (postgres("timestamptz"), "10000-01-01 00:00:00+00"),
        (postgres("int4", is_array=True), "{{1,2},{3,4}}"),
        (postgres("int4", is_array=True), "[2:3]={1,2}"),
    ],
)
def test_what_the_lake_has_no_place_for_is_named(postgres_type: PostgresType, text: str) -> None:
    plain = {"date": "2026-01-01", "timestamp": "2026-01-01 00:00:00", "timestamptz": "2026-01-01 00:00:00+00"}
    good = "{1}" if postgres_type.is_array else plain.get(postgres_type.name, "1")
    with pytest.raises(UnrepresentableValueError) as raised:
        convert(postgres_type, good, None, good, text, good)
    assert (raised.value.row, raised.value.text) == (3, text)
    assert str(raised.value).startswith(f'"{text}" has no place in ')


def test_converts_part_of_a_larger_array() -> None:
    texts = pa.array(["x", "\\x01", None, "\\x0203"]).slice(1)
    assert from_text(texts, postgres("bytea"), pa.binary()).to_pylist() == [b"\x01", None, b"\x02\x03"]


def test_array_text_with_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="lower bound"):
        parse_array("[0:1]={1,2}")
