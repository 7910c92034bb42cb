"""Statements of the Redshift Data API: external schemas over the emulator's Glue and S3, queries on a real Trino."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from redshift_support import Submitter, create_warehouse, role_arn, spectrum_role
from roles import TRUST_ACCOUNT, Role, allow

BUCKET = "redshift-lake"
GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
CREATE_LAKE = f"CREATE EXTERNAL SCHEMA IF NOT EXISTS lake FROM DATA CATALOG DATABASE 'redshift_lake' REGION '{REGION}' IAM_ROLE default"  # noqa: E501
GRANT_LAKE = "GRANT USAGE ON SCHEMA lake TO PUBLIC"


def athena(emulator: Emulator, sql: str, database: str) -> None:
    """Run a statement on Athena, as an administrator."""
    client = emulator.client("athena")
    execution_id = client.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )["QueryExecutionId"]
    while (status := client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]["Status"])[
        "State"
    ] in ("QUEUED", "RUNNING"):
        time.sleep(0.05)
    assert status["State"] == "SUCCEEDED", status


def create_table(emulator: Emulator, database: str, name: str, columns: str) -> None:
    athena(
        emulator,
        f"CREATE TABLE {name} ({columns}) LOCATION 's3://{BUCKET}/{database}/{name}/' "
        "TBLPROPERTIES ('table_type' = 'ICEBERG')",
        database,
    )


@pytest.fixture(scope="module")
def lake(emulator: Emulator) -> None:
    """Databases redshift_lake, redshift_marts and redshift_raw of a lake, each with one row in its table `shots`."""
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for database in ("redshift_lake", "redshift_marts", "redshift_raw"):
        location = f"s3://{BUCKET}/{database}"
        emulator.client("glue").create_database(DatabaseInput={"Name": database, "LocationUri": location})
        create_table(emulator, database, "shots", "id bigint, club string, carry decimal(6,2), hit_at timestamp")
        row = "(1, 'driver', decimal '241.50', timestamp '2026-02-28 23:59:59.123456')"
        athena(emulator, f"INSERT INTO shots VALUES {row}", database)


@pytest.fixture(scope="module")
def spectrum(emulator: Emulator) -> Role:
    """The role by which Redshift reads: redshift_lake and redshift_marts, not redshift_raw."""
    readable = ("redshift_lake", "redshift_marts")
    catalog = [f"{GLUE}:catalog", *(f"{GLUE}:{each}" for name in readable for each in _of_database(name))]
    return spectrum_role(
        emulator,
        "redshift-spectrum",
        allow(["glue:GetDatabase", "glue:GetTable", "glue:GetTables"], catalog),
        allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
        allow("s3:GetObject", [f"arn:aws:s3:::{BUCKET}/{name}/*" for name in readable]),
    )


def _of_database(name: str) -> list[str]:
    return [f"database/{name}", f"table/{name}/*"]


@pytest.fixture(scope="module")
def serverless(emulator: Emulator) -> BaseClient:
    return emulator.client("redshift-serverless")


@pytest.fixture(scope="module")
def admin(emulator: Emulator, lake: None, spectrum: Role, serverless: BaseClient) -> Submitter:
    """The administrator of a warehouse with the external schemas `lake` and `raw`, of which PUBLIC may use `lake`."""
    warehouse = create_warehouse(serverless, "warehouse", iamRoles=[spectrum.arn], defaultIamRoleArn=spectrum.arn)
    admin = Submitter(emulator.client("redshift-data"), "warehouse", warehouse["adminPasswordSecretArn"])
    admin.run(CREATE_LAKE)
    admin.run(GRANT_LAKE)
    return admin


@pytest.fixture
def analyst(emulator: Emulator, admin: Submitter, serverless: BaseClient) -> Submitter:
    """A session of a role with what an analyst needs to query, and nothing on Glue or S3."""
    role = analyst_role(emulator, serverless, f"analyst-{next(_numbers)}")
    return Submitter(role.client("redshift-data"), "warehouse")


_numbers = itertools.count(1)


def analyst_role(emulator: Emulator, serverless: BaseClient, name: str) -> Role:
    workgroup = serverless.get_workgroup(workgroupName="warehouse")["workgroup"]["workgroupArn"]
    own = {"StringEquals": {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}}
    follow = ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"]
    return Role(
        emulator,
        name,
        allow(["redshift-data:ExecuteStatement", "redshift-serverless:GetCredentials"], workgroup),
        allow(follow, Condition=own),
    )


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


# --- Queries


def test_a_query_from_submission_to_its_rows(admin: Submitter) -> None:
    sql = "select id, club, carry, hit_at, null as nothing from lake.shots limit 5"
    described = admin.run(sql, StatementName="first")
    assert (described["QueryString"], described["Database"]) == (sql, "trackman")
    assert (described["HasResultSet"], described["ResultRows"], described["DbUser"]) == (True, 1, "admin")
    assert isinstance(described["Duration"], int)
    result = admin.data.get_statement_result(Id=described["Id"])
    columns = [(each["name"], each["typeName"]) for each in result["ColumnMetadata"][:4]]
    assert columns == [("id", "int8"), ("club", "varchar"), ("carry", "numeric"), ("hit_at", "timestamp")]
    assert result["TotalNumRows"] == 1
    assert result["Records"] == [
        [
            {"longValue": 1},
            {"stringValue": "driver"},
            {"stringValue": "241.50"},
            {"stringValue": "2026-02-28 23:59:59.123456"},
            {"isNull": True},
        ]
    ]
    listed = admin.data.list_statements(StatementName="fir")["Statements"]
    assert [each["Id"] for each in listed] == [described["Id"]]


def test_redshift_sql_is_translated(admin: Submitter) -> None:
    sql = """
        with hits as (select club, nvl(carry, 0) as carry from Lake.Shots where club ilike 'DRI%')
        select top 1 h.club, lake.shots.carry::int, dateadd(day, 1, lake.shots.hit_at)::date
        from hits h join lake.shots on lake.shots.club = h.club
    """
    assert admin.rows(sql) == [("driver", 242, "2026-03-01")]


def test_pages(admin: Submitter) -> None:
    digits = " union all ".join(f"select {number} as d" for number in range(10))
    sql = f"with t as ({digits}) select a.d + 10 * b.d + 100 * c.d + 1000 * e.d as n from t a, t b, t c, t e"
    statement_id = admin.run(f"{sql} where e.d < 2 order by n")["Id"]
    first = admin.data.get_statement_result(Id=statement_id)
    assert (len(first["Records"]), first["TotalNumRows"]) == (1000, 2000)
    second = admin.data.get_statement_result(Id=statement_id, NextToken=first["NextToken"])
    assert (second["Records"][0], "NextToken" in second) == ([{"longValue": 1000}], False)


def test_nested_values_are_super(emulator: Emulator, admin: Submitter) -> None:
    create_table(emulator, "redshift_lake", "nested", "tags array<string>, point struct<x:int,y:array<int>>")
    athena(
        emulator,
        "INSERT INTO nested VALUES (ARRAY['a', NULL], CAST(ROW(1, ARRAY[2]) AS ROW(x integer, y array(integer))))",
        "redshift_lake",
    )
    statement_id = admin.run("select * from lake.nested")["Id"]
    result = admin.data.get_statement_result(Id=statement_id)
    assert [each["typeName"] for each in result["ColumnMetadata"]] == ["super", "super"]
    values = [json.loads(field["stringValue"]) for field in result["Records"][0]]
    assert values == [["a", None], {"x": 1, "y": [2]}]


FAILURES = [
    ("select nothing from lake.shots", "COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved"),
    ("select * from lake.nothing", "Table 'awsdatacatalog.redshift_lake.nothing' does not exist"),
    ("select * from nowhere.shots", 'ERROR: schema "nowhere" does not exist'),
    ("select * from shots", 'ERROR: relation "shots" does not exist'),
    ("select * from public.shots", "tables in external schemas only, none in public"),
    ("select * from other.lake.shots", "no database other beside the one connected to"),
    ("selec 1", "ERROR: syntax error"),
    ("select 1; select 2", "one SQL statement was expected, not 2"),
    ("create table t (id int)", "does not run create table t … statements"),
    ("insert into lake.shots values (1)", "does not run insert into lake.shots … statements"),
    ("select * into t from lake.shots", "does not run select * into … statements"),
    ("create role analysts", "does not run create role analysts … statements"),
    ("grant usage on schema lake to role analysts", 'ERROR: role "analysts" does not exist'),
    ("grant usage on schema lake to nobody", 'ERROR: user "nobody" does not exist'),
    ("grant usage on schema nowhere to public", 'ERROR: schema "nowhere" does not exist'),
    ("grant select on schema lake to public", "knows no privilege select on a schema"),
    ("drop schema nowhere", 'ERROR: Schema "nowhere" does not exist'),
    ("create external schema x from postgres database 'x'", "in this form: it reads create external schema"),
    ("create external schema x from data catalog database 'none' iam_role default", "Cannot use the database none"),
]


@pytest.mark.parametrize(("sql", "message"), FAILURES, ids=[sql for sql, _ in FAILURES])
def test_failures_name_what_is_wrong(admin: Submitter, sql: str, message: str) -> None:
    assert message in admin.failure(sql)


def test_a_column_that_spectrum_cannot_read_is_refused(emulator: Emulator, admin: Submitter) -> None:
    create_table(emulator, "redshift_lake", "unreadable", "id bigint, at timestamp")
    files = emulator.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="redshift_lake/unreadable/metadata/")
    key = next(each["Key"] for each in files["Contents"] if each["Key"].endswith(".metadata.json"))
    s3 = emulator.client("s3")
    metadata = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    metadata["schemas"][0]["fields"][0]["type"] = "uuid"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(metadata))
    error = admin.failure("select at from lake.unreadable")
    assert 'column "id" of table unreadable has the type uuid, which Redshift Spectrum cannot read' in error


# --- External schemas and who may use them


def test_only_what_is_idempotent_runs_twice(admin: Submitter) -> None:
    for sql in (CREATE_LAKE, GRANT_LAKE, "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "DROP SCHEMA IF EXISTS none"):
        admin.run(sql)
        admin.run(sql)
    assert admin.failure(CREATE_LAKE.replace(" IF NOT EXISTS", "")) == 'ERROR: Schema "lake" already exists'


def test_an_analyst_reads_what_was_granted(admin: Submitter, analyst: Submitter) -> None:
    """By the Spectrum role: the analyst's own has no permission on Glue or S3."""
    assert analyst.rows("select club from lake.shots") == [("driver",)]
    assert analyst.rows("select current_user")[0][0].startswith("IAMR:analyst-")
    admin.run(CREATE_LAKE.replace("lake", "marts"))
    assert analyst.failure("select * from marts.shots") == "ERROR: permission denied for schema marts"
    admin.run("GRANT USAGE ON SCHEMA marts TO PUBLIC")
    assert analyst.rows("select club from marts.shots") == [("driver",)]
    admin.run("REVOKE USAGE ON SCHEMA marts FROM PUBLIC")
    assert analyst.failure("select * from marts.shots") == "ERROR: permission denied for schema marts"


