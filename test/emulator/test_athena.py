"""Athena through boto3, on a real Trino over the emulator's Glue catalog and S3."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import Role, allow

BUCKET = "athena-lake"
RESULTS = f"s3://{BUCKET}/results/"
GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"


class Analyst:
    """Somebody with an Athena client."""

    def __init__(self, athena: BaseClient, s3: BaseClient) -> None:
        self.athena = athena
        self.s3 = s3

    def start(self, sql: str, database: str = "athena_raw", workgroup: str = "analysts", **options: Any) -> str:
        options = {"QueryExecutionContext": {"Database": database, "Catalog": "AwsDataCatalog"}, **options}
        return self.athena.start_query_execution(QueryString=sql, WorkGroup=workgroup, **options)["QueryExecutionId"]

    def wait(self, execution_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            execution = self.athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.05)
        raise TimeoutError(f"query execution {execution_id} did not end")

    def run(self, sql: str, **options: Any) -> dict[str, Any]:
        """Run to the end, which must be SUCCEEDED."""
        execution = self.wait(self.start(sql, **options))
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        return execution

    def rows(self, sql: str, **options: Any) -> list[list[str | None]]:
        """All rows of a result, the header first."""
        return self.page(self.run(sql, **options)["QueryExecutionId"])[0]

    def page(self, execution_id: str, **options: Any) -> tuple[list[list[str | None]], str | None]:
        answer = self.athena.get_query_results(QueryExecutionId=execution_id, **options)
        rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]
        return rows, answer.get("NextToken")

    def failure(self, sql: str, **options: Any) -> str:
        """StateChangeReason of a query that must fail."""
        execution = self.wait(self.start(sql, **options))
        assert execution["Status"]["State"] == "FAILED", execution["Status"]
        return execution["Status"]["StateChangeReason"]

    def refusal(self, sql: str, **options: Any) -> str:
        """The message with which StartQueryExecution itself refuses."""
        with pytest.raises(ClientError) as caught:
            self.start(sql, **options)
        assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
        return caught.value.response["Error"]["Message"]

    def read(self, location: str) -> str:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


@pytest.fixture(scope="module")
def admin(emulator: Emulator) -> Analyst:
    """Databases athena_raw and athena_marts, each with one row in its table `shots`; a workgroup that enforces."""
    s3, glue, athena = (emulator.client(service) for service in ("s3", "glue", "athena"))
    athena.create_work_group(
        Name="analysts",
        Configuration={"EnforceWorkGroupConfiguration": True, "ResultConfiguration": {"OutputLocation": RESULTS}},
    )
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    admin = Analyst(athena, s3)
    for database in ("athena_raw", "athena_marts"):
        glue.create_database(DatabaseInput={"Name": database, "LocationUri": f"s3://{BUCKET}/{database}"})
        create_table(admin, "shots", "id bigint, club string, carry decimal(6,2)", database)
        admin.run("insert into shots values (1, 'driver', decimal '241.50')", database=database)
    return admin


def create_table(
    analyst: Analyst, name: str, columns: str, database: str = "athena_raw", partitioned: str = ""
) -> None:
    analyst.run(
        f"CREATE TABLE {name} ({columns}) {partitioned} LOCATION 's3://{BUCKET}/{database}/{name}/' "
        "TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')",
        database=database,
    )


# --- Results


def test_a_query_from_start_to_its_file(admin: Analyst) -> None:
    execution = admin.run("SELECT id, club, carry FROM shots;")
    execution_id = execution["QueryExecutionId"]
    assert execution["Query"] == "SELECT id, club, carry FROM shots;"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["WorkGroup"] == "analysts"
    assert execution["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    assert execution["QueryExecutionContext"] == {"Database": "athena_raw", "Catalog": "AwsDataCatalog"}
    assert "AthenaError" not in execution["Status"]

    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"{RESULTS}{execution_id}.csv"
    assert admin.read(location) == '"id","club","carry"\n"1","driver","241.50"\n'
    assert '"Name": "club"' in admin.read(f"{location}.metadata")

    statistics = execution["Statistics"]
    assert statistics["DataScannedInBytes"] > 0
    parts = ("QueryQueueTimeInMillis", "EngineExecutionTimeInMillis", "ServiceProcessingTimeInMillis")
    assert abs(sum(statistics[part] for part in parts) - statistics["TotalExecutionTimeInMillis"]) <= 2
    runtime = admin.athena.get_query_runtime_statistics(QueryExecutionId=execution_id)["QueryRuntimeStatistics"]
    assert runtime["Timeline"]["TotalExecutionTimeInMillis"] == statistics["TotalExecutionTimeInMillis"]
    assert runtime["Rows"]["InputRows"] == 1
    assert runtime["Rows"]["OutputRows"] == 1


# A value in SQL; Athena's type, precision and scale; the text of the value.
VALUES = [
    ("CAST('a\"b,c' AS varchar)", "varchar", 2147483647, 0, 'a"b,c'),
    ("CAST('' AS varchar(3))", "varchar", 3, 0, ""),
    ("CAST(NULL AS varchar)", "varchar", 2147483647, 0, None),
    ("'line 1' || chr(10) || 'line 2'", "varchar", 2147483647, 0, "line 1\nline 2"),
    ("CAST('ab' AS char(4))", "char", 4, 0, "ab  "),
    ("TINYINT '1'", "tinyint", 3, 0, "1"),
    ("SMALLINT '-2'", "smallint", 5, 0, "-2"),
    ("3", "integer", 10, 0, "3"),
    ("BIGINT '9223372036854775807'", "bigint", 19, 0, "9223372036854775807"),
    ("REAL '0.1'", "float", 17, 0, "0.1"),
    ("1e10", "double", 17, 0, "1.0E10"),
    ("1e-3", "double", 17, 0, "0.001"),
    ("nan()", "double", 17, 0, "NaN"),
    ("DECIMAL '12345678901234567.80'", "decimal", 19, 2, "12345678901234567.80"),
    ("true", "boolean", 0, 0, "true"),
    ("DATE '2026-02-28'", "date", 0, 0, "2026-02-28"),
    ("TIMESTAMP '2026-02-28 23:59:59.123456'", "timestamp", 3, 0, "2026-02-28 23:59:59.123456"),
    ("TIMESTAMP '2026-02-28 12:00:00.000 UTC'", "timestamp with time zone", 3, 0, "2026-02-28 12:00:00.000 UTC"),
    ("X'68656c'", "varbinary", 1073741824, 0, "68 65 6c"),
    ("ARRAY['a', NULL]", "array", 0, 0, "[a, null]"),
    ("MAP(ARRAY['k'], ARRAY[1.5e0])", "map", 0, 0, "{k=1.5}"),
    ("CAST(ROW(1, ARRAY[true]) AS row(a integer, b array(boolean)))", "row", 0, 0, "{a=1, b=[true]}"),
    ("JSON '{\"a\":1}'", "json", 0, 0, '{"a":1}'),
]


def test_types_and_values(admin: Analyst) -> None:
    columns = ", ".join(f"{sql} AS c{number}" for number, (sql, *_) in enumerate(VALUES))
    execution_id = admin.run(f"SELECT {columns}")["QueryExecutionId"]
    result = admin.athena.get_query_results(QueryExecutionId=execution_id)["ResultSet"]
    info = [(each["Type"], each["Precision"], each["Scale"]) for each in result["ResultSetMetadata"]["ColumnInfo"]]
    values = [cell.get("VarCharValue") for cell in result["Rows"][1]["Data"]]
    assert list(zip(info, values, strict=True)) == [((kind, *size), text) for _, kind, *size, text in VALUES]


def test_pages(admin: Analyst) -> None:
    sql = "SELECT CAST(x AS varchar) || chr(10) AS x FROM UNNEST(sequence(1, 2500)) AS t(x) ORDER BY t.x"
    execution_id = admin.run(sql)["QueryExecutionId"]
    first, token = admin.page(execution_id)
    assert (len(first), first[0], first[1], first[999]) == (1000, ["x"], ["1\n"], ["999\n"])
    second, token = admin.page(execution_id, NextToken=token, MaxResults=500)
    assert (len(second), second[0], second[-1]) == (500, ["1000\n"], ["1499\n"])
    third, token = admin.page(execution_id, NextToken=token)
    last, token = admin.page(execution_id, NextToken=token)
    assert (len(third), len(last), last[-1], token) == (1000, 1, ["2500\n"], None)
    pages = admin.athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id)
    assert sum(len(page["ResultSet"]["Rows"]) for page in pages) == 2501


def test_a_result_without_rows_has_its_header(admin: Analyst) -> None:
    assert admin.rows("SELECT id, club FROM shots WHERE id = 0") == [["id", "club"]]


def test_changes_of_rows_answer_with_their_number(admin: Analyst) -> None:
    create_table(admin, "changes", "id int, name string", partitioned="PARTITIONED BY (bucket(4, id))")

    def count(sql: str) -> int:
        execution_id = admin.run(sql)["QueryExecutionId"]
        answer = admin.athena.get_query_results(QueryExecutionId=execution_id)
        assert answer["ResultSet"]["Rows"] == []
        return answer["UpdateCount"]

    assert count("INSERT INTO changes VALUES (1, 'a'), (2, 'b'), (3, 'c')") == 3
    assert count("UPDATE changes SET name = 'z' WHERE id < 3") == 2
    assert count("DELETE FROM changes WHERE id = 2") == 1
    merge = "MERGE INTO changes c USING (VALUES (3, 'm'), (4, 'n')) s(id, name) ON c.id = s.id "
    assert (
        count(merge + "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)")
        == 2
    )
    assert admin.rows("SELECT * FROM changes ORDER BY id") == [["id", "name"], ["1", "z"], ["3", "m"], ["4", "n"]]


def test_create_table_as(admin: Analyst) -> None:
    execution = admin.run(
        f"CREATE TABLE copies WITH (table_type = 'ICEBERG', is_external = false, "
        f"location = 's3://{BUCKET}/athena_raw/copies/', format = 'PARQUET', partitioning = ARRAY['club']) "
        "AS SELECT * FROM shots WHERE club = ?",
        ExecutionParameters=["'driver'"],
    )
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "CREATE_TABLE_AS_SELECT")
    assert admin.rows("SELECT club FROM awsdatacatalog.athena_raw.copies") == [["club"], ["driver"]]
    admin.run("DROP TABLE copies")
    assert admin.failure("SELECT * FROM copies").endswith("Table 'awsdatacatalog.athena_raw.copies' does not exist")


def test_databases_by_ddl(admin: Analyst, emulator: Emulator) -> None:
    execution = admin.run(f"CREATE DATABASE IF NOT EXISTS athena_made LOCATION 's3://{BUCKET}/athena_made/'")
    assert execution["StatementType"] == "DDL"
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(f"{execution['QueryExecutionId']}.txt")
    assert emulator.client("glue").get_database(Name="athena_made")["Database"]["LocationUri"].startswith("s3://")
    admin.run("DROP DATABASE athena_made")


def test_show_and_describe(admin: Analyst) -> None:
    assert admin.rows("SHOW DATABASES LIKE 'athena_(raw|marts)'") == [["athena_raw"], ["athena_marts"]]
    assert admin.rows("SHOW TABLES IN athena_marts") == [["shots"]]
    assert admin.rows("SHOW TABLES 'nothing.*'") == []
    assert admin.rows("SHOW COLUMNS IN shots") == [["id"], ["club"], ["carry"]]
    described = admin.run("DESCRIBE athena_marts.shots")
    assert described["StatementType"] == "UTILITY"
    assert admin.read(described["ResultConfiguration"]["OutputLocation"]) == (
        "id\tbigint\t\nclub\tstring\t\ncarry\tdecimal(6,2)\t\n"
    )
    plan = "\n".join(line for (line,) in admin.rows("EXPLAIN SELECT * FROM shots"))
    assert "TableScan[table = awsdatacatalog:athena_raw.shots" in plan
    (estimate,) = admin.rows("EXPLAIN (TYPE VALIDATE) SELECT * FROM shots WHERE id = 1")
    assert estimate == ["true"]


def test_metadata_operations(admin: Analyst) -> None:
    athena, named = admin.athena, {"CatalogName": "AwsDataCatalog"}
    assert athena.get_database(**named, DatabaseName="athena_raw")["Database"]["Name"] == "athena_raw"
    databases = athena.list_databases(**named)["DatabaseList"]
    assert {"athena_raw", "athena_marts"} <= {database["Name"] for database in databases}
    table = athena.get_table_metadata(**named, DatabaseName="athena_marts", TableName="shots")["TableMetadata"]
    assert [(column["Name"], column["Type"]) for column in table["Columns"]][:2] == [
        ("id", "bigint"),
        ("club", "string"),
    ]
    assert table["Parameters"]["table_type"] == "ICEBERG"
    tables = athena.list_table_metadata(**named, DatabaseName="athena_marts")["TableMetadataList"]
    assert [each["Name"] for each in tables] == ["shots"]
    with pytest.raises(ClientError, match=r"MetadataException.*EntityNotFoundException"):
        athena.get_table_metadata(**named, DatabaseName="athena_marts", TableName="nothing")


# --- Parameters


def test_execution_parameters(admin: Analyst) -> None:
    def found(where: str, parameters: Sequence[str]) -> int:
        return len(admin.rows(f"SELECT id FROM shots WHERE {where}", ExecutionParameters=parameters)) - 1

    assert found("id = ? AND club = ?", ["1", "'driver'"]) == 1
    assert found("club = ?", ["'driver'' OR 1=1 --'"]) == 0
    assert found("carry > ? AND DATE '2026-01-31' = ?", ["241.4", "DATE '2026-01-31'"]) == 1
    execution = admin.run("SELECT 1 FROM shots WHERE id = ?", ExecutionParameters=["1"])
    assert execution["ExecutionParameters"] == ["1"]


def test_parameters_that_athena_refuses(admin: Analyst) -> None:
    by_id = "SELECT * FROM shots WHERE id = ?"
    assert "length less than or equal to 1024" in admin.refusal(by_id, ExecutionParameters=[f"'{'x' * 1023}'"])
    assert "parameter 1 is not a SQL literal: '1 OR 1=1'" in admin.refusal(by_id, ExecutionParameters=["1 OR 1=1"])
    assert "line 1:8: Parameters (?)" in admin.refusal("SELECT ? FROM shots", ExecutionParameters=["1"])
    assert "WHERE clause only" in admin.refusal("SELECT * FROM shots LIMIT ?", ExecutionParameters=["1"])
    assert "not in EXPLAIN" in admin.refusal(f"EXPLAIN {by_id}", ExecutionParameters=["1"])
    assert "not in DELETE" in admin.refusal("DELETE FROM shots WHERE id = ?", ExecutionParameters=["1"])
    too_few = admin.failure(f"{by_id} AND club = ?", ExecutionParameters=["1"])
    assert too_few.endswith("Incorrect number of parameters: expected 2 but found 1")


# --- Prepared statements


def prepare(admin: Analyst, name: str, sql: str, workgroup: str = "analysts") -> None:
    admin.athena.create_prepared_statement(StatementName=name, WorkGroup=workgroup, QueryStatement=sql)


def refused_statement(admin: Analyst, name: str, sql: str) -> str:
    with pytest.raises(ClientError) as caught:
        prepare(admin, name, sql)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    return caught.value.response["Error"]["Message"]


def test_execute_with_parameters(admin: Analyst) -> None:
    prepare(admin, "By_Club", "SELECT id FROM shots\nWHERE club = ? AND carry > ?")
    execution = admin.run("EXECUTE By_Club USING 'driver', CAST('241.4' AS decimal(6, 2))")
    assert execution["Query"].startswith("EXECUTE By_Club")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert admin.page(execution["QueryExecutionId"])[0] == [["id"], ["1"]]
    assert admin.rows("execute By_Club", ExecutionParameters=["'driver'", "241.4"]) == [["id"], ["1"]]
    assert admin.rows("EXECUTE By_Club USING 'driver'' OR 1=1 --', 1") == [["id"]]
    admin.athena.update_prepared_statement(
        StatementName="By_Club", WorkGroup="analysts", QueryStatement="SELECT club FROM shots WHERE club = ?"
    )
    assert admin.rows("EXECUTE By_Club USING 'driver'") == [["club"], ["driver"]]


def test_executions_that_athena_refuses(admin: Analyst) -> None:
    prepare(admin, "by_id", "SELECT id FROM shots WHERE id = ?")
    assert "parameter 1 is not a SQL literal: '1 OR 1=1'" in admin.refusal("EXECUTE by_id USING 1 OR 1=1")
    assert "parameter 2 is not a SQL literal: ''" in admin.refusal("EXECUTE by_id USING 1,")
    expected = "EXECUTE name [USING literal, …] was expected"
    assert expected in admin.refusal("EXECUTE by_id 1")
    assert expected in admin.refusal("EXECUTE by_id USING 1", ExecutionParameters=["1"])
    assert "expected 1 but found 2" in admin.failure("EXECUTE by_id USING 1, 2")
    with pytest.raises(ClientError, match="PreparedStatement none was not found in workGroup analysts"):
        admin.start("EXECUTE none")


def test_statements_belong_to_their_workgroup(admin: Analyst) -> None:
    admin.athena.create_work_group(Name="athena-second")
    for workgroup in ("analysts", "athena-second"):
        prepare(admin, "same_name", f"SELECT '{workgroup}' FROM shots", workgroup)
    got = admin.athena.get_prepared_statement(StatementName="same_name", WorkGroup="analysts")["PreparedStatement"]
    assert (got["QueryStatement"], got["WorkGroupName"]) == ("SELECT 'analysts' FROM shots", "analysts")
    prepare(admin, "another", "SELECT 1", "athena-second")

    def listed(**paging: str | int) -> tuple[list[str], str | None]:
        answer = admin.athena.list_prepared_statements(WorkGroup="athena-second", **paging)
        return [each["StatementName"] for each in answer["PreparedStatements"]], answer.get("NextToken")

    assert listed() == (["another", "same_name"], None)
    names, token = listed(MaxResults=1)
    assert (names, listed(NextToken=token)[0]) == (["another"], ["same_name"])
    admin.athena.delete_prepared_statement(StatementName="another", WorkGroup="athena-second")
    assert listed()[0] == ["same_name"]
    with pytest.raises(ClientError, match="is not empty"):
        admin.athena.delete_work_group(WorkGroup="athena-second")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT id\nFROM WHERE id = ?", "SYNTAX_ERROR: line 2:6: mismatched input 'WHERE'"),
        ("SELECT ? FROM shots", "line 1:8: Parameters (?) are supported in a WHERE clause only"),
        (
            "DELETE FROM shots WHERE id = 1",
            "Only these are prepared: SELECT, INSERT, CREATE TABLE AS SELECT; not DELETE",
        ),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
    ],
)
def test_statements_that_could_never_run_are_refused(admin: Analyst, sql: str, message: str) -> None:
    assert refused_statement(admin, "impossible", sql).startswith(message)


def test_names_of_statements(admin: Analyst) -> None:
    assert "regular expression pattern" in refused_statement(admin, "with-hyphen", "SELECT 1")
    assert "regular expression pattern" in refused_statement(admin, "x", "SELECT 1")  # two characters at least
    prepare(admin, "taken", "SELECT 1")
    assert "taken exists in workgroup analysts already" in refused_statement(admin, "taken", "SELECT 1")


# --- Failures and refusals


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT id FROM WHERE", "SYNTAX_ERROR: line 1:16: mismatched input 'WHERE'. Expecting: "),
        (
            "SELECT 1,\n  bad FROM shots",
            "COLUMN_NOT_FOUND: line 2:3: Column 'bad' cannot be resolved or requester is not",
        ),
        ("SELECT * FROM none", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.athena_raw.none' does not exist"),
        ("SELECT * FROM none.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'none' does not exist"),
        ('SELECT * FROM "AwsDataCatalog"."athena_raw"."none"', "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog."),
        ("SELECT no_function(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'no_function' not registered"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SHOW TABLES IN none", "FAILED: SemanticException"),
        (
            "CREATE TABLE t (id int) LOCATION 's3://b/t'",
            "NOT_SUPPORTED: The emulator's Athena creates Iceberg tables only",
        ),
        (
            "CREATE TABLE t (id int) LOCATION 's3://b/t' TBLPROPERTIES ('table_type'='ICEBERG', 'format_version'='3')",
            "NOT_SUPPORTED: Athena creates Iceberg tables of format version 2 only",
        ),
    ],
)
def test_failures_as_athena_words_them(admin: Analyst, sql: str, reason: str) -> None:
    assert admin.failure(sql).startswith(reason)


def test_a_failed_query_says_whose_fault_it_is_and_has_no_result(admin: Analyst) -> None:
    execution = admin.wait(admin.start("SELECT bad FROM shots"))
    reason = execution["Status"]["StateChangeReason"]
    assert execution["Status"]["AthenaError"] == {"ErrorCategory": 2, "Retryable": False, "ErrorMessage": reason}
    with pytest.raises(ClientError, match=r"Query did not finish successfully\. Final query state: FAILED"):
        admin.page(execution["QueryExecutionId"])


def test_what_start_refuses(admin: Analyst) -> None:
    assert admin.refusal("SELECT 1; SELECT 2") == "Only one sql statement is allowed. Got: SELECT 1; SELECT 2"
    assert admin.refusal("CALL system.runtime.kill_query('x')") == "Queries of this type are not supported"
    assert admin.refusal("DROP CATALOG x") == "Queries of this type are not supported"
    assert admin.refusal("PREPARE p FROM SELECT 1") == "The emulator's Athena does not run PREPARE P statements yet"
    assert "less than or equal to 262144" in admin.refusal(f"SELECT '{'x' * 262144}'")
    assert admin.refusal("SELECT 1", workgroup="none") == "WorkGroup none is not found."
    no_location = "No output location provided. An output location is required either through the Workgroup"
    assert admin.refusal("SELECT 1", workgroup="primary").startswith(no_location)
    elsewhere = {"ResultConfiguration": {"OutputLocation": "s3://athena-no-such-bucket/"}}
    refused = admin.refusal("SELECT 1", workgroup="primary", **elsewhere)
    assert refused == "Unable to verify/create output bucket athena-no-such-bucket"
    admin.athena.create_work_group(Name="athena-disabled")
    admin.athena.update_work_group(WorkGroup="athena-disabled", State="DISABLED")
    assert admin.refusal("SELECT 1", workgroup="athena-disabled") == "WorkGroup athena-disabled is disabled."


def test_the_workgroups_output_location_is_enforced(admin: Analyst) -> None:
    mine = {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/mine/"}}
    enforced = admin.run("SELECT 1", **mine)["ResultConfiguration"]["OutputLocation"]
    assert enforced.startswith(RESULTS)
    free = admin.run("SELECT 1", workgroup="primary", **mine)["ResultConfiguration"]["OutputLocation"]
    assert free.startswith(f"s3://{BUCKET}/mine/")


def test_iceberg_format_version_3_is_refused(admin: Analyst, emulator: Emulator) -> None:
    create_table(admin, "version3", "id int")
    glue = emulator.client("glue")
    table = glue.get_table(DatabaseName="athena_raw", Name="version3")["Table"]
    metadata = table["Parameters"]["metadata_location"]
    newer = admin.read(metadata).replace('"format-version":2', '"format-version":3')
    assert '"format-version":3' in newer
    bucket, _, key = metadata.removeprefix("s3://").partition("/")
    admin.s3.put_object(Bucket=bucket, Key=key, Body=newer)
    assert "'awsdatacatalog.athena_raw.version3' has Iceberg format version 3" in admin.failure(
        "SELECT * FROM version3"
    )


# --- Executions


def test_a_request_token_names_one_execution(admin: Analyst) -> None:
    token = "t" * 32
    first = admin.start("SELECT 1", ClientRequestToken=token)
    assert admin.start("SELECT 1", ClientRequestToken=token) == first
    assert admin.start("SELECT 1") != first
    assert admin.refusal("SELECT 2", ClientRequestToken=token) == "Idempotent parameters do not match"


def test_lists_of_executions(admin: Analyst) -> None:
    older, newer = admin.start("SELECT 1"), admin.start("SELECT 2")
    assert admin.athena.list_query_executions(WorkGroup="analysts", MaxResults=2)["QueryExecutionIds"] == [newer, older]
    pages = admin.athena.get_paginator("list_query_executions").paginate(WorkGroup="analysts")
    ids = [each for page in pages for each in page["QueryExecutionIds"]]
    assert len(ids) == len(set(ids)) > 2
    batch = admin.athena.batch_get_query_execution(QueryExecutionIds=[newer, "unknown"])
    assert [each["QueryExecutionId"] for each in batch["QueryExecutions"]] == [newer]
    assert [each["QueryExecutionId"] for each in batch["UnprocessedQueryExecutionIds"]] == ["unknown"]
    with pytest.raises(ClientError, match="QueryExecution unknown was not found"):
        admin.athena.get_query_execution(QueryExecutionId="unknown")


def test_a_stopped_query_is_cancelled(admin: Analyst) -> None:
    big = "UNNEST(sequence(1, 10000))"
    execution_id = admin.start(f"SELECT count(*) FROM {big} a(x), {big} b(y), {big} c(z) WHERE sin(x * y * z) > 2")
    admin.athena.stop_query_execution(QueryExecutionId=execution_id)
    assert admin.wait(execution_id)["Status"]["State"] == "CANCELLED"
    done = admin.run("SELECT 1")["QueryExecutionId"]
    admin.athena.stop_query_execution(QueryExecutionId=done)
    assert admin.wait(done)["Status"]["State"] == "SUCCEEDED"


def test_the_engine_comes_back_after_it_died(admin: Analyst, emulator: Emulator) -> None:
    admin.run("SELECT 1")
    engine, guardian = engine_processes(emulator)
    os.kill(engine, signal.SIGKILL)
    while engine_processes(emulator):
        time.sleep(0.05)
    assert admin.rows("SELECT club FROM shots") == [["club"], ["driver"]]
    assert not {engine, guardian} & set(engine_processes(emulator))


def engine_processes(emulator: Emulator) -> list[int]:
    """Ids of the emulator's Trino and of its guardian, Trino first."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        if "io.trino.server.TrinoServer" in command and any(str(emulator.data_dir) in each for each in command):
            found[int(directory.name)] = len(command)
    return sorted(found, key=found.get)


