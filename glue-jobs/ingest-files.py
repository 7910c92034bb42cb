"""The job ingest-files: files that landed, into the lake. Contracts cannot ask for that yet: it says so and ends."""

import argparse
import json
import sys

from trackman import aws
from trackman.contract import load_contracts


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    contracts = load_contracts(aws.read_object(arguments.contracts).decode())
    report = {
        "run": arguments.JOB_RUN_ID,
        "sources": [contract.source for contract in contracts],
        "ingested": 0,
        "reason": "no contract has mode files",
    }
    print(json.dumps(report), flush=True)


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


if __name__ == "__main__":
    main(sys.argv[1:])