def test_an_analyst_grants_and_changes_nothing(analyst: Submitter) -> None:
    assert analyst.failure(CREATE_LAKE) == "ERROR: permission denied for database trackman"
    assert analyst.failure(GRANT_LAKE) == "ERROR: permission denied for schema lake"
    assert analyst.failure("DROP SCHEMA lake") == "ERROR: must be owner of schema lake"


def test_a_user_of_an_identity_exists_from_its_first_login_on(admin: Submitter, analyst: Submitter) -> None:
    """So nothing can be granted to a role that has never been there."""
    user = analyst.data.execute_statement(WorkgroupName="warehouse", Database="other", Sql="select 1")["DbUser"]
    assert admin.failure(f'GRANT USAGE ON SCHEMA lake TO "{user}"') == f'ERROR: user "{user}" does not exist'
    analyst.run("select 1")
    admin.run(f'GRANT USAGE ON SCHEMA lake TO "{user}"')


def test_the_spectrum_role_bounds_what_anybody_reads(emulator: Emulator, serverless: BaseClient, lake: None) -> None:
    """Whatever is granted in the database. Its permissions are asked for at each query."""
    role = spectrum_role(
        emulator,
        "redshift-no-files",
        allow(["glue:GetDatabase", "glue:GetTable", "glue:GetTables"]),
        allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
    )
    warehouse = create_warehouse(serverless, "no-files", iamRoles=[role.arn], defaultIamRoleArn=role.arn)
    admin = Submitter(emulator.client("redshift-data"), "no-files", warehouse["adminPasswordSecretArn"])
    admin.run(CREATE_LAKE)
    assert "PERMISSION_DENIED" in admin.failure("select * from lake.shots")
    refused = {request["principal"] for request in emulator.requests() if request["decision"] == "deny"}
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/redshift-no-files/redshift-spectrum" in refused


