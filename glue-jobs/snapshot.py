"""The job snapshot: one table of a source, too large for the time of the job ingest, copied into the lake."""

import argparse
import json
import sys
from dataclasses import asdict

from trackman import aws
from trackman.contract import load_contracts, parse_table_name
from trackman.copying import copy_by_itself
from trackman.errors import JobError
from trackman.metrics import to_cloudwatch
from trackman.session import spark_session


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    contracts = {each.source: each for each in load_contracts(aws.read_object(arguments.contracts).decode())}
    if arguments.source not in contracts:
        raise JobError(f"--source is {arguments.source}, expected one of {', '.join(sorted(contracts))}")
    report = copy_by_itself(
        spark_session(),
        contracts[arguments.source],
        arguments.raw_database,
        arguments.lake_database,
        arguments.JOB_RUN_ID,
        parse_table_name(arguments.table),
    )
    to_cloudwatch(report.measurements(arguments.source))
    print(json.dumps({"run": arguments.JOB_RUN_ID, "source": arguments.source, **asdict(report)}), flush=True)
    if report.error:
        raise JobError(report.error)


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--raw-database", required=True, help="Glue database of the change log")
    parser.add_argument("--lake-database", required=True, help="Glue database of the current tables")
    parser.add_argument("--source", required=True, help="name of the source's contract")
    parser.add_argument("--table", required=True, help="schema.table")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


if __name__ == "__main__":
    main(sys.argv[1:])