# --- Permissions inside queries


def athena_permissions(*databases: str) -> list[dict[str, Any]]:
    """What reading these databases takes."""
    readable = [f"{GLUE}:database/{database}" for database in ("default", *databases)]
    tables = [f"{GLUE}:table/{database}/*" for database in databases]
    return [
        allow("athena:*"),
        allow(["glue:GetDatabase", "glue:GetTable", "glue:GetTables"], [f"{GLUE}:catalog", *readable, *tables]),
        allow("s3:GetObject", [f"arn:aws:s3:::{BUCKET}/{database}/*" for database in databases]),
        allow("s3:GetBucketLocation", f"arn:aws:s3:::{BUCKET}"),
        allow(["s3:PutObject", "s3:GetObject"], f"arn:aws:s3:::{BUCKET}/results/*"),
    ]


def as_role(role: Role) -> Analyst:
    session = role.session("ada")
    endpoint = {"endpoint_url": role.client("s3").meta.endpoint_url}
    return Analyst(session.client("athena", **endpoint), session.client("s3", **endpoint))


def test_a_role_reads_what_it_may_and_is_refused_the_rest(admin: Analyst, emulator: Emulator) -> None:
    ada = as_role(Role(emulator, "athena-reader", *athena_permissions("athena_marts")))
    assert ada.rows("SELECT club FROM athena_marts.shots") == [["club"], ["driver"]]
    assert ada.failure("SELECT club FROM athena_raw.shots").startswith(
        f"Insufficient permissions to execute the query. User: arn:aws:sts::{ACCOUNT}:assumed-role/athena-reader/ada "
        f"is not authorized to perform: glue:GetTable on resource: {GLUE}:database/athena_raw because no "
        "identity-based policy allows the glue:GetTable action"
    )
    assert "glue:GetTables on resource" in ada.failure("SHOW TABLES IN athena_raw")
    written = ada.failure("INSERT INTO athena_marts.shots VALUES (2, 'putter', decimal '3')")
    assert written.startswith("PERMISSION_DENIED: User: ")
    assert "is not authorized to perform: s3:PutObject on resource" in written


