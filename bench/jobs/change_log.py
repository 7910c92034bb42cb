"""The source's log into the change log: how fast beside the server's own decoding, and in how much memory."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from platform_under_test import Scenario
from surroundings import Surroundings
from trackman.change_log import Drain, open_change_log, start_or_resume
from trackman.checkpoints import no_checkpoint
from trackman.source import Source

_TABLES = 5
_CHANGES = 200_000
_LARGE_TRANSACTION = 1_000_000

_CREATE = """
create table t{n} (id bigint primary key, session_id uuid not null, club text not null,
                   ball_speed numeric(5, 2) not null, carry numeric(6, 2) not null, spin_rate integer,
                   hit_at timestamptz not null)
"""
_INSERT = """
insert into t{n} select i, md5(i::text)::uuid, 'driver', 40 + i % 4000 / 100.0, 100 + i % 15000 / 100.0,
                        2000 + i % 8000, timestamptz '2026-10-01 00:00Z' + i * interval '1 second'
from generate_series({first}, {last}) as i
"""


def changes(around: Surroundings, runs: int) -> Iterator[dict[str, float]]:
    """Half are inserts, four of ten updates, one of ten deletes; a transaction a table."""
    with around.scenario("changes") as scenario:
        _prepare(scenario, _TABLES)
        each = _CHANGES // _TABLES
        for run in range(-1, runs):  # the first is for warmth
            first, inserts = (run + 1) * each, each // 2
            for n in range(_TABLES):
                connection = scenario.connect(scenario.source)
                connection.run("begin")
                connection.run(_INSERT.format(n=n, first=first, last=first + inserts - 1))
                updated = f"id >= {first} and id < {first + each * 4 // 10}"
                connection.run(f"update t{n} set carry = carry + 1, spin_rate = spin_rate + 1 where {updated}")
                connection.run(f"delete from t{n} where id >= {first} and id < {first + each // 10}")
                connection.run("commit")
            decode = min(_decode(scenario) for _ in range(2))
            seconds = _drain(scenario, _CHANGES)
            if run >= 0:
                yield {"changes per second": _CHANGES / seconds, "job to decode": seconds / decode}


def large_transaction(around: Surroundings, runs: int) -> Iterator[dict[str, float]]:
    """The peak of this process's resident memory, in MB, that Spark's JVM is no part of."""
    with around.scenario("large") as scenario:
        _prepare(scenario, 1)
        for run in range(runs):
            first = run * _LARGE_TRANSACTION
            scenario.on_source(_INSERT.format(n=0, first=first, last=first + _LARGE_TRANSACTION - 1))
            Path("/proc/self/clear_refs").write_text("5")  # begin a new peak
            _drain(scenario, _LARGE_TRANSACTION)
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
            yield {"peak": int(peak.group(1)) / 1024}


def _prepare(scenario: Scenario, tables: int) -> None:
    scenario.on_source(*[_CREATE.format(n=n) for n in range(tables)])
    scenario.publish_tables(*[f"t{n}" for n in range(tables)])
    scenario.ingest()


def _decode(scenario: Scenario) -> float:
    """Seconds in which the server decodes what is pending, in memory, and gives none of it to anybody."""
    connection = scenario.connect(scenario.source)
    connection.run("set logical_decoding_work_mem = '256MB'")
    started = time.perf_counter()
    connection.run(
        f"select count(*), sum(length(data)) from pg_logical_slot_peek_binary_changes('{scenario.name}', null, null,"
        " 'proto_version', '1', 'messages', 'true', 'publication_names', 'trackman')"
    )
    return time.perf_counter() - started


def _drain(scenario: Scenario, expected: int) -> float:
    """Seconds from the first peek until the change log is committed and the slot acknowledged."""
    contract, server = scenario.contract, scenario.source
    scenario.runs += 1
    run_id = f"jr_{scenario.name}_{scenario.runs}"
    with closing(server.connect()) as connection:
        source = Source(contract, connection)
        log = open_change_log(scenario.catalog, scenario.raw_database)
        bookmark = start_or_resume(log, source, contract, source.check(), run_id, anew=False)
        barrier = source.set_barrier(run_id)
        started = time.perf_counter()
        drained = Drain(log, source, server, contract, None, run_id, no_checkpoint).run(bookmark, barrier)
        seconds = time.perf_counter() - started
    assert drained.changes.total() == expected
    return seconds
