"""What befalls AWS, servers and clocks around the jobs: a run ends well or fails whole, and the next goes on."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import BytesIO
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import boto3
import botocore.endpoint
import numpy as np
import pg8000.exceptions
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError
from platform_under_test import BUCKET, Died, Scenario, at, dying_at, faults
from py4j.protocol import Py4JJavaError
from schedule_runner import wait_for
from trackman import aws
from trackman.checkpoints import Checkpoint
from trackman.pgoutput import Batch, Parser
from trackman.postgres import Server
from trackman.source import Barrier, Source

BUSY = {"status": 503, "code": "SlowDown"}
THROTTLED = {"status": 400, "code": "ThrottlingException"}
BROKEN = {"status": 500, "code": "InternalServiceException"}
EXPIRED = {"status": 400, "code": "ExpiredTokenException"}
ATTEMPTS = 7
DISK_FULL, DEADLOCK = "53100", "40P01"


def items(scenario: Scenario) -> None:
    scenario.on_source(
        "create table items (id int primary key, label text)",
        "insert into items select i, 'item ' || i from generate_series(1, 5) i",
    )
    scenario.publish_tables("items")
    scenario.ingest()


def change(scenario: Scenario) -> None:
    scenario.on_source(
        "insert into items select max(id) + 1, 'new' from items",
        "update items set label = label || ', changed' where id % 2 = 1",
        "delete from items where id = (select min(id) from items)",
    )


def assert_nothing_lost_or_doubled(scenario: Scenario) -> None:
    scenario.assert_lake_equals_source("items")
    scenario.assert_each_change_logged_once()


def held(scenario: Scenario) -> list[object]:
    """What a run that fails leaves as it was."""
    [slot] = scenario.on_source(
        f"select confirmed_flush_lsn::text from pg_replication_slots where slot_name = '{scenario.name}'"
    )
    log = scenario.change_log
    return [slot, log.snapshot_id, scenario.bookmark(log), scenario.lake_table("items").snapshot_id]


def test_services_that_are_busy_are_asked_again(scenario: Scenario) -> None:
    items(scenario)
    change(scenario)
    busy = [
        {"requests": r"s3 PUT .*\.parquet", "times": 1, **BUSY},
        {"requests": r"s3 PUT .*\.avro", "times": 1, **BUSY},
        {"requests": "s3 GET ", "times": 1, **BUSY},
        {"requests": "glue (GetTable|UpdateTable) ", "times": 2, **THROTTLED},
    ]
    with faults(*busy) as left:
        scenario.ingest()
        assert left() == []
    assert_nothing_lost_or_doubled(scenario)


def test_service_that_stays_busy_fails_the_run_whole(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    items(scenario)
    change(scenario)
    before = held(scenario)
    waits: list[float] = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=waits.append))
    file = tmp_path / "any.parquet"
    file.write_bytes(b"any")
    with faults({"requests": r"s3 PUT .*\.parquet", "times": 100, **BUSY}) as left:
        with pytest.raises(S3UploadFailedError, match="SlowDown"):
            scenario.ingest()
        assert 100 - left()[0]["times"] == ATTEMPTS
        with pytest.raises(S3UploadFailedError, match="SlowDown"):
            aws.upload(file, f"s3://{BUCKET}/{scenario.name}/any.parquet")
    assert len(waits) == 2 * (ATTEMPTS - 1)
    assert all(wait <= 2**nth for wait, nth in zip(waits, cycle(range(ATTEMPTS - 1)), strict=False))
    assert len(set(waits)) == len(waits)  # by chance, or all who were refused would come again together
    assert held(scenario) == before
    scenario.ingest()
    assert_nothing_lost_or_doubled(scenario)


def test_commit_whose_answer_is_lost_is_looked_up(scenario: Scenario) -> None:
    """Who asks again is told that somebody was faster, or is told nothing any more."""
    items(scenario)
    lost = {"requests": "glue UpdateTable ", "times": 1, **BROKEN, "executed": True}
    for afterwards in ([], [{"requests": "glue UpdateTable ", "times": 3, **BROKEN}]):
        change(scenario)
        with faults(lost, *afterwards) as left:
            scenario.ingest()
            assert left() == []
        assert_nothing_lost_or_doubled(scenario)


def test_credentials_that_expire_fail_the_run_and_the_next_goes_on(scenario: Scenario) -> None:
    items(scenario)
    expire = {"requests": "", "times": 10_000, **EXPIRED}
    for step in ("barrier set", "change log written", "branch written public.items"):
        change(scenario)
        with faults() as control:
            assert "ExpiredToken" in failure(scenario, at(step, partial(control, [expire])))
        scenario.ingest()
        assert_nothing_lost_or_doubled(scenario)


def failure(scenario: Scenario, checkpoint: Checkpoint) -> str:
    """What a run fails by, be it in all or in one table."""
    try:
        [report] = scenario.ingest_what_can_be(checkpoint).values()
    except (ClientError, S3UploadFailedError, Py4JJavaError) as error:
        return str(error)
    return report.error


def kill(server: Server) -> None:
    """The end of one backend is that of all: the server recovers from its log. Returns when all are gone."""
    connection = server.connect()
    backends = connection.run("select pid from pg_stat_activity where backend_type = 'client backend'")
    [[own]] = connection.run("select pg_backend_pid()")
    os.kill(own, signal.SIGKILL)
    with suppress(pg8000.exceptions.InterfaceError, OSError):
        connection.close()
    while any(Path(f"/proc/{backend}").exists() for [backend] in backends):
        time.sleep(0.05)


def test_source_that_goes_down_while_it_is_read(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    items(scenario)
    scenario.on_source("insert into items select i, repeat(md5(i::text), 30) from generate_series(1000, 41000) i")
    before = held(scenario)
    batches = 0
    parse = Parser.parse

    def parse_the_first(parser: Parser, messages: pa.BinaryArray) -> Batch:
        nonlocal batches
        batches += 1
        if batches == 1:
            kill(scenario.source)
        return parse(parser, messages)

    monkeypatch.setattr(Parser, "parse", parse_the_first)
    with pytest.raises(OSError, match="PQgetCopyData"):  # amid the reading
        scenario.ingest()
    monkeypatch.undo()
    scenario.forget_connections()
    wait_for(scenario.source)
    assert held(scenario)[1:] == before[1:]
    scenario.ingest()
    assert_nothing_lost_or_doubled(scenario)


def test_serving_database_that_fails_amid_a_load_undoes_all_of_it(scenario: Scenario) -> None:
    scenario.migrate()
    items(scenario)
    scenario.publish()
    before = served(scenario)
    change(scenario)
    scenario.ingest()
    for code in (DISK_FULL, DEADLOCK):
        # By the time of the first insert, deletes are done.
        raising = f"begin raise exception using errcode = '{code}'; end"
        scenario.on_serving(f"create function fail() returns trigger language plpgsql as $${raising}$$")
        scenario.on_serving("create trigger fails after insert on base.items execute function fail()")
        with pytest.raises(pg8000.exceptions.DatabaseError, match=code):
            scenario.publish()
        assert served(scenario) == before
        scenario.on_serving("drop function fail() cascade")

    with pytest.raises((pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError)):
        scenario.publish(at("applied", partial(kill, scenario.serving)))
    scenario.forget_connections()
    wait_for(scenario.serving)
    assert served(scenario) == before
    scenario.publish()
    scenario.assert_serving_equals_source("items")


def served(scenario: Scenario) -> list[list]:
    bookmark = scenario.on_serving("select position, epoch, frontier from trackman.bookmark")
    return bookmark + scenario.on_serving("select * from app.items order by 1")


def test_clocks_that_jump_order_nothing(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source's clock, in its commits and at the barrier, is a quarter of an hour ahead and behind by turns."""
    items(scenario)
    scenario.migrate()
    quarter = timedelta(minutes=15)
    skews = cycle([quarter, -quarter])
    parse, set_barrier = Parser.parse, Source.set_barrier

    def skew(xid: np.ndarray | int) -> np.ndarray | int:
        return (1 - 2 * (xid % 2)) * (quarter // timedelta(microseconds=1))

    def skewed(parser: Parser, messages: pa.BinaryArray) -> Batch:
        batch = parse(parser, messages)
        rows = [replace(each, committed_at=each.committed_at + skew(each.xid)) for each in batch.rows]
        commits = [each._replace(committed_at=each.committed_at + skew(each.xid)) for each in batch.commits]
        return replace(batch, rows=rows, commits=commits)

    def skewed_barrier(self: Source, content: str) -> Barrier:
        barrier = set_barrier(self, content)
        return replace(barrier, clock=barrier.clock + next(skews))

    monkeypatch.setattr(Parser, "parse", skewed)
    monkeypatch.setattr(Source, "set_barrier", skewed_barrier)
    for _ in range(2):
        # Of one row many states, each of another commit.
        scenario.on_source(*[f"update items set label = '{n}' where id = 3" for n in range(4)])
        change(scenario)
        scenario.ingest()
        assert_nothing_lost_or_doubled(scenario)
        scenario.publish()
    scenario.assert_serving_equals_source("items")
    times = [row.committed_at for row in scenario.logged()]
    assert times != sorted(times)


def test_both_changes_of_the_clocks_are_instants_in_the_lake(scenario: Scenario) -> None:
    """02:30 is twice in autumn, and never in spring, when Postgres takes it for the moment an hour after 01:30."""
    scenario.on_source(
        "create table moments (id int primary key, local timestamp, instant timestamptz)",
    )
    times = ["03-29 01:30", "03-29 02:30", "03-29 03:30", "10-25 02:30 CEST", "10-25 02:30 CET"]
    hours = [0, 1, 1, 0, 1]

    def insert(first: int) -> None:
        scenario.on_source(
            "set timezone = 'Europe/Berlin'",
            *[
                f"insert into moments values ({first + n}, timestamp '2026-{time[:11]}', timestamptz '2026-{time}')"
                for n, time in enumerate(times)
            ],
        )

    insert(0)
    scenario.publish_tables("moments")
    scenario.migrate()
    scenario.ingest()
    insert(5)  # by the log what was by the copy
    scenario.ingest()
    rows = scenario.lake_rows("moments")
    assert [(f"{local:%m-%d %H:%M}", f"{instant:%m-%d %H:%M}") for _, local, instant in rows] == [
        (time[:11], f"{time[:5]} {hour:02}:30") for time, hour in zip(times * 2, hours * 2, strict=True)
    ]
    scenario.publish()
    scenario.assert_serving_equals_source("moments")


ROWS = 400_000


def test_memory_for_one_large_transaction_is_bounded(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """On this side and in the source's backend; more than these bounds pass through each."""
    items(scenario)
    a_kilobyte = "repeat(md5(i::text), 32)"
    scenario.on_source(f"insert into items select i, {a_kilobyte} from generate_series(1001, 1000 + {ROWS}) i")
    backends: list[int] = []
    parse = Parser.parse

    def watched(parser: Parser, messages: pa.BinaryArray) -> Batch:
        backends.append(backend_memory(scenario))
        return parse(parser, messages)

    monkeypatch.setattr(Parser, "parse", watched)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = memory("self", "VmRSS")
    with pytest.raises(Died):
        scenario.ingest(dying_at("change log published"))
    print(f"{memory('self', 'VmHWM') - before} MiB here, {max(backends)} MiB in the source, {len(backends)} batches")
    assert memory("self", "VmHWM") - before < 150
    assert 0 < max(backends) < 330
    assert scenario.spark.table(scenario.change_log.spark_name).count() == ROWS


def memory(process: int | str, measure: str) -> int:
    """In MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{measure}:")) // 1024


def backend_memory(scenario: Scenario) -> int:
    rows = scenario.on_source(
        "select pid from pg_stat_activity where datname = current_database()"
        " and query like '%pg_logical_slot_peek%' and pid <> pg_backend_pid()"
    )
    return max([memory(pid, "RssAnon") for [pid] in rows], default=0)


CANARIES = ("canary@example.com", "Canary Bird", "c4n4ry-phone")


def test_personal_data_are_in_no_file_log_or_report(scenario: Scenario, capfd: pytest.CaptureFixture[str]) -> None:
    """Whole old rows are sent, and a row that goes to the quarantine has some."""
    email, name, phone = CANARIES
    scenario.on_source(
        "create table players (id int primary key, email text, name text, phone text, at timestamptz, level int)",
        "alter table players replica identity full",
        f"insert into players values (1, '{email}', '{name}', '{phone}', 'infinity', 1), (2, 'b', 'b', 'b', null, 2)",
    )
    scenario.publish_tables("players")
    pii = {"email": "hash", "name": "drop", "phone": "hash"}
    scenario.options = {"tables": {"public.players": {"pii": pii, "history": True}}}
    scenario.migrate()
    reports = [scenario.ingest()]
    scenario.on_source(
        f"update players set name = '{name}', at = '-infinity' where id = 1",
        f"update players set email = '{email}', name = '{name}', phone = '{phone}' where id = 2",
        f"insert into players values (3, '{email}', '{name}', '{phone}', null, 3)",
        "delete from players where id = 3",
    )
    reports.append(scenario.ingest())
    assert reports[1]["players"].quarantined == 1
    reports.append(scenario.publish())
    # One that stops its table: the message names what is wrong.
    scenario.on_source("update players set at = 'infinity'", "alter table players alter level type text")
    reports.append(scenario.ingest_what_can_be())
    assert reports[3]["players"].error

    said = "".join(capfd.readouterr()) + repr(reports)
    served = repr(scenario.on_serving("select * from app.players"))
    files = list(contents(scenario))
    assert len(files) > 8
    for canary in CANARIES:
        assert canary not in said + served
        assert [key for key, content in files if canary.encode() in content] == []
    assert any(b"infinity" in content for _, content in files)  # what is looked for is found


def contents(scenario: Scenario) -> Iterator[tuple[str, bytes]]:
    """What the scenario's files hold; of Parquet, its values."""
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            key = item["Key"]
            if f"_{scenario.name}.db/" in key:
                body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
                if key.endswith(".parquet"):
                    body += repr(pq.read_table(BytesIO(body)).to_pylist()).encode()
                yield key, body
