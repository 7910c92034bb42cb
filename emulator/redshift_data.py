"""The Redshift Data API on workgroups of Redshift Serverless: statements are submitted, described, and their rows read.

Who submits one is a user of the database: by a secret that user whose name and password are in it, otherwise the user
that stands for the caller's IAM identity. Not emulated: clusters, sessions, parameters, batches, events, CSV.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from emulator import redshift_runner, redshift_statements
from emulator.athena_clients import client
from emulator.iam_identities import identify
from emulator.overlay import AwsError, Context, not_emulated, operation
from emulator.redshift_statements import Statement, Submission
from emulator.redshift_store import Workgroup, invalid, store

SERVICE = "redshift-data"
_MAX_ROWS = 1000  # of a page; on AWS a page is limited by its size
_MAX_STATEMENTS = 100
_NOT_EMULATED = (
    "ClusterIdentifier",
    "DbUser",
    "Parameters",
    "SessionId",
    "SessionKeepAliveSeconds",
    "WaitTimeSeconds",
)


@operation(SERVICE, "ExecuteStatement")
def execute_statement(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    for name in _NOT_EMULATED:
        if name in params:
            raise not_emulated(SERVICE, ctx.action, f"with {name}")
    if params.get("WithEvent") or params.get("ResultFormat", "JSON") != "JSON":
        raise not_emulated(SERVICE, ctx.action, "with events or results as CSV")
    for name in ("WorkgroupName", "Database"):
        if name not in params:
            raise invalid(f"{name} must be provided.")
    workgroup = store(ctx.account, ctx.region).workgroups.get(params["WorkgroupName"])
    if workgroup is None:
        raise invalid("Redshift endpoint doesn't exist in this region.")
    secret_arn = params.get("SecretArn")
    owner, owner_role = _caller(ctx)
    submission = Submission(
        account=ctx.account,
        region=ctx.region,
        owner=owner,
        owner_role=owner_role,
        workgroup=workgroup.name,
        database=params["Database"],
        user=_user_of_secret(ctx, workgroup, secret_arn) if secret_arn else _user_of_identity(ctx, workgroup, params),
        sql=params["Sql"],
        name=params.get("StatementName"),
        secret_arn=secret_arn,
    )
    statement = Statement(submission)
    kept = redshift_statements.add(statement, params["ClientToken"])
    if kept is statement:
        redshift_runner.start(statement)
    elif kept.submission != submission:
        raise invalid("Idempotent parameters do not match.")
    described = kept.describe()
    told = ("Id", "CreatedAt", "Database", "DbUser", "SecretArn", "WorkgroupName")
    return {key: described[key] for key in told if key in described}


@operation(SERVICE, "DescribeStatement")
def describe_statement(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return _statement(ctx, params).describe()


@operation(SERVICE, "GetStatementResult")
def get_statement_result(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A page of rows. A token is the number of the row that the page begins with."""
    result = _statement(ctx, params).result
    if result is None:
        raise AwsError(
            "ResourceNotFoundException",
            "Query does not have result. Please check query status with DescribeStatement.",
        )
    token = params.get("NextToken") or "0"
    if not token.isdecimal():
        raise invalid(f"Invalid NextToken {token}: it was expected as an earlier page gave it")
    first, last = int(token), int(token) + _MAX_ROWS
    answer = {
        "ColumnMetadata": result.columns,
        "Records": result.records[first:last],
        "TotalNumRows": len(result.records),
    }
    return {**answer, "NextToken": str(last)} if last < len(result.records) else answer


@operation(SERVICE, "CancelStatement")
def cancel_statement(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    statement = _statement(ctx, params)
    if not statement.cancel():
        raise invalid(f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}")
    return {"Status": True}


@operation(SERVICE, "ListStatements")
def list_statements(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The caller's statements, newest first: of its role, or with `RoleLevel: false` of this session of it only."""
    owner, owner_role = _caller(ctx)
    wanted_status = params.get("Status", "ALL")

    def is_wanted(statement: Statement) -> bool:
        submission = statement.submission
        own = submission.owner_role == owner_role if params.get("RoleLevel", True) else submission.owner == owner
        return (
            own
            and wanted_status in ("ALL", statement.status)
            and (submission.name or "").startswith(params.get("StatementName", ""))
            and params.get("Database", submission.database) == submission.database
            and params.get("WorkgroupName", submission.workgroup) == submission.workgroup
        )

    statements = [each for each in redshift_statements.newest_first(ctx.account, ctx.region) if is_wanted(each)]
    ids = [statement.id for statement in statements]
    first = ids.index(params["NextToken"]) if params.get("NextToken") in ids else 0
    last = first + (params.get("MaxResults") or _MAX_STATEMENTS)
    answer: dict[str, Any] = {"Statements": [_listed(statement) for statement in statements[first:last]]}
    return {**answer, "NextToken": ids[last]} if last < len(ids) else answer


def _listed(statement: Statement) -> dict[str, Any]:
    described = statement.describe()
    listed = {key: described[key] for key in ("Id", "QueryString", "Status", "CreatedAt", "UpdatedAt")}
    return {**listed, "StatementName": statement.submission.name or "", "IsBatchStatement": False}


def _statement(ctx: Context, params: dict[str, Any]) -> Statement:
    statement = redshift_statements.find(ctx.account, ctx.region, params["Id"])
    if statement is None:
        raise AwsError("ResourceNotFoundException", "Query does not exist.")
    return statement


# --- Who asks


def _caller(ctx: Context) -> tuple[str, str]:
    """`aws:userid` and the ARN of the role or user."""
    context = identify(ctx.account, ctx.access_key).context
    arn = context["aws:principalarn"]
    return context.get("aws:userid", arn), arn


def _user_of_identity(ctx: Context, workgroup: Workgroup, params: dict[str, Any]) -> str:
    serverless = client(ctx.access_key, "redshift-serverless", ctx.region)
    try:
        return serverless.get_credentials(workgroupName=workgroup.name, dbName=params["Database"])["dbUser"]
    except ClientError as error:
        raise _same_refusal(error) from error


def _user_of_secret(ctx: Context, workgroup: Workgroup, secret_arn: str) -> str:
    try:
        value = client(ctx.access_key, "secretsmanager", ctx.region).get_secret_value(SecretId=secret_arn)
    except ClientError as error:
        raise _same_refusal(error) from error
    credentials = json.loads(value["SecretString"])
    user, password = credentials.get("username"), credentials.get("password")
    if not user or not password:
        raise invalid("username and password in secret cannot be empty")
    namespace = workgroup.namespace
    if (user, password) != (namespace.database.administrator, namespace.admin_password):
        raise invalid(f'FATAL: password authentication failed for user "{user}"')
    return user


def _same_refusal(error: ClientError) -> AwsError:
    """The Data API passes on what the other service answered to the caller's identity."""
    return AwsError(error.response["Error"]["Code"], error.response["Error"]["Message"])