def test_a_database_that_the_spectrum_role_may_not_see_is_refused(admin: Submitter) -> None:
    error = admin.failure(CREATE_LAKE.replace("lake", "raw"))
    assert "Cannot use the database redshift_raw" in error
    assert "redshift-spectrum" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "has no default IAM role"),
        ({"trust": json.dumps(TRUST_ACCOUNT)}, "does not trust ['redshift-serverless.amazonaws.com'"),
    ],
)
def test_an_external_schema_needs_a_role_that_redshift_may_assume(
    emulator: Emulator, serverless: BaseClient, lake: None, options: dict[str, str], message: str
) -> None:
    name = f"role-{len(options)}"
    namespace = {}
    if options:
        role = spectrum_role(emulator, f"redshift-{name}", **options)
        namespace = {"iamRoles": [role.arn], "defaultIamRoleArn": role.arn}
    warehouse = create_warehouse(serverless, name, **namespace)
    admin = Submitter(emulator.client("redshift-data"), name, warehouse["adminPasswordSecretArn"])
    assert message in admin.failure(CREATE_LAKE)
    other = CREATE_LAKE.replace("default", f"'{role_arn('redshift-spectrum')}'")
    assert "is not associated with the namespace" in admin.failure(other)


def test_a_role_in_the_text_is_not_told(admin: Submitter, spectrum: Role) -> None:
    """So a statement that names one differs from its description, and Terraform replaces it at every plan."""
    described = admin.run(f"{CREATE_LAKE.removesuffix('default')}'{spectrum.arn}'")
    assert described["QueryString"].endswith("IAM_ROLE ''")


