"""Entry scripts that do little: what they take and what they say."""

import importlib
import json
from typing import Any

import maintain
import pytest
from trackman import aws
from trackman.contract import FilesContract
from trackman.errors import JobError
from trackman.files import FeedReport

ARGUMENTS = {
    "--contracts": "s3://b/c.json",
    "--landing-bucket": "landing",
    "--raw-database": "raw",
    "--lake-database": "lake",
    "--JOB_RUN_ID": "jr_1",
    "--lake": "s3://of-every-job",
}


def test_a_feed_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    contract_values: dict[str, Any],
    files_contract_values: dict[str, Any],
) -> None:
    feeds = [{**files_contract_values, "source": name} for name in ("torn", "late", "good")]

    class Run:
        def __init__(self, _spark: object, contract: FilesContract, *names: str) -> None:
            assert names == ("landing", "raw", "lake", "jr_1")
            self.source = contract.source

        def run(self) -> FeedReport:
            if self.source == "torn":
                raise ValueError("torn apart")
            return FeedReport("readings", rows=2, error="x is quarantined" if self.source == "late" else None)

    ingest_files = importlib.import_module("ingest-files")
    monkeypatch.setattr(aws, "read_object", lambda uri: json.dumps([contract_values, *feeds]).encode())
    monkeypatch.setattr(ingest_files, "spark_session", lambda: None)
    monkeypatch.setattr(ingest_files, "FilesIngestion", Run)
    message = "all else is in the lake: torn: torn apart; late: x is quarantined"
    with pytest.raises(JobError, match=f"^{message}$"):
        ingest_files.main([word for pair in ARGUMENTS.items() for word in pair])
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(report["run"], report["source"], report["rows"]) for report in reports] == [
        ("jr_1", "late", 2),
        ("jr_1", "good", 2),
    ]


def arguments(snapshot_days: str) -> list[str]:
    names = {
        "--contracts": "s3://b/c.json",
        "--raw-database": "raw",
        "--lake-database": "lake",
        "--marts-database": "marts",
        "--serving-frontiers": "s3://b/f.json",
        "--snapshot-days": snapshot_days,
        "--JOB_RUN_ID": "jr",
    }
    return [word for pair in names.items() for word in pair]


def test_maintain_keeps_snapshots_for_whole_days() -> None:
    assert maintain.parse_arguments(arguments("7")).snapshot_days == 7


def test_maintain_is_told_what_to_erase_by_percent_encoded_values() -> None:
    words = [*arguments("7"), "--erase", "backend public.players 7 a%20b%2Fc"]
    assert maintain.parse_arguments(words).erase == ("backend", ("public", "players"), ("7", "a b/c"))
    assert maintain.parse_arguments(arguments("7")).erase is None


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "week"])
def test_maintain_takes_no_time_in_which_readers_could_lose_what_they_read(
    days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        maintain.parse_arguments(arguments(days))
    assert "--snapshot-days" in capsys.readouterr().err
