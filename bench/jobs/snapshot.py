"""A first copy of a table, beside a client that only drains COPY and beside what others would use."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import shots
from surroundings import Surroundings
from trackman.contract import TableName

_ROWS = 2_000_000
_FETCH_SIZE = 10_000  # JDBC's default keeps all rows in memory


def snapshot(around: Surroundings, runs: int) -> Iterator[dict[str, float]]:
    """Ratios to COPY in the same run, of seconds of the job, and of the others' to the job's."""
    with around.scenario("snapshot") as scenario:
        shots.fill(scenario, _ROWS)
        scenario.ingest()
        name = TableName("public", shots.TABLE)

        def job() -> None:
            report = scenario.copy_by_itself(name)
            assert (report.error, report.inserted) == (None, _ROWS)

        def drain() -> None:
            around.run_psql(scenario.source, f"copy {shots.TABLE} to stdout (format binary)")

        def jdbc() -> None:
            rows = scenario.spark.read.jdbc(
                f"jdbc:{scenario.source.url.replace(f'{scenario.source.user}:{scenario.source.password}@', '')}",
                shots.TABLE,
                properties={
                    "user": scenario.source.user,
                    "password": scenario.source.password,
                    "fetchsize": str(_FETCH_SIZE),
                    "driver": "org.postgresql.Driver",
                },
            )
            rows.writeTo(f"glue_catalog.{scenario.lake_database}.by_jdbc").createOrReplace()

        with _dlt(around, scenario.source.url) as dlt:
            contenders = {"job": job, "copy": drain, "jdbc": jdbc, "dlt": dlt}
            for contend in contenders.values():
                contend()  # warm
            for _ in range(runs):
                seconds = {contender: _timed(contend) for contender, contend in contenders.items()}
                yield {
                    "job to copy": seconds["job"] / seconds["copy"],
                    "jdbc to job": seconds["jdbc"] / seconds["job"],
                    "dlt to job": seconds["dlt"] / seconds["job"],
                }


@contextmanager
def _dlt(around: Surroundings, url: str) -> Iterator[Callable[[], None]]:
    """A copy by dlt, in a process that stays warm."""
    program = Path(__file__).with_name("dlt_copy.py")
    with tempfile.TemporaryDirectory(prefix="trackman-bench-") as directory:
        command = [around.rivals_python, program, url, shots.TABLE, directory]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def copy() -> None:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{_ROWS}\n"

        yield copy
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