# --- Who asks


def test_a_secret_is_read_as_the_caller(emulator: Emulator, admin: Submitter, serverless: BaseClient) -> None:
    warehouse = serverless.get_namespace(namespaceName="warehouse")["namespace"]
    secret = warehouse["adminPasswordSecretArn"]
    data = allow(["redshift-data:*"])
    without = Role(emulator, "redshift-no-secret", data).client("redshift-data")
    target = {"WorkgroupName": "warehouse", "Database": "trackman", "Sql": "select 1", "SecretArn": secret}
    code, message = refusal(without.execute_statement, **target)
    assert code == "AccessDeniedException"
    assert "secretsmanager:GetSecretValue" in message
    reading = Role(emulator, "redshift-secret", data, allow("secretsmanager:GetSecretValue", secret))
    assert Submitter(reading.client("redshift-data"), "warehouse", secret).run("select 1")["DbUser"] == "admin"


def test_a_wrong_secret_is_refused(emulator: Emulator, admin: Submitter) -> None:
    secrets = emulator.client("secretsmanager")
    target = {"WorkgroupName": "warehouse", "Database": "trackman", "Sql": "select 1"}
    for value, message in (
        ({"username": "admin", "password": "guessed"}, 'password authentication failed for user "admin"'),
        ({"username": "admin"}, "username and password in secret cannot be empty"),
    ):
        name = f"redshift-guess-{len(value)}"
        arn = secrets.create_secret(Name=name, SecretString=json.dumps(value))["ARN"]
        assert message in refusal(admin.data.execute_statement, **target, SecretArn=arn)[1]