def test_a_role_needs_the_data_as_well_as_the_table(admin: Analyst, emulator: Emulator) -> None:
    statements = athena_permissions("athena_marts")
    del statements[2]
    ada = as_role(Role(emulator, "athena-no-data", *statements))
    refused = ada.failure("SELECT club FROM athena_marts.shots")
    assert refused.startswith(
        f"PERMISSION_DENIED: Permission denied on S3 path: s3://{BUCKET}/athena_marts/shots/metadata/"
    )


def test_a_role_needs_the_default_database(admin: Analyst, emulator: Emulator) -> None:
    statements = athena_permissions("athena_marts")
    statements[1]["Resource"].remove(f"{GLUE}:database/default")
    ada = as_role(Role(emulator, "athena-no-default", *statements))
    assert f"glue:GetDatabase on resource: {GLUE}:database/default" in ada.failure("SELECT * FROM athena_marts.shots")


def test_results_are_written_and_read_with_the_callers_permissions(admin: Analyst, emulator: Emulator) -> None:
    statements = athena_permissions("athena_marts")
    statements[4] = allow("s3:PutObject", f"arn:aws:s3:::{BUCKET}/results/*")
    ada = as_role(Role(emulator, "athena-writes-only", *statements))
    execution_id = ada.run("SELECT 1")["QueryExecutionId"]
    with pytest.raises(ClientError, match="s3:GetObject on resource"):
        ada.page(execution_id)

    del statements[4]
    ada = as_role(Role(emulator, "athena-no-results", *statements))
    assert "s3:PutObject on resource" in ada.failure("SELECT 1")
    del statements[3]
    ada = as_role(Role(emulator, "athena-no-bucket", *statements))
    assert ada.refusal("SELECT 1") == f"Unable to verify/create output bucket {BUCKET}"


