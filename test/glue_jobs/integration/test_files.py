"""Files mode: what lands in the landing zone, whatever it is, into the tables of feeds."""

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from platform_under_test import PEPPER, Died, Platform, Recorder, dying_at
from pyspark.sql import Row, SparkSession
from trackman import files
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import FilesContract, load_contracts
from trackman.errors import JobError, RivalRunError
from trackman.files import FeedReport, FilesIngestion
from trackman.iceberg import IcebergCatalog, IcebergTable
from trackman.landing import Listing
from trackman.pii import hash_texts

_numbers = count(1)
COLUMNS = {
    "bay": {"type": "int", "nullable": False},
    "at": {"type": "timestamptz", "nullable": False},
    "speed": {"type": "double"},
}


@dataclass
class Feed:
    """A feed of a test's own."""

    spark: SparkSession
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    runs: Iterator[int] = field(default_factory=lambda: count(1))

    def put(self, name: str, content: bytes | str) -> None:
        body = content.encode() if isinstance(content, str) else content
        boto3.client("s3").put_object(Bucket=self.bucket, Key=f"telemetry/{name}", Body=body)

    def delete(self, name: str) -> None:
        boto3.client("s3").delete_object(Bucket=self.bucket, Key=f"telemetry/{name}")

    @property
    def bucket(self) -> str:
        return f"landing-{self.name}"

    @property
    def contract(self) -> FilesContract:
        values = {
            "source": "telemetry",
            "mode": "files",
            "prefix": "telemetry/",
            "table": "readings",
            "columns": COLUMNS,
            "badRowShare": 0,
            "maxFileBytes": 1 << 20,
            "bytesPerCommit": 1 << 20,
            "serving": False,
            "pepperSecret": "test/pepper",
        }
        [contract] = load_contracts(json.dumps([{**values, **self.options}]), FilesContract)
        return contract

    def ingestion(self, checkpoint: Checkpoint = no_checkpoint) -> FilesIngestion:
        run = f"jr_{self.name}_{next(self.runs)}"
        return FilesIngestion(
            self.spark, self.contract, self.bucket, f"raw_{self.name}", f"lake_{self.name}", run, checkpoint
        )

    def ingest_what_can_be(self, checkpoint: Checkpoint = no_checkpoint) -> FeedReport:
        return self.ingestion(checkpoint).run()

    def ingest(self) -> FeedReport:
        """A run in which everything is good."""
        report = self.ingest_what_can_be()
        assert report.error is None
        return report

    @property
    def table(self) -> IcebergTable:
        return IcebergCatalog(self.spark).find(f"lake_{self.name}", "readings")

    def rows(self, *columns: str) -> list[tuple]:
        return sorted(tuple(row) for row in self.spark.table(self.table.spark_name).select(*columns).collect())

    def ledger(self) -> list[Row]:
        table = IcebergCatalog(self.spark).find(f"raw_{self.name}", "files")
        return self.spark.table(table.spark_name).orderBy("landed_at", "key", "recorded_at").collect()

    def states(self) -> list[tuple[str, str]]:
        return sorted((row.key.removeprefix("telemetry/"), row.state) for row in self.ledger())

    def reasons(self) -> dict[str, str]:
        return {row.key.removeprefix("telemetry/"): row.reason for row in self.ledger() if row.reason}


@pytest.fixture
def feed(platform: Platform, spark: SparkSession) -> Feed:
    feed = Feed(spark, f"f{next(_numbers)}")
    region = boto3.session.Session().region_name
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=feed.bucket, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=feed.bucket, VersioningConfiguration={"Status": "Enabled"})
    for database in (f"raw_{feed.name}", f"lake_{feed.name}"):
        boto3.client("glue").create_database(DatabaseInput={"Name": database})
    return feed


