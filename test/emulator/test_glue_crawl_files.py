"""Crawls of S3: real objects are listed, classified and grouped into tables, with the rights of the crawler's role."""

import gzip
import json
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Emulator
from glue_support import TRUST_GLUE, wait_for
from roles import Role, allow

from emulator.glue_crawl_files import UNKNOWN, classify

SHOTS_CSV = "id,club,ball_speed\n1,driver,71.5\n2,putter,3\n"
BAYS_JSON = '{"bay": 1, "temperature": 21.5}\n{"bay": 2, "temperature": 20, "faults": ["net"]}\n'


class Landing:
    """A bucket, and crawlers over it that each write to a database of its own."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.s3, self.glue = emulator.client("s3"), emulator.client("glue")
        self.bucket = f"landing-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.role = self.new_role(allow(["glue:*", "s3:*", "logs:*", "secretsmanager:GetSecretValue"]))

    def new_role(self, *statements: Mapping[str, Any]) -> Role:
        name = f"crawler-{uuid.uuid4().hex[:8]}"
        return Role(self.emulator, name, *statements, AssumeRolePolicyDocument=TRUST_GLUE)

    def put(self, files: Mapping[str, str | bytes]) -> None:
        for key, content in files.items():
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def create(self, folder: str, **definition: Any) -> str:
        """A crawler of a folder; its database has the same name."""
        name = f"files_{uuid.uuid4().hex[:8]}"
        self.glue.create_database(DatabaseInput={"Name": name})
        target = {"Path": f"s3://{self.bucket}/{folder}", **definition.pop("target", {})}
        defaults = {"Role": self.role.name, "DatabaseName": name, "Targets": {"S3Targets": [target]}}
        self.glue.create_crawler(Name=name, **{**defaults, **definition})
        return name

    def crawl(self, name: str) -> dict[str, Any]:
        """Crawl and return what the crawler says of it."""
        self.glue.start_crawler(Name=name)
        read = lambda: self.glue.get_crawler(Name=name)["Crawler"]  # noqa: E731
        return wait_for(read, lambda crawler: crawler["State"] == "READY")["LastCrawl"]

    def tables(self, name: str) -> dict[str, dict[str, Any]]:
        return {table["Name"]: table for table in self.glue.get_tables(DatabaseName=name)["TableList"]}

    def crawled(self, folder: str, files: Mapping[str, str | bytes], **definition: Any) -> dict[str, dict[str, Any]]:
        """The tables that a first crawl finds of files in a folder."""
        self.put({f"{folder}{path}": content for path, content in files.items()})
        name = self.create(folder, **definition)
        last = self.crawl(name)
        assert last["Status"] == "SUCCEEDED", last
        return self.tables(name)


@pytest.fixture(scope="module")
def landing(emulator) -> Landing:
    return Landing(emulator)


@pytest.fixture
def folder() -> str:
    """One that no other test uses."""
    return f"{uuid.uuid4().hex[:8]}/feed/"


def columns(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]


def refusal(call, **parameters) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_table_is_written_as_aws_does(landing, folder):
    landing.put({f"{folder}a.csv": SHOTS_CSV, f"{folder}b.csv": "id,club,ball_speed\n3,iron,50.25\n"})
    name = landing.create(folder, TablePrefix="landing_")
    assert landing.crawl(name)["Status"] == "SUCCEEDED"
    (table,) = landing.tables(name).values()
    assert table["Name"] == "landing_feed"
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert columns(table) == [("id", "bigint"), ("club", "string"), ("ball_speed", "double")]
    assert (
        table["Parameters"]
        == table["StorageDescriptor"]["Parameters"]
        == {
            "CrawlerSchemaDeserializerVersion": "1.0",
            "CrawlerSchemaSerializerVersion": "1.0",
            "UPDATED_BY_CRAWLER": name,
            "areColumnsQuoted": "false",
            "averageRecordSize": "25",
            "classification": "csv",
            "columnsOrdered": "true",
            "compressionType": "none",
            "delimiter": ",",
            "objectCount": "2",
            "recordCount": "3",
            "sizeKey": str(len(SHOTS_CSV) + 32),
            "skip.header.line.count": "1",
            "typeOfData": "file",
        }
    )
    storage = table["StorageDescriptor"]
    assert storage["Location"] == f"s3://{landing.bucket}/{folder}"
    assert storage["InputFormat"] == "org.apache.hadoop.mapred.TextInputFormat"
    assert storage["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"field.delim": ","},
    }


def parquet_file(toolchain: Path, rows: int) -> bytes:
    """Made by the Python that the emulator reads it with: the tests' own has no pyarrow."""
    program = f"""
import sys, datetime, decimal, pyarrow as pa, pyarrow.parquet as pq
table = pa.table({{
    'id': pa.array(range({rows}), pa.int64()), 'at': [datetime.datetime(2026, 11, 23)] * {rows},
    'carry': pa.array([decimal.Decimal('1.50')] * {rows}, pa.decimal128(6, 2)), 'tags': [['a']] * {rows},
    'bay': pa.array([{{'number': 1}}] * {rows}, pa.struct([('number', pa.int32())])),
}})
pq.write_table(table, sys.stdout.buffer, compression='snappy')"""
    python = json.loads(toolchain.read_text())["gluePython"]
    return subprocess.run([python, "-c", program], check=True, capture_output=True).stdout