def test_execute_takes_the_statement_with_the_callers_permissions(admin: Analyst, emulator: Emulator) -> None:
    prepare(admin, "permitted", "SELECT club FROM athena_marts.shots WHERE id = ?")
    statements = athena_permissions("athena_marts")
    ada = as_role(Role(emulator, "athena-executes", *statements))
    assert ada.rows("EXECUTE permitted USING 1") == [["club"], ["driver"]]
    statements[0] = allow(["athena:StartQueryExecution", "athena:GetQueryExecution"])
    ada = as_role(Role(emulator, "athena-executes-not", *statements))
    with pytest.raises(ClientError, match="not authorized to perform: athena:GetPreparedStatement"):
        ada.start("EXECUTE permitted USING 1")


def test_results_encrypted_by_a_key_need_the_key(admin: Analyst, emulator: Emulator) -> None:
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    by_key = {"EncryptionOption": "SSE_KMS", "KmsKey": key}
    admin.athena.create_work_group(
        Name="athena-encrypted",
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": RESULTS, "EncryptionConfiguration": by_key},
        },
    )
    statements = athena_permissions("athena_marts")
    ada = as_role(Role(emulator, "athena-without-key", *statements))
    assert f'kms:GenerateDataKey on resource: "{key}"' in ada.failure("SELECT 1", workgroup="athena-encrypted")
    ada = as_role(Role(emulator, "athena-writes-by-key", *statements, allow("kms:GenerateDataKey", key)))
    execution_id = ada.run("SELECT 1", workgroup="athena-encrypted")["QueryExecutionId"]
    with pytest.raises(ClientError, match="kms:Decrypt on resource"):
        ada.page(execution_id)
    ada = as_role(Role(emulator, "athena-with-key", *statements, allow(["kms:GenerateDataKey", "kms:Decrypt"], key)))
    assert ada.rows("SELECT 1", workgroup="athena-encrypted") == [["_col0"], ["1"]]


def test_workgroups_are_permissions_too(admin: Analyst, emulator: Emulator) -> None:
    statements = athena_permissions("athena_marts")
    statements[0] = allow("athena:*", f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/other")
    ada = as_role(Role(emulator, "athena-other-group", *statements))
    theirs = admin.run("SELECT 1")["QueryExecutionId"]
    for call in (lambda: ada.start("SELECT 1"), lambda: ada.athena.get_query_execution(QueryExecutionId=theirs)):
        with pytest.raises(ClientError, match=r"AccessDeniedException.*You are not authorized to perform: athena:"):
            call()
