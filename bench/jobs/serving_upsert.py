"""Changed rows into dataengineering-db, beside the same statements fed by COPY."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import shots
from surroundings import Surroundings
from trackman import serving

_ROWS = 400_000
_CHANGED = 200_000


def serving_upsert(around: Surroundings, runs: int) -> Iterator[dict[str, float]]:
    """Seconds of staging and applying rows that Spark holds in memory, by those of the same rows out of a file."""
    with around.scenario("serving") as scenario, tempfile.TemporaryDirectory(prefix="trackman-bench-") as directory:
        file = Path(directory) / "rows"
        shots.fill(scenario, _ROWS)
        scenario.migrate()
        scenario.ingest()
        scenario.publish()
        target = f"base.{shots.TABLE}"
        for run in range(-1, runs):  # the first is for warmth
            scenario.on_source(f"update shots set carry = carry + 1 where id % 2 = {run % 2}")
            scenario.ingest()
            planned = serving._plan
            seconds = {}

            def plan(*arguments, planned=planned, seconds=seconds):
                """The planned loads, read before the time counts."""
                loads = list(planned(*arguments))
                for load in loads:
                    load.rows.persist().count()
                seconds["planned"] = time.perf_counter()
                return loads

            def checkpoint(name: str, seconds=seconds) -> None:
                seconds[name] = time.perf_counter()

            with patch("trackman.serving._plan", plan):
                report = scenario.publish(checkpoint)[shots.TABLE]
            assert report.upserted == _CHANGED
            job = seconds["committed"] - seconds["planned"]

            around.run_psql(
                scenario.serving,
                f"\\copy (select * from {target} where id % 2 = {run % 2}) to '{file}' (format binary)",
            )
            columns = [row[0] for row in scenario.on_serving(_COLUMNS)]
            assignments = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
            started = time.perf_counter()
            around.run_psql(
                scenario.serving,
                f"begin; create temporary table s (like {target}) on commit drop;",
                f"\\copy s from '{file}' (format binary)",
                f"insert into {target} select * from s on conflict (id) do update set {assignments}; commit",
            )
            if run >= 0:
                yield {"job to copy": job / (time.perf_counter() - started)}


_COLUMNS = f"select attname from pg_attribute where attrelid = 'base.{shots.TABLE}'::regclass and attnum > 0"