def lines(*rows: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def reading(bay: int, speed: float | None = None, minute: int = 0) -> dict[str, Any]:
    return {"bay": bay, "at": f"2026-11-24T09:{minute:02}:00+01:00", "speed": speed}


def test_every_format_gives_the_same_rows(feed: Feed) -> None:
    feed.options = {
        "columns": {
            "number": {"type": "long", "nullable": False},
            "at": {"type": "timestamptz"},
            "local": {"type": "timestamp"},
            "day": {"type": "date"},
            "lit": {"type": "boolean"},
            "volts": {"type": "decimal(5, 2)"},
            "ratio": {"type": "float"},
            "who": {"type": "string", "pii": "hash"},
            "phone": {"type": "string", "pii": "drop"},
            "note": {"type": "string"},
        }
    }
    texts = {
        "number": "1",
        "at": "2026-10-25T02:30:00+02:00",
        "local": "2026-10-25 02:30:00.000001",
        "day": "2026-02-28",
        "lit": "true",
        "volts": "12.30",
        "ratio": "0.5",
        "who": "Ann",
        "phone": "555",
        "note": 'a "b", ü\n',
    }
    json_row = {**texts, "number": 1, "lit": True, "ratio": 0.5}
    typed = pa.table(
        {
            "number": pa.array([1, 2], pa.int32()),
            "at": pa.array([texts["at"], None]).cast(pa.timestamp("us", "UTC")),
            "local": pa.array([texts["local"], None]).cast(pa.timestamp("us")),
            "day": pa.array([texts["day"], None]).cast(pa.date32()),
            "lit": [True, None],
            "volts": pa.array([Decimal("12.3"), None], pa.decimal128(4, 1)),
            "ratio": pa.array([0.5, None], pa.float64()),
            "who": ["Ann", None],
            "phone": ["555", None],
            "note": pa.array([texts["note"], None]).dictionary_encode(),
        }
    )
    parquet, table = io.BytesIO(), io.BytesIO()
    pq.write_table(typed, parquet)
    csv.write_csv(pa.Table.from_pylist([texts, dict.fromkeys(texts) | {"number": "2"}]), table)
    contents = {
        "a.jsonl": lines(json_row, {"number": 2}).encode(),
        "a.json": json.dumps([json_row, {"number": 2}], indent=1).encode(),
        "a.csv": table.getvalue(),
        "a.parquet": parquet.getvalue(),
    }
    for name, content in contents.items():
        feed.put(name, content)
        feed.put(f"{name}.gz", gzip.compress(content))
    report = feed.ingest()
    assert (report.ingested, report.rows, report.quarantined) == (8, 16, 0)
    hashed = hash_texts(pa.array(["Ann"]), bytes.fromhex(PEPPER))[0].as_py()
    first = (
        1,
        datetime(2026, 10, 25, 0, 30),
        datetime(2026, 10, 25, 2, 30, 0, 1),
        datetime(2026, 2, 28).date(),
        True,
        Decimal("12.30"),
        0.5,
        hashed,
        texts["note"],
    )
    names = ["number", "at", "local", "day", "lit", "volts", "ratio", "who", "note"]
    rows = feed.spark.table(feed.table.spark_name).select("trackman_file", *names).collect()
    by_file: dict[str, list[tuple]] = {}
    for file, *values in rows:
        by_file.setdefault(file, []).append(tuple(values))
    assert len(by_file) == 8
    for file, values in by_file.items():
        assert sorted(values, key=lambda row: row[0]) == [first, (2, *[None] * 8)], file
    assert "phone" not in feed.table.layout.schema.names


def test_a_unit_is_taken_once_however_often_it_is_looked_at(feed: Feed) -> None:
    feed.put("a.jsonl", lines(reading(1), reading(2)))
    assert feed.ingest().rows == 2
    snapshot = feed.table.snapshot_id
    again = feed.ingest()
    assert (again.listed, again.ingested, again.commits) == (1, 0, 0)
    assert feed.table.snapshot_id == snapshot
    assert feed.rows("bay", "trackman_row") == [(1, 1), (2, 2)]


def test_what_lands_meanwhile_is_taken_by_the_same_run(feed: Feed) -> None:
    feed.put("a.jsonl", lines(reading(1)))
    late = iter(["b.jsonl"])

    def put(step: str) -> None:
        if step == "ledger published" and (name := next(late, None)):
            feed.put(name, lines(reading(2)))

    report = feed.ingest_what_can_be(put)
    assert (report.listed, report.ingested, report.commits) == (2, 2, 2)
    assert feed.rows("bay") == [(1,), (2,)]


def test_the_frontier_is_the_time_of_the_listing(feed: Feed) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    first = feed.ingest()
    assert before <= datetime.fromisoformat(first.frontier) <= datetime.now(UTC)
    assert feed.table.properties["trackman.frontier"] == first.frontier


def test_what_is_no_good_is_quarantined_by_itself(feed: Feed) -> None:
    secret = "ann@example.com"
    parquet = io.BytesIO()
    pq.write_table(pa.table({"bay": ["1"], "at": [secret]}), parquet)
    good = lines(reading(1)).encode()
    contents = {
        "empty.jsonl": b"",
        "empty.jsonl.gz": gzip.compress(b""),
        "folder.txt": good,
        "none": good,
        "not-packed.jsonl.gz": good,
        "half-packed.jsonl.gz": gzip.compress(good * 99)[:-9],
        "packed.jsonl": gzip.compress(good),
        "huge.jsonl": good * (1 << 15),
        "bomb.jsonl.gz": gzip.compress(b" " * (8 << 20)),
        "latin.csv": f"bay,at,speed\n1,2026-11-24T09:00:00Z,{secret}\xff\n".encode("latin-1"),
        "no-header.csv": f"{secret},2\n".encode(),
        "short.csv": f"bay,at,speed\n1,2026-11-24T09:00:00Z,1\n{secret}\n".encode(),
        "missing.csv": b"bay,speed\n1,2\n",
        "quote.csv": b'bay,at,speed\n1,2026-11-24T09:00:00Z,"1\n',
        "types.parquet": parquet.getvalue(),
        "torn.parquet": parquet.getvalue()[:-9],
        "open.json": json.dumps([reading(1), reading(2)])[:-1].encode(),
        "scalars.json": b"[1, 2]",
        "lines.jsonl": f'{lines(reading(1))}\n{{"bay": 1, "at": "{secret}"}}\n'.encode(),
        "field.jsonl": lines({**reading(1), secret: 1}).encode(),
        "text.jsonl": lines({**reading(1), "bay": "1"}).encode(),
        "fraction.jsonl": lines({**reading(1), "bay": 1.5}).encode(),
        "large.jsonl": lines({**reading(1), "bay": 1 << 40}).encode(),
        "infinite.jsonl": b'{"bay": 1, "at": "2026-11-24T09:00:00Z", "speed": 1e999}\n',
        "nan.jsonl": b'{"bay": 1, "at": "2026-11-24T09:00:00Z", "speed": NaN}\n',
        "zone.jsonl": lines({**reading(1), "at": "2026-11-24T09:00:00"}).encode(),
    }
    for name, content in contents.items():
        feed.put(name, content)
    feed.put("good.jsonl", good)
    report = feed.ingest_what_can_be()
    assert (report.ingested, report.quarantined, report.rows) == (1, len(contents), 1)
    assert "is quarantined" in report.error
    suffixes = "its name ends in none of .json, .jsonl, .csv, .parquet, nor in one of these with .gz"
    assert feed.reasons() == {
        "empty.jsonl": "is empty",
        "empty.jsonl.gz": "is empty",
        "folder.txt": suffixes,
        "none": suffixes,
        "not-packed.jsonl.gz": "is no gzip file, or not all of one",
        "half-packed.jsonl.gz": "is no gzip file, or not all of one",
        "packed.jsonl": "row 1: is not JSON",
        "huge.jsonl": "has more than 1048576 bytes",
        "bomb.jsonl.gz": "unpacks to more than 1048576 bytes",
        "latin.csv": "is not UTF-8",
        "no-header.csv": "its column 1 is none of the contract",
        "short.csv": "row 3: has not 3 values",
        "missing.csv": "row 2: column at: has no value",
        "quote.csv": "has a quote without end",
        "types.parquet": "column bay: expected int, it has string",
        "torn.parquet": "cannot be read as Parquet",
        "open.json": "is no JSON behind row 2",
        "scalars.json": "is no JSON, or none of objects, behind row 0",
        "lines.jsonl": "row 3: column at: expected timestamptz",
        "field.jsonl": "row 1: its field 4 is no column of the contract",
        "text.jsonl": "row 1: column bay: expected int",
        "fraction.jsonl": "row 1: column bay: expected int",
        "large.jsonl": "row 1: column bay: expected int",
        "infinite.jsonl": "row 1: column speed: expected double",
        "nan.jsonl": "row 1: is not JSON",
        "zone.jsonl": "row 1: column at: expected timestamptz",
    }
    assert feed.rows("bay", "trackman_file") == [(1, "telemetry/good.jsonl")]
    assert secret not in str(feed.ledger()) + report.error
    # It was told once.
    assert feed.ingest().quarantined == 0


def test_bad_rows_are_left_out_up_to_the_contracts_share(feed: Feed) -> None:
    feed.options = {"badRowShare": 0.25}
    bad = {"bay": None, "at": "2026-11-24T09:00:00Z"}
    feed.put("a.jsonl", lines(reading(1), bad, reading(3), reading(4)))
    feed.put("b.jsonl", lines(reading(5), bad, bad))
    report = feed.ingest_what_can_be()
    assert (report.ingested, report.bad_rows, report.quarantined) == (1, 1, 1)
    assert feed.rows("bay", "trackman_row") == [(1, 1), (3, 3), (4, 4)]
    assert feed.reasons() == {
        "a.jsonl": "row 2: column bay: has no value",
        "b.jsonl": "row 2: column bay: has no value, and 1 more of 3",
    }


def test_another_content_under_the_same_name_is_another_unit(feed: Feed) -> None:
    feed.put("a.jsonl", lines(reading(1)))
    feed.put("a.jsonl", lines(reading(2)))  # before anybody looked
    assert feed.ingest().ingested == 2
    feed.put("a.jsonl", lines(reading(3)))
    feed.put("a.jsonl", lines(reading(3)))  # sent again
    report = feed.ingest()
    assert (report.ingested, report.repeated) == (1, 1)
    assert feed.rows("bay") == [(1,), (2,), (3,)]


def test_what_was_withdrawn_before_anybody_looked_is_not_taken(feed: Feed) -> None:
    feed.put("a.jsonl", lines(reading(1)))
    feed.put("b.jsonl", lines(reading(2)))
    feed.delete("a.jsonl")
    assert feed.ingest().listed == 1
    feed.delete("b.jsonl")
    assert feed.ingest().listed == 0
    assert feed.rows("bay") == [(2,)]


def test_a_bucket_without_versions_tells_units_by_their_content(feed: Feed) -> None:
    boto3.client("s3").put_bucket_versioning(Bucket=feed.bucket, VersioningConfiguration={"Status": "Suspended"})
    feed.put("a.jsonl", lines(reading(1)))
    feed.ingest()
    feed.put("a.jsonl", lines(reading(2)))
    feed.ingest()
    assert feed.ingest().ingested == 0
    assert feed.rows("bay") == [(1,), (2,)]


def test_of_a_key_the_row_that_landed_last_stays_in_whatever_order_it_is_read(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = [f"{name}.jsonl" for name in "abc"]
    listed = files.list_landed
    for number, order in enumerate([(0, 1, 2), (2, 1, 0), (1, 2, 0)]):
        feed.options = {"key": ["bay"], "table": f"readings_{number}", "prefix": f"telemetry/{number}/"}
        feed.options["source"] = f"telemetry-{number}"
        for speed, name in enumerate(units):
            feed.put(f"{number}/{name}", lines(reading(1, -1.0), reading(1, float(speed)), reading(10 + speed)))
        for last in range(3):
            visible = {units[place] for place in order[: last + 1]}

            def only_visible(bucket: str, prefix: str, visible: set[str] = visible) -> Listing:
                listing = listed(bucket, prefix)
                kept = [unit for unit in listing.units if unit.key.rpartition("/")[2] in visible]
                return Listing(listing.began_at, kept)

            monkeypatch.setattr(files, "list_landed", only_visible)
            assert feed.ingest().ingested == 1
        table = IcebergCatalog(feed.spark).find(f"lake_{feed.name}", f"readings_{number}")
        rows = feed.spark.table(table.spark_name).select("bay", "speed").collect()
        assert sorted(map(tuple, rows)) == [(1, 2.0), (10, None), (11, None), (12, None)], order


@pytest.mark.parametrize("key", [{}, {"key": ["bay", "at"]}], ids=["added", "merged"])
def test_a_death_at_any_step_neither_loses_nor_doubles_a_row(feed: Feed, key: dict[str, Any]) -> None:
    feed.options = {**key, "bytesPerCommit": 1 << 20, "maxFileBytes": 1 << 20}
    feed.put("0.jsonl", lines(reading(0)))
    seen = Recorder()
    feed.ingest_what_can_be(seen)
    steps = list(dict.fromkeys(seen.names))
    branch = ["branch written"] if key else []
    assert steps == ["table created", "batch read", *branch, "batch published", "ledger published"]
    for number, step in enumerate(steps[1:], 1):
        feed.put(f"{number}.jsonl", lines(reading(number)))
        feed.put(f"{number}.csv", "bay,at\nx,y\n")
        with pytest.raises(Died):
            feed.ingest_what_can_be(dying_at(step))
        feed.ingest_what_can_be()
        assert feed.ingest().ingested == 0
        assert feed.rows("bay") == [(bay,) for bay in range(number + 1)], step
        expected = [(f"{each}.jsonl", "ingested") for each in range(number + 1)]
        expected += [(f"{each}.csv", "quarantined") for each in range(1, number + 1)]
        assert feed.states() == sorted(expected), step


def test_the_second_of_two_runs_changes_nothing(feed: Feed) -> None:
    feed.ingest()
    feed.put("a.jsonl", lines(reading(1)))

    def rival(step: str) -> None:
        if step == "batch read":
            feed.ingest()

    with pytest.raises(RivalRunError):
        feed.ingest_what_can_be(rival)
    assert feed.rows("bay") == [(1,)]
    assert feed.states() == [("a.jsonl", "ingested")]


def test_a_run_whose_branch_another_one_removed_merges_again(feed: Feed) -> None:
    feed.options = {"key": ["bay"]}
    feed.ingest()
    feed.put("a.jsonl", lines(reading(1)))
    rivals = iter([feed.ingestion(dying_at("branch written"))])

    def rival(step: str) -> None:
        if step == "branch written" and (other := next(rivals, None)):
            with pytest.raises(Died):
                other.run()

    assert feed.ingest_what_can_be(rival).error is None
    assert feed.rows("bay") == [(1,)]
    assert feed.states() == [("a.jsonl", "ingested")]


def test_upkeep_at_the_same_moment_is_no_rival(feed: Feed) -> None:
    for key in ({}, {"key": ["bay"]}):
        feed.options = {**key, "table": f"readings_{len(key)}", "source": f"telemetry-{len(key)}"}
        feed.ingest()
        feed.put(f"{len(key)}.jsonl", lines(reading(1)))
        name = IcebergCatalog(feed.spark).find(f"lake_{feed.name}", feed.options["table"]).spark_name
        busy = iter(range(1))

        def upkeep(step: str, busy: Iterator[int] = busy, name: str = name) -> None:
            if step in ("batch read", "branch written") and next(busy, None) is not None:
                time = "timestamp_ntz'2026-11-24 00:00:00'"
                feed.spark.sql(f"insert into {name} values (99, {time}, null, '', '', {time}, 1)")

        report = feed.ingest_what_can_be(upkeep)
        assert report.error is None
        assert sorted(row.bay for row in feed.spark.table(name).collect()) == [1, 99]
        feed.delete(f"{len(key)}.jsonl")


def test_many_small_files_come_in_bounded_commits(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_UNITS_PER_COMMIT", 100)
    for number in range(250):
        feed.put(f"{number}.jsonl", lines(reading(number)))
    report = feed.ingest()
    assert (report.ingested, report.commits) == (250, 3)
    assert len(feed.rows("bay")) == 250
    # Not a file for each of theirs.
    assert feed.spark.table(f"{feed.table.spark_name}.files").count() <= 6
    assert json.loads(feed.table.properties["trackman.files"])["outcomes"] == []


def test_a_quarantined_file_is_read_again_when_the_contract_changes(feed: Feed) -> None:
    feed.put("a.jsonl", lines({**reading(1), "angle": 2.5}))
    feed.put("b.jsonl", lines(reading(2)))
    assert feed.ingest_what_can_be().quarantined == 1
    feed.options = {"columns": {**COLUMNS, "angle": {"type": "double"}}}
    assert feed.ingest().ingested == 1
    assert feed.rows("bay", "angle") == [(1, 2.5), (2, None)]


def test_a_column_cannot_change_its_type(feed: Feed) -> None:
    feed.ingest()
    feed.options = {"columns": {**COLUMNS, "speed": {"type": "string"}}}
    with pytest.raises(JobError, match=r"column speed of .* is double, string in the contract"):
        feed.ingest()


def test_a_table_that_was_dropped_is_made_anew(feed: Feed) -> None:
    feed.put("a.jsonl", lines(reading(1)))
    feed.ingest()
    boto3.client("glue").delete_table(DatabaseName=f"lake_{feed.name}", Name="readings")
    assert feed.ingest().ingested == 1
    assert feed.rows("bay") == [(1,)]


def test_what_s3_does_not_give_is_for_a_later_run(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    feed.put("a.jsonl", lines(reading(1)))
    feed.put("b.jsonl", lines(reading(2)))
    policy = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObjectVersion"}
    policy["Resource"] = f"arn:aws:s3:::{feed.bucket}/telemetry/a.jsonl"
    s3 = boto3.client("s3")
    s3.put_bucket_policy(Bucket=feed.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
    report = feed.ingest_what_can_be()
    assert (report.ingested, report.failed, report.frontier) == (1, 1, None)
    assert "a.jsonl could not be read" in report.error
    s3.delete_bucket_policy(Bucket=feed.bucket)
    assert feed.ingest().ingested == 1
    assert feed.rows("bay") == [(1,), (2,)]
