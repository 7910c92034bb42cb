"""The job ingest: what changed in the sources, into the change log and the current tables of the lake."""

import argparse
import json
import sys
from dataclasses import asdict

from trackman import aws
from trackman.contract import load_contracts
from trackman.errors import JobError
from trackman.ingestion import Ingestion
from trackman.metrics import to_cloudwatch
from trackman.session import spark_session


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    contracts = load_contracts(aws.read_object(arguments.contracts).decode())
    spark = spark_session()
    failures = []
    for contract in contracts:
        try:
            reports = Ingestion(
                spark,
                contract,
                arguments.raw_database,
                arguments.lake_database,
                arguments.JOB_RUN_ID,
                measure=to_cloudwatch,
            ).run()
        except JobError as error:
            failures.append(str(error))
            continue
        for report in reports:
            print(json.dumps({"run": arguments.JOB_RUN_ID, "source": contract.source, **asdict(report)}), flush=True)
        failures += [report.error for report in reports if report.error]
    if failures:
        raise JobError(f"{len(failures)} failed, all else is up to date: {'; '.join(failures)}")


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--raw-database", required=True, help="Glue database of the change log")
    parser.add_argument("--lake-database", required=True, help="Glue database of the current tables")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


if __name__ == "__main__":
    main(sys.argv[1:])
