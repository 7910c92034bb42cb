"""The job maintain: keeps the Iceberg tables of the change log, the lake and the marts small and quick to read.

Before that, it removes what is older than the contracts keep it, and what somebody asked to have erased.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession
from trackman import aws, quarantine
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.contract import load_contracts
from trackman.erasure import Request, erase
from trackman.errors import JobError
from trackman.failures import FAILURES, reason_of
from trackman.followers import Followed, followed_tables
from trackman.iceberg import IcebergCatalog
from trackman.maintenance import ORPHAN_AGE, maintain
from trackman.retention import remove_old_changes, remove_old_values
from trackman.served import ServedPosition
from trackman.session import spark_session


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    spark = spark_session()
    catalog = IcebergCatalog(spark)
    followed = find_followed(catalog, arguments)
    failures = []

    def attempt(what: str, reports: Callable[[], Iterable]) -> list:
        """Print reports as they come. What fails is told at the end, and stops nothing else."""
        printed = []
        try:
            for report in reports():
                print(json.dumps({"run": arguments.JOB_RUN_ID, **asdict(report)}), flush=True)
                printed.append(report)
        except FAILURES as error:
            failures.append(f"{what}: {reason_of(error)}")
        return printed

    attempt("retention", lambda: remove_old(spark, catalog, followed, arguments))
    touched = set()
    if arguments.erase:
        names = (arguments.raw_database, arguments.lake_database)
        for erasure in attempt("erasure", lambda: [erase(spark, arguments.erase, *names, followed)]):
            # Marts do not say which of their rows were made from one that was erased.
            touched.update(erasure.tables, (table.name for table in catalog.tables(arguments.marts_database)))
    keep = timedelta(days=arguments.snapshot_days)
    for database in (arguments.raw_database, arguments.lake_database, arguments.marts_database):
        for table in catalog.tables(database):
            report = maintain(spark, table, keep, ORPHAN_AGE, leave_nothing=table.name in touched)
            print(json.dumps({"run": arguments.JOB_RUN_ID, **asdict(report)}), flush=True)
            if report.error:
                failures.append(f"{table.name}: {report.error}")
    if failures:
        raise JobError(f"{len(failures)} failed, all else is maintained: {'; '.join(failures)}")


def find_followed(catalog: IcebergCatalog, arguments: argparse.Namespace) -> Followed:
    """How far everything is that is made from the change log."""

    def properties(database: str) -> Iterator[tuple[str, dict[str, str]]]:
        tables = catalog.tables(database)
        return ((table.name.removeprefix(f"{database}."), table.properties) for table in tables)

    text = aws.read_object_if_there(arguments.serving_frontiers)
    served = [ServedPosition(**values) for values in json.loads(text)["positions"]] if text else []
    return followed_tables(
        properties(arguments.lake_database),
        properties(arguments.marts_database),
        {each.table: each.place for each in served if each.place},
    )


def remove_old(
    spark: SparkSession, catalog: IcebergCatalog, followed: Followed, arguments: argparse.Namespace
) -> Iterator:
    """What is older than the contracts keep it."""
    contracts = load_contracts(aws.read_object(arguments.contracts).decode())
    now = datetime.now(UTC)
    if log := catalog.find(arguments.raw_database, CHANGE_LOG):
        yield from remove_old_changes(spark, log, arguments.lake_database, contracts, followed, now)
    if set_aside := catalog.find(arguments.raw_database, quarantine.TABLE):
        yield from remove_old_values(spark, set_aside, contracts, now)


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--raw-database", required=True, help="Glue database of the change log")
    parser.add_argument("--lake-database", required=True, help="Glue database of the current tables")
    parser.add_argument("--marts-database", required=True, help="Glue database of the marts")
    parser.add_argument("--serving-frontiers", required=True, help="s3:// address of what publish leaves there")
    parser.add_argument("--snapshot-days", required=True, type=whole_days, help="for how long old snapshots are kept")
    parser.add_argument(
        "--erase",
        type=Request.parse,
        help="a row of which only what the source has is to be left: source schema.table value …, percent-encoded",
    )
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
