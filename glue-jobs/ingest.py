"""The job ingest: what changed in the sources, into the change log and the current tables of the lake."""

import argparse
import json
import sys
from dataclasses import asdict, replace

from trackman import aws
from trackman.contract import TableName, WatermarkContract, load_contracts, parse_table_name
from trackman.errors import JobError
from trackman.ingestion import NOTHING_ANEW, Anew, Ingestion
from trackman.metrics import to_cloudwatch
from trackman.session import spark_session
from trackman.watermark_ingestion import WatermarkIngestion


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    contracts = load_contracts(aws.read_object(arguments.contracts).decode())
    anew = parse_anew(arguments.anew)
    if unknown := anew.keys() - {contract.source for contract in contracts}:
        raise JobError(f"--anew names {', '.join(sorted(unknown))}, which is no source of the contracts")
    spark = spark_session()
    failures = []
    for contract in contracts:
        try:
            follow = WatermarkIngestion if isinstance(contract, WatermarkContract) else Ingestion
            reports = follow(
                spark,
                contract,
                arguments.raw_database,
                arguments.lake_database,
                arguments.JOB_RUN_ID,
                lambda table, source=contract.source: start_snapshot(arguments.snapshot_job, source, table),
                anew.get(contract.source, NOTHING_ANEW),
                measure=to_cloudwatch,
            ).run()
        except JobError as error:
            failures.append(str(error))
            continue
        to_cloudwatch([each for report in reports for each in report.measurements(contract.source)])
        for report in reports:
            print(json.dumps({"run": arguments.JOB_RUN_ID, "source": contract.source, **asdict(report)}), flush=True)
        failures += [report.error for report in reports if report.error]
    if failures:
        raise JobError(f"{len(failures)} failed, all else is up to date: {'; '.join(failures)}")


def start_snapshot(job: str, source: str, table: TableName) -> None:
    """Have a table copied by the job snapshot, unless that is at work on another: then it is for a later run."""
    glue = aws.client("glue")
    try:
        glue.start_job_run(JobName=job, Arguments={"--source": source, "--table": str(table)})
    except glue.exceptions.ConcurrentRunsExceededException:
        print(f"{table}: the job {job} is at work already", flush=True)


def parse_anew(text: str) -> dict[str, Anew]:
    """By source. `backend public.shots, other` are a table of one source, and all of another with its history."""
    anew: dict[str, Anew] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        source, _, table = item.partition(" ")
        before = anew.get(source, NOTHING_ANEW)
        if table:
            anew[source] = replace(before, tables=before.tables | {parse_table_name(table)})
        else:
            anew[source] = replace(before, history=True)
    return anew


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--raw-database", required=True, help="Glue database of the change log")
    parser.add_argument("--lake-database", required=True, help="Glue database of the current tables")
    parser.add_argument("--snapshot-job", required=True, help="name of the job that copies large tables")
    parser.add_argument("--anew", default="", help="what to copy anew: source schema.table, …, or source for all of it")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


if __name__ == "__main__":
    main(sys.argv[1:])
