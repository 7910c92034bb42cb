"""Measures how far the lake and dataengineering-db are behind the sources, every five minutes, for CloudWatch's alarms.

Tables of feeds are left out: files land when they land, and nobody's clock says that there are none to come.
Freshness is now less the frontier of the table furthest behind; a frontier is the source's clock at the moment that
the table's position was read. So an idle source is fresh, and a pipeline that is stuck is not. A target of which that
is not known of every table gets no value at all: alarms take silence for the worst, and never see a good value that
leaves a table out. What is known is published first, then the job fails and names what is not.

A Python shell job (Python 3.9) that needs boto3 only and nothing of Glue's, so that it can move to AWS Lambda as it is.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

NAMESPACE = "Trackman"
METRIC = "Freshness"  # in seconds
TARGET = "Target"  # its dimension
LAKE, SERVING = "lake", "dataengineering-db"

FRONTIER = "trackman.frontier"  # property of the lake's Iceberg tables
FEED = "trackman.files"  # property of those that are filled from files


@dataclass(frozen=True)
class Reading:
    """What is known of a target: the frontier of each table (ISO 8601, UTC), and what is not."""

    target: str
    frontiers: dict = field(default_factory=dict)
    problem: str = ""

    def seconds(self, now: datetime) -> Any:
        """How far it is behind; None unless that is known of all of it."""
        if self.problem or not self.frontiers:
            return None
        return (now - min(map(parse_time, self.frontiers.values()))).total_seconds()


def main(argv: list) -> None:
    args = parse_arguments(argv)
    s3 = boto3.client("s3")
    readings = [
        known(LAKE, lambda: read_lake(boto3.client("glue"), s3, args.lake_database)),
        known(SERVING, lambda: read_serving(s3, args.serving_frontiers)),
    ]
    now = datetime.now(timezone.utc)
    data = metric_data(readings, now)
    if data:
        boto3.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)
    print(json.dumps(report(readings, now)), flush=True)
    problems = [f"{reading.target}: {reading.problem}" for reading in readings if reading.problem]
    if problems:
        raise RuntimeError("; ".join(problems))


def parse_arguments(argv: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--lake-database", required=True, help="Glue database of the lake's current tables")
    parser.add_argument("--serving-frontiers", required=True, help="s3:// address of what publish leaves there")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


def known(target: str, read: Any) -> Reading:
    """What `read` returns; that a service refused to answer is a problem of this target alone."""
    try:
        return read()
    except ClientError as error:
        return Reading(target, problem=str(error))


def read_lake(glue: Any, s3: Any, database: str) -> Reading:
    """The frontier of each Iceberg table, from the metadata file that the catalog points to."""
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    locations = {
        table["Name"]: table["Parameters"]["metadata_location"] for page in pages for table in page["TableList"]
    }
    properties = {name: json.loads(read_object(s3, location))["properties"] for name, location in locations.items()}
    return lake_reading(database, properties)


def lake_reading(database: str, properties: dict) -> Reading:
    """The same from the tables' properties."""
    followed = {name: values for name, values in properties.items() if FEED not in values}
    frontiers = {name: values[FRONTIER] for name, values in followed.items() if FRONTIER in values}
    without = sorted(followed.keys() - frontiers.keys())
    problem = ""
    if not followed:
        problem = f"{database} holds no table: has ingest run?"
    elif without:
        problem = f"no {FRONTIER} on {', '.join(without)}: ingest has copied them and not caught up yet"
    return Reading(LAKE, frontiers, problem)


def read_serving(s3: Any, uri: str) -> Reading:
    """The frontiers that publish has committed: `{"frontier": …, "tables": {name: frontier}}`."""
    bucket, key = split(uri)
    # Asked first: who may list below a prefix only is refused an object that does not exist, and not told so.
    if not s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"]:
        return Reading(SERVING, problem=f"there is no {uri}: has publish run?")
    return Reading(SERVING, json.loads(read_object(s3, uri))["tables"])


def read_object(s3: Any, uri: str) -> bytes:
    bucket, key = split(uri)
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def split(uri: str) -> tuple:
    """Bucket and key of `s3://bucket/key`."""
    address = urlsplit(uri, allow_fragments=False)
    return address.netloc, address.path[1:]


def metric_data(readings: list, now: datetime) -> list:
    """A datapoint for each target of which all is known."""
    known_readings = [(reading.target, reading.seconds(now)) for reading in readings]
    return [
        {
            "MetricName": METRIC,
            "Dimensions": [{"Name": TARGET, "Value": target}],
            "Timestamp": now,
            "Value": seconds,
            "Unit": "Seconds",
        }
        for target, seconds in known_readings
        if seconds is not None
    ]


def report(readings: list, now: datetime) -> dict:
    """What the log says: each target's seconds (null: not known) and each table's frontier."""
    return {
        "time": now.isoformat(timespec="seconds"),
        "targets": {
            reading.target: {"seconds": reading.seconds(now), "frontiers": reading.frontiers} for reading in readings
        },
    }


def parse_time(text: str) -> datetime:
    """A frontier, as `2026-11-24T09:00:00.000000Z`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


if __name__ == "__main__":
    main(sys.argv[1:])