def test_parquet(landing, folder, toolchain):
    content = parquet_file(toolchain, rows=3)
    tables = landing.crawled(folder, {"day=1/a": content, "day=1/b": content, "day=2/a": content})
    (table,) = tables.values()
    assert columns(table) == [
        ("id", "bigint"),
        ("at", "timestamp"),
        ("carry", "decimal(6,2)"),
        ("tags", "array<string>"),
        ("bay", "struct<number:int>"),
    ]
    parameters = table["Parameters"]
    assert (parameters["classification"], parameters["compressionType"]) == ("parquet", "snappy")
    assert (parameters["objectCount"], parameters["recordCount"]) == ("3", "9")
    assert table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")


def test_json_and_gzip(landing, folder):
    tables = landing.crawled(folder, {"bays.json.gz": gzip.compress(BAYS_JSON.encode())})
    (table,) = tables.values()
    assert columns(table) == [("bay", "int"), ("temperature", "double"), ("faults", "array<string>")]
    assert (table["Parameters"]["classification"], table["Parameters"]["compressionType"]) == ("json", "gzip")
    assert table["Parameters"]["recordCount"] == "2"
    assert table["StorageDescriptor"]["Compressed"] is True
    assert table["StorageDescriptor"]["SerdeInfo"] == {
        "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
        "Parameters": {"paths": "bay,faults,temperature"},
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"a": 1, "b": {"c": true, "d": null}} {"a": 3000000000}',
            [("a", "bigint"), ("b", "struct<c:boolean,d:string>")],
        ),
        ('[{"a": 1}, {"a": 2.5}]', [("array", "array<struct<a:double>>")]),
        ('{"a": 1}\n{"a": "x"}', [("a", "string")]),
        ("a|b\n1|x\n2|y\n", [("a", "bigint"), ("b", "string")]),
        ("1;2\n3;4\n", [("col0", "bigint"), ("col1", "bigint")]),
        ("name,club\nAnn,driver\n", [("col0", "string"), ("col1", "string")]),  # all text: no telling what is a header
        ('id,note\n1,"a, and b"\n2,"c"\n', [("id", "bigint"), ("note", "string")]),
        ("flag,n\ntrue,\nFalse,-3\n", [("flag", "boolean"), ("n", "bigint")]),
    ],
)
def test_built_in_classifiers(content, expected):
    assert list(classify(content.encode(), len(content), []).columns) == expected


