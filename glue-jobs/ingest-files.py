"""The job ingest-files: what landed as files, into the tables of their feeds."""

import argparse
import json
import sys
import traceback
from dataclasses import asdict

from trackman import aws
from trackman.contract import FilesContract, load_contracts
from trackman.errors import JobError
from trackman.files import FilesIngestion
from trackman.session import spark_session


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    contracts = load_contracts(aws.read_object(arguments.contracts).decode(), FilesContract)
    spark = spark_session()
    failures = []
    for contract in contracts:
        try:
            report = FilesIngestion(
                spark,
                contract,
                arguments.landing_bucket,
                arguments.raw_database,
                arguments.lake_database,
                arguments.JOB_RUN_ID,
            ).run()
        except Exception as error:  # noqa: BLE001, whatever it is: the other feeds are tried, then the job fails
            traceback.print_exc()
            failures.append(f"{contract.source}: {error}")
            continue
        print(json.dumps({"run": arguments.JOB_RUN_ID, "source": contract.source, **asdict(report)}), flush=True)
        if report.error:
            failures.append(f"{contract.source}: {report.error}")
    if failures:
        raise JobError(f"all else is in the lake: {'; '.join(failures)}")


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--landing-bucket", required=True, help="where files land")
    parser.add_argument("--raw-database", required=True, help="Glue database of the ledger")
    parser.add_argument("--lake-database", required=True, help="Glue database of the feeds' tables")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


if __name__ == "__main__":
    main(sys.argv[1:])
