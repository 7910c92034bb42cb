"""Entry scripts that do little: what they take and what they say."""

import importlib
import json

import maintain
import pytest
from trackman import aws

CONTRACT = {
    "source": "backend",
    "mode": "log",
    "connection": {"glueConnection": "c", "urlParameter": "/u", "caParameter": "/c", "secret": "s"},
    "catalogDatabase": "crawled",
    "publication": "p",
    "slot": "s",
    "pepperSecret": "p",
    "walBytesPerStep": 1 << 20,
    "inlineSnapshotBytes": 1 << 30,
    "rejectLimit": 3,
    "include": ["public.*"],
    "exclude": [],
    "tables": {},
    "serving": {"include": ["public.*"], "exclude": []},
}


def test_ingest_files_says_that_no_contract_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_files = importlib.import_module("ingest-files")
    monkeypatch.setattr(aws, "read_object", lambda uri: json.dumps([CONTRACT]).encode())
    ingest_files.main(["--contracts", "s3://b/c.json", "--JOB_RUN_ID", "jr_1", "--lake", "s3://of-every-job"])
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "run": "jr_1",
        "sources": ["backend"],
        "ingested": 0,
        "reason": "no contract has mode files",
    }


def arguments(snapshot_days: str) -> list[str]:
    names = {"--raw-database": "raw", "--lake-database": "lake", "--snapshot-days": snapshot_days, "--JOB_RUN_ID": "jr"}
    return [word for pair in names.items() for word in pair]


def test_maintain_keeps_snapshots_for_whole_days() -> None:
    assert maintain.parse_arguments(arguments("7")).snapshot_days == 7


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "week"])
def test_maintain_takes_no_time_in_which_readers_could_lose_what_they_read(
    days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        maintain.parse_arguments(arguments(days))
    assert "--snapshot-days" in capsys.readouterr().err
