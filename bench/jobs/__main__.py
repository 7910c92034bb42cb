"""Measures the jobs: python bench/jobs MEASURE --runs N. A line of JSON a run, each figure by its name."""

import argparse
import json
import tempfile
from pathlib import Path

from change_log import changes, large_transaction
from incremental import merge, table_size
from serving_upsert import serving_upsert
from snapshot import snapshot
from surroundings import surroundings

_MEASURES = {each.__name__: each for each in (snapshot, changes, large_transaction, merge, table_size, serving_upsert)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", choices=_MEASURES)
    parser.add_argument("--runs", type=int, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trackman-bench-") as directory, surroundings(Path(directory)) as around:
        around.spark.sparkContext.setLogLevel("OFF")
        for figures in _MEASURES[arguments.measure](around, arguments.runs):
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