@pytest.mark.parametrize(
    "content", [b"one column\nof text\n", b'{"a": 1', b"\x00\x01\x02", b"\x1f\x8bbroken", b"a,b\n1\n"]
)
def test_what_nobody_recognizes_is_unknown(content):
    assert classify(content, len(content), []).classification == UNKNOWN.classification


def test_records_of_a_large_file_are_estimated():
    line = b'{"reading": 12345}\n'
    head = (line * (1 << 17))[: 1 << 20]
    content = classify(head, 10 << 20, [])
    assert content.columns == (("reading", "int"),)
    assert content.records == pytest.approx((10 << 20) / len(line), rel=0.01)


def classifier(kind: str, **definition: Any) -> list[dict[str, Any]]:
    return [{kind: {"Name": "c", **definition}}]


@pytest.mark.parametrize(
    ("classifiers", "content", "expected"),
    [
        (
            classifier("CsvClassifier", Delimiter=";", ContainsHeader="ABSENT", Header=["bay", "reading"]),
            "1;2.5\n2;3\n",
            [("bay", "bigint"), ("reading", "double")],
        ),
        (
            classifier("CsvClassifier", ContainsHeader="PRESENT", AllowSingleColumn=True),
            "serial\nA1\n",
            [("serial", "string")],
        ),
        (
            classifier(
                "CsvClassifier",
                ContainsHeader="PRESENT",
                CustomDatatypeConfigured=True,
                CustomDatatypes=["LONG", "TIMESTAMP"],
            ),
            "bay,at\n1,2026-11-23 10:00:00\n",
            [("bay", "bigint"), ("at", "timestamp")],
        ),
        (classifier("JsonClassifier", JsonPath="$.readings[*]"), '{"readings": [{"v": 1}, {"v": 2}]}', [("v", "int")]),
        (classifier("JsonClassifier", JsonPath="$[*]"), '[{"v": 1}]', [("v", "int")]),
    ],
)
def test_custom_classifiers(classifiers, content, expected):
    assert list(classify(content.encode(), len(content), classifiers).columns) == expected


@pytest.mark.parametrize(
    "classifiers",
    [
        classifier("CsvClassifier", Header=["a", "b", "c"]),
        classifier("JsonClassifier", JsonPath="$.elsewhere[*]"),
    ],
)
def test_what_a_custom_classifier_does_not_recognize_is_left_to_the_built_in_ones(classifiers):
    content = '{"v": 1}' if "JsonClassifier" in classifiers[0] else "a,b\n1,2\n"
    assert classify(content.encode(), len(content), classifiers) == classify(content.encode(), len(content), [])