def test_an_identity_needs_credentials_of_the_workgroup(emulator: Emulator, admin: Submitter) -> None:
    role = Role(emulator, "redshift-no-login", allow("redshift-data:*"))
    target = {"WorkgroupName": "warehouse", "Database": "trackman", "Sql": "select 1"}
    code, message = refusal(role.client("redshift-data").execute_statement, **target)
    assert code == "AccessDeniedException"
    assert "redshift-serverless:GetCredentials" in message


def test_a_statement_is_its_owners(emulator: Emulator, admin: Submitter, serverless: BaseClient) -> None:
    role = analyst_role(emulator, serverless, "redshift-owner")
    first = Submitter(role.client("redshift-data", session_name="first"), "warehouse")
    second = role.client("redshift-data", session_name="second")
    statement_id = first.run("select 1")["Id"]
    for call in (second.describe_statement, second.get_statement_result, second.cancel_statement):
        assert refusal(call, Id=statement_id)[0] == "AccessDeniedException"
    by_role = Role(emulator, "redshift-lister", allow("redshift-data:ListStatements")).client("redshift-data")
    assert by_role.list_statements()["Statements"] == []


def test_what_does_not_exist_is_refused(admin: Submitter) -> None:
    target = {"WorkgroupName": "nowhere", "Database": "trackman", "Sql": "select 1"}
    answer = refusal(admin.data.execute_statement, **target)
    assert answer == ("ValidationException", "Redshift endpoint doesn't exist in this region.")
    assert admin.failure("select 1", Database="other") == 'FATAL: database "other" does not exist'
    nobody = "00000000-0000-0000-0000-000000000000"
    assert refusal(admin.data.describe_statement, Id=nobody) == ("ResourceNotFoundException", "Query does not exist.")
    assert "Database must be provided" in refusal(admin.data.execute_statement, Sql="select 1", WorkgroupName="wh-1")[1]


def test_what_is_not_emulated_is_refused_by_name(admin: Submitter) -> None:
    target = {"WorkgroupName": "warehouse", "Database": "trackman"}
    parameters = [{"name": "id", "value": "1"}]
    answer = refusal(admin.data.execute_statement, **target, Sql="select :id", Parameters=parameters)
    assert answer == (
        "NotImplementedByEmulator",
        "The emulator has no redshift-data:ExecuteStatement (with Parameters)",
    )
    answer = refusal(admin.data.batch_execute_statement, **target, Sqls=["select 1"])
    assert answer[1] == "The emulator has no redshift-data:BatchExecuteStatement"


# --- Ends


def test_a_token_that_came_before_returns_the_same_statement(admin: Submitter) -> None:
    first = admin.start("select 1", ClientToken="token")
    assert admin.start("select 1", ClientToken="token") == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        admin.start("select 2", ClientToken="token")


def test_a_cancelled_query_never_finishes(admin: Submitter) -> None:
    tens = ", ".join(f"(select {number} as d union all select 0) as t{number}" for number in range(34))
    statement_id = admin.start(f"select count(*) from {tens}")
    assert admin.data.cancel_statement(Id=statement_id)["Status"] is True
    assert admin.wait(statement_id)["Status"] == "ABORTED"
    code, message = refusal(admin.data.cancel_statement, Id=statement_id)
    assert (code, "already in ABORTED state" in message) == ("ValidationException", True)
    assert refusal(admin.data.get_statement_result, Id=statement_id)[0] == "ResourceNotFoundException"


def test_what_a_query_proves_is_said_in_the_log(emulator: Emulator, admin: Submitter) -> None:
    statement_id = admin.run("select club from lake.shots")["Id"]
    log = (emulator.data_dir / "emulator.log").read_text()
    line = next(line for line in log.splitlines() if statement_id in line)
    assert line.endswith("the names of its tables and columns are proven, and no more")
