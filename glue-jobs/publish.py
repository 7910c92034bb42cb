"""The job publish: from the lake's current tables to what is made of them. Its stages fail each alone."""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict

from pyspark.sql import SparkSession
from trackman import aws
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.contract import Contract, FilesContract, load_contracts
from trackman.errors import JobError
from trackman.iceberg import CATALOG, IcebergCatalog
from trackman.marts import load_marts, make_marts
from trackman.postgres import Server
from trackman.served import ServedPosition, served_feeds, served_marts, served_tables
from trackman.serving import serve
from trackman.session import spark_session
from trackman.versions import current_versions

Contracts = Sequence[Contract | FilesContract]
Stage = Callable[[SparkSession, Contracts, argparse.Namespace], None]
FRONTIER_OBJECT = "_trackman/frontiers/dataengineering-db.json"


def main(argv: list[str]) -> None:
    arguments = parse_arguments(argv)
    contracts = load_contracts(aws.read_object(arguments.contracts).decode(), Contract | FilesContract)
    spark = spark_session()
    failures = []
    for stage in STAGES:
        try:
            stage(spark, contracts, arguments)
        except Exception as error:  # noqa: BLE001, whatever it is: the other stages are tried, then the job fails
            traceback.print_exc()
            failures.append(f"{stage.__name__}: {error}")
    if failures:
        raise JobError("; ".join(failures))


def stage_marts(spark: SparkSession, _contracts: Contracts, arguments: argparse.Namespace) -> None:
    """The marts follow the current tables, each by itself."""
    marts = load_marts(aws.read_object(arguments.marts).decode())
    versions = current_versions(IcebergCatalog(spark), arguments.lake_database)
    log = spark.table(f"{CATALOG}.{arguments.raw_database}.{CHANGE_LOG}")
    failures = []
    for report in make_marts(spark, marts, versions, log, arguments.marts_database, arguments.JOB_RUN_ID):
        print(json.dumps({"run": arguments.JOB_RUN_ID, "stage": "marts", **asdict(report)}), flush=True)
        if report.error is not None:
            failures.append(f"{report.mart}: {report.error}")
    if failures:
        raise JobError(f"{len(failures)} failed, all others are made: {'; '.join(failures)}")


def stage_serve(spark: SparkSession, contracts: Contracts, arguments: argparse.Namespace) -> None:
    """dataengineering-db follows the current tables, the marts and the feeds."""
    login = json.loads(aws.secret(arguments.serving_secret))
    server = Server(
        arguments.serving_host,
        arguments.serving_port,
        arguments.serving_database,
        login["username"],
        login["password"],
        aws.parameter(arguments.serving_ca_parameter),
    )
    catalog = IcebergCatalog(spark)
    versions = current_versions(catalog, arguments.lake_database)
    tables = served_tables(versions, [each for each in contracts if isinstance(each, Contract)])
    marts = served_marts(
        catalog, load_marts(aws.read_object(arguments.marts).decode()), versions, arguments.marts_database
    )
    of_files = [each for each in contracts if isinstance(each, FilesContract)]
    feeds = served_feeds(catalog, of_files, arguments.lake_database)
    served = [*tables, *marts, *feeds]
    problems = []
    for report in serve(spark, served, arguments.raw_database, server):
        print(json.dumps({"run": arguments.JOB_RUN_ID, "stage": "serve", **asdict(report)}), flush=True)
        if report.problem is not None:
            problems.append(report.problem)
    if tables:
        # Files land when they land: feeds have no part in how fresh it is, nor have marts beside their tables.
        frontiers = {table.name: table.frontier for table in tables}
        positions = [asdict(ServedPosition.of(table)) for table in served]
        committed = {"frontier": min(frontiers.values()), "tables": frontiers, "positions": positions}
        aws.write_object(f"{arguments.lake}/{FRONTIER_OBJECT}", json.dumps(committed).encode())
    if problems:
        raise JobError(f"all rows are served: {'; '.join(problems)}")


STAGES: Sequence[Stage] = (stage_marts, stage_serve)


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--contracts", required=True, help="s3:// address of the contracts' JSON")
    parser.add_argument("--lake", required=True, help="s3:// address of the lake's bucket")
    parser.add_argument("--raw-database", required=True, help="Glue database of the change log")
    parser.add_argument("--lake-database", required=True, help="Glue database of the current tables")
    parser.add_argument("--marts", required=True, help="s3:// address of the marts' JSON")
    parser.add_argument("--marts-database", required=True, help="Glue database of the marts")
    parser.add_argument("--serving-host", required=True)
    parser.add_argument("--serving-port", required=True, type=int)
    parser.add_argument("--serving-database", required=True)
    parser.add_argument("--serving-secret", required=True, help="secret of the role loader")
    parser.add_argument("--serving-ca-parameter", required=True, help="SSM parameter: PEM of the server's authority")
    parser.add_argument("--JOB_RUN_ID", required=True, help="given by Glue")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


if __name__ == "__main__":
    main(sys.argv[1:])
