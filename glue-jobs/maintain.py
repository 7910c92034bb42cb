"""The job maintain: keeps the Iceberg tables of the change log, the lake and the marts small and quick to read."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import timedelta

from trackman.errors import JobError
from trackman.iceberg import IcebergCatalog
from trackman.maintenance import ORPHAN_AGE, maintain
from trackman.session import spark_session


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    spark = spark_session()
    catalog = IcebergCatalog(spark)
    keep = timedelta(days=arguments.snapshot_days)
    failures = []
    for database in (arguments.raw_database, arguments.lake_database, arguments.marts_database):
        for table in catalog.tables(database):
            report = maintain(spark, table, keep, ORPHAN_AGE)
            print(json.dumps({"run": arguments.JOB_RUN_ID, **asdict(report)}), flush=True)
            if report.error:
                failures.append(f"{table.name}: {report.error}")
    if failures:
        raise JobError(f"{len(failures)} failed, all else is maintained: {'; '.join(failures)}")


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--raw-database", required=True, help="Glue database of the change log")
    parser.add_argument("--lake-database", required=True, help="Glue database of the current tables")
    parser.add_argument("--marts-database", required=True, help="Glue database of the marts")
    parser.add_argument("--snapshot-days", required=True, type=whole_days, help="for how long old snapshots are kept")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


def whole_days(text: str) -> int:
    """At least one: whoever reads a table now may go on reading what it was when they began."""
    days = int(text)
    if days < 1:
        raise argparse.ArgumentTypeError(f"{days} is less than 1 day")
    return days


if __name__ == "__main__":
    main(sys.argv[1:])
