"""What an incremental run of ingest costs: one table's merge, and a whole run over a small and a large table."""

import time
from collections.abc import Iterator

import shots
from platform_under_test import Scenario
from surroundings import Surroundings

_ROWS = 2_000_000
_CHANGES = 20_000
_TIMES_LARGER = 8


def merge(around: Surroundings, runs: int) -> Iterator[dict[str, float]]:
    """Seconds of a table's merge and its commit, and MB of the files that it wrote."""
    with around.scenario("merge") as scenario:
        shots.fill(scenario, _ROWS)
        scenario.ingest()
        for run in range(-1, runs):  # the first is for warmth
            shots.change_recent(scenario, _ROWS, _CHANGES, run + 1)
            report = scenario.ingest()[shots.TABLE]
            assert report.read == _CHANGES
            if run >= 0:
                yield {"seconds": report.seconds, "megabytes": report.bytes / 1e6}


def table_size(around: Surroundings, runs: int) -> Iterator[dict[str, float]]:
    """The cost of the same changes to a table that is larger, by that to the smaller one."""
    with around.scenario("small") as small, around.scenario("large") as large:
        sizes = {small: _ROWS, large: _ROWS * _TIMES_LARGER}
        for scenario, rows in sizes.items():
            shots.fill(scenario, rows)
            scenario.ingest()
        for run in range(-1, runs):  # the first is for warmth
            seconds = [_run(scenario, rows, run + 1) for scenario, rows in sizes.items()]
            if run >= 0:
                yield {"large to small": seconds[1] / seconds[0]}


def _run(scenario: Scenario, rows: int, number: int) -> float:
    shots.change_recent(scenario, rows, _CHANGES, number)
    started = time.perf_counter()
    report = scenario.ingest()[shots.TABLE]
    assert report.read == _CHANGES
    return time.perf_counter() - started