def test_folders_are_partitions_or_tables(landing, folder):
    tables = landing.crawled(
        folder,
        {
            "shots/day=2026-11-22/a.csv": SHOTS_CSV,
            "shots/day=2026-11-23/a.csv": SHOTS_CSV,
            "shots/day=2026-11-23/b.csv": SHOTS_CSV,
            "bays/eu/1/a.json": BAYS_JSON,
            "bays/us/2/a.json": BAYS_JSON,
            "mixed/a.csv": SHOTS_CSV,
            "mixed/b.json": BAYS_JSON,
        },
    )
    assert set(tables) == {"shots", "bays", "a_csv", "b_json"}
    assert tables["shots"]["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
    assert [key["Name"] for key in tables["bays"]["PartitionKeys"]] == ["partition_0", "partition_1"]
    assert tables["a_csv"]["StorageDescriptor"]["Location"] == f"s3://{landing.bucket}/{folder}mixed/a.csv"
    database = tables["shots"]["DatabaseName"]
    partitions = landing.glue.get_partitions(DatabaseName=database, TableName="shots")["Partitions"]
    found = {tuple(each["Values"]): each for each in partitions}
    assert set(found) == {("2026-11-22",), ("2026-11-23",)}
    second = found["2026-11-23",]
    assert second["StorageDescriptor"]["Location"] == f"s3://{landing.bucket}/{folder}shots/day=2026-11-23/"
    assert (second["Parameters"]["objectCount"], second["Parameters"]["recordCount"]) == ("2", "4")


def test_partitions_come_and_go(landing, folder):
    landing.put({f"{folder}day=1/a.csv": SHOTS_CSV, f"{folder}day=2/a.csv": SHOTS_CSV})
    name = landing.create(folder)
    landing.crawl(name)
    landing.s3.delete_object(Bucket=landing.bucket, Key=f"{folder}day=1/a.csv")
    landing.put({f"{folder}day=3/a.csv": SHOTS_CSV})
    landing.crawl(name)
    partitions = landing.glue.get_partitions(DatabaseName=name, TableName="feed")["Partitions"]
    assert sorted(each["Values"] for each in partitions) == [["2"], ["3"]]
    assert landing.tables(name)["feed"]["VersionId"] == "1"


def test_new_column_is_a_new_version_and_a_table_that_is_gone_is_deprecated(landing, folder):
    landing.put({f"{folder}a.json": BAYS_JSON})
    name = landing.create(folder)
    landing.crawl(name)
    landing.put({f"{folder}b.json": '{"bay": 3, "temperature": 19.5, "humidity": 40, "faults": []}'})
    landing.crawl(name)
    table = landing.tables(name)["feed"]
    assert ("humidity", "int") in columns(table)
    assert table["VersionId"] == "2"
    for key in ("a.json", "b.json"):
        landing.s3.delete_object(Bucket=landing.bucket, Key=folder + key)
    assert landing.crawl(name)["Status"] == "SUCCEEDED"
    assert "DEPRECATED_BY_CRAWLER" in landing.tables(name)["feed"]["Parameters"]


def test_empty_folder_has_no_tables(landing, folder):
    assert landing.crawled(folder, {"": ""}) == {}


def test_what_terraform_leaves_empty_is_not_given(landing, folder):
    target = {"ConnectionName": "", "EventQueueArn": "", "DlqEventQueueArn": ""}
    assert set(landing.crawled(folder, {"a.csv": SHOTS_CSV}, target=target)) == {"feed"}


def test_exclusions_and_samples(landing, folder):
    files = {"a.csv": SHOTS_CSV, "b.csv": SHOTS_CSV, "c.csv": SHOTS_CSV, "old/x.json": BAYS_JSON, "a.tmp": "?"}
    target = {"Exclusions": ["old/**", "*.tmp"], "SampleSize": 1}
    (table,) = landing.crawled(folder, files, target=target).values()
    assert table["Parameters"]["classification"] == "csv"
    assert table["Parameters"]["objectCount"] == "1"


def test_file_that_is_broken_leaves_the_others_a_table(landing, folder):
    (table,) = landing.crawled(folder, {"a.json": BAYS_JSON, "b.json": '{"bay": '}).values()
    assert table["Name"] == "feed"
    assert table["Parameters"]["classification"] == "json"


def test_crawler_uses_its_classifiers(landing, folder):
    landing.glue.create_classifier(
        CsvClassifier={"Name": "telemetry", "Delimiter": "|", "ContainsHeader": "ABSENT", "Header": ["bay", "reading"]}
    )
    (table,) = landing.crawled(folder, {"a": "1|2.5\n2|3\n"}, Classifiers=["telemetry"]).values()
    assert columns(table) == [("bay", "bigint"), ("reading", "double")]


def test_classifiers_are_kept(landing):
    glue = landing.glue
    glue.create_classifier(JsonClassifier={"Name": "readings", "JsonPath": "$[*]"})
    assert refusal(glue.create_classifier, JsonClassifier={"Name": "readings", "JsonPath": "$"})[0] == (
        "AlreadyExistsException"
    )
    glue.update_classifier(JsonClassifier={"Name": "readings", "JsonPath": "$.readings[*]"})
    described = glue.get_classifier(Name="readings")["Classifier"]["JsonClassifier"]
    assert (described["JsonPath"], described["Version"]) == ("$.readings[*]", 2)
    assert "readings" in [
        name for each in glue.get_classifiers()["Classifiers"] for name in [next(iter(each.values()))["Name"]]
    ]
    assert refusal(glue.update_classifier, CsvClassifier={"Name": "readings"})[0] == "InvalidInputException"
    glue.delete_classifier(Name="readings")
    assert refusal(glue.get_classifier, Name="readings")[0] == "EntityNotFoundException"
    grok = {"Name": "g", "Classification": "x", "GrokPattern": "%{WORD:w}"}
    assert refusal(glue.create_classifier, GrokClassifier=grok)[0] == "NotImplementedByEmulator"


def test_crawler_has_its_roles_rights(landing, folder):
    landing.put({f"{folder}a.csv": SHOTS_CSV})
    bucket = f"arn:aws:s3:::{landing.bucket}"
    only_list = landing.new_role(allow(["glue:*", "logs:*"]), allow("s3:ListBucket", bucket))
    last = landing.crawl(landing.create(folder, Role=only_list.name))
    assert last["Status"] == "FAILED"
    assert "AccessDenied" in last["ErrorMessage"]
    enough = landing.new_role(
        allow(["glue:*", "logs:*"]),
        allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": f"{folder}*"}}),
        allow("s3:GetObject", f"{bucket}/{folder}*"),
    )
    assert landing.crawl(landing.create(folder, Role=enough.name))["Status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("definition", "code", "named"),
    [
        ({"Targets": {"S3Targets": [{"Path": "s3://nobodys-bucket/x"}]}}, "InvalidInputException", "nobodys-bucket"),
        ({"Classifiers": ["nobodys"]}, "EntityNotFoundException", "nobodys"),
        ({"CrawlerSecurityConfiguration": "nobodys"}, "EntityNotFoundException", "nobodys"),
    ],
)
def test_what_aws_refuses(landing, definition, code, named):
    given = {
        "Name": "refused",
        "Role": landing.role.name,
        "DatabaseName": "x",
        "Targets": {"S3Targets": [{"Path": f"s3://{landing.bucket}"}]},
    }
    refused, message = refusal(landing.glue.create_crawler, **{**given, **definition})
    assert refused == code
    assert named in message


def test_store_that_fails_leaves_the_others_their_result(landing, folder):
    landing.put({f"{folder}shots/a.csv": SHOTS_CSV, f"{folder}bays/a.json": BAYS_JSON})
    path = f"s3://{landing.bucket}/{folder}"
    s3_targets = [{"Path": f"{path}shots/"}, {"Path": f"{path}bays/"}]
    jdbc_targets = [{"ConnectionName": "is gone", "Path": "golf/public/%"}]
    name = landing.create(folder, Targets={"S3Targets": s3_targets, "JdbcTargets": jdbc_targets})
    last = landing.crawl(name)
    assert last["Status"] == "FAILED"
    assert "Connection is gone not found" in last["ErrorMessage"]
    assert set(landing.tables(name)) == {"shots", "bays"}

    # What was found in a store that fails later is not said to be gone, and what is gone from the others is.
    bucket = f"arn:aws:s3:::{landing.bucket}"
    role = landing.new_role(
        allow(["glue:*", "logs:*"]),
        allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": f"{folder}shots/*"}}),
    )
    landing.s3.delete_object(Bucket=landing.bucket, Key=f"{folder}shots/a.csv")
    landing.glue.update_crawler(Name=name, Role=role.name)
    assert landing.crawl(name)["Status"] == "FAILED"
    tables = landing.tables(name)
    assert "DEPRECATED_BY_CRAWLER" in tables["shots"]["Parameters"]
    assert "DEPRECATED_BY_CRAWLER" not in tables["bays"]["Parameters"]
