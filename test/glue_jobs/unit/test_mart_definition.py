"""What a mart's definition becomes, and what the stage marts says of marts that failed."""

import argparse
import json
from dataclasses import replace

import publish
import pytest
from trackman import aws
from trackman.errors import JobError
from trackman.marts import Mart, MartReport, load_marts

VALUES = {
    "name": "clubs",
    "description": "One row a club.",
    "key": ["club"],
    "tables": {"shots": "SELECT club FROM changed"},
    "columns": [{"name": "club", "type": "string", "comment": "Club."}],
    "sql": "SELECT DISTINCT club FROM shots",
}


def mart(**columns: str) -> Mart:
    described = [{"name": name, "type": of, "comment": f"{name}."} for name, of in columns.items()]
    [loaded] = load_marts(json.dumps([{**VALUES, "columns": described}]))
    return loaded


@pytest.mark.parametrize(
    ("declared", "lake", "spark", "serving"),
    [
        ("boolean", "boolean", "boolean", "boolean"),
        ("int", "int", "int", "integer"),
        ("long", "long", "bigint", "bigint"),
        ("decimal(10,6)", "decimal(10,6)", "decimal(10,6)", "numeric(10,6)"),
        ("date", "date", "date", "date"),
        ("timestamp", "timestamp", "timestamp_ntz", "timestamp with time zone"),
        ("string", "string", "string", "text"),
        ("uuid", "string", "string", "uuid"),
    ],
)
def test_types(declared: str, lake: str, spark: str, serving: str) -> None:
    [column] = mart(club=declared).columns
    assert column.iceberg == ("club", lake, "club.")
    assert (column.spark_type, column.serving_type) == (spark, serving)


def test_whatever_changes_a_definition_is_seen() -> None:
    clubs = mart(club="string", shots="long")
    assert clubs.others == ["shots"]
    assert mart(club="string", shots="long").hash == clubs.hash
    changed = [
        replace(clubs, sql="SELECT club FROM shots"),
        replace(clubs, key=("club", "shots")),
        replace(clubs, tables={"shots": "SELECT 'driver' AS club"}),
        mart(club="string", shots="int"),
    ]
    assert len({each.hash for each in (clubs, *changed)}) == 5


def test_stage_goes_on_with_the_other_marts_and_names_those_that_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Spark:
        def table(self, name: str) -> str:
            return name

    reports = [MartReport("a", error="no such column"), MartReport("b", groups=2), MartReport("c", error="two rows")]
    monkeypatch.setattr(aws, "read_object", lambda uri: b"[]")
    monkeypatch.setattr(publish, "IcebergCatalog", lambda spark: None)
    monkeypatch.setattr(publish, "current_versions", lambda catalog, database: [])
    monkeypatch.setattr(publish, "make_marts", lambda *_: iter(reports))
    arguments = argparse.Namespace(
        marts="s3://b/m.json", raw_database="raw", lake_database="lake", marts_database="marts", JOB_RUN_ID="jr_1"
    )
    with pytest.raises(JobError, match=r"^2 failed, all others are made: a: no such column; c: two rows$"):
        publish.stage_marts(Spark(), [], arguments)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["stage"], line["mart"], line["groups"]) for line in lines] == [
        ("marts", "a", 0),
        ("marts", "b", 2),
        ("marts", "c", 0),
    ]
