"""Athena's query executions. Trino runs them (trino.py); what Athena refuses is refused here.

Not emulated yet: PREPARE as a statement, the workgroup's limit of scanned bytes, result reuse, views and UNLOAD. An
execution that needs one of them is refused or, for the limit and the reuse, runs without.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from moto.athena.models import AthenaBackend, WorkGroup

from emulator import athena_executions, athena_parameters, athena_prepared, athena_results, athena_runner, athena_sql
from emulator.athena_clients import client
from emulator.athena_definitions import find_work_group
from emulator.athena_executions import Execution, Submission
from emulator.athena_sql import Kind
from emulator.overlay import AwsError, Context, operation
from emulator.trino import engine

_MAX_ROWS = 1000
_MAX_EXECUTIONS = 50


_create_work_group = AthenaBackend.create_work_group


def _create_work_group_and_start_engine(backend: AthenaBackend, name: str, *arguments: Any, **named: Any) -> Any:
    """Who creates a workgroup will query: the engine starts while other things are waited for."""
    if name != "primary":  # which is there from the beginning
        engine.start_in_background()
    return _create_work_group(backend, name, *arguments, **named)


AthenaBackend.create_work_group = _create_work_group_and_start_engine


# --- Starting


@operation("athena", "StartQueryExecution")
def start_query_execution(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    submission = _submission(ctx, params)
    execution = Execution(submission)
    kept = athena_executions.add(execution, params.get("ClientRequestToken"))
    if kept is execution:
        athena_runner.start(execution)
    elif kept.submission != submission:
        raise _invalid("Idempotent parameters do not match")
    return {"QueryExecutionId": kept.id}


def _submission(ctx: Context, params: Mapping[str, Any]) -> Submission:
    workgroup = find_work_group(ctx, params.get("WorkGroup") or "primary")
    if workgroup.state == "DISABLED":
        raise _invalid(f"WorkGroup {workgroup.name} is disabled.")
    statement = athena_sql.read(params["QueryString"])
    parameters = params.get("ExecutionParameters")
    if statement.kind is Kind.EXECUTE:
        statement, parameters = athena_prepared.expand(ctx, workgroup.name, statement, parameters)
    athena_parameters.check(statement, params.get("ExecutionParameters"))
    context = params.get("QueryExecutionContext") or {}
    if context.get("Catalog", athena_sql.CATALOG).lower() != athena_sql.CATALOG:
        raise _invalid(f"Catalog {context['Catalog']} does not exist: the emulator has AwsDataCatalog only")
    result_configuration = _result_configuration(workgroup, params.get("ResultConfiguration") or {})
    _check_output_bucket(ctx, result_configuration["OutputLocation"])
    return Submission(
        account=ctx.account,
        region=ctx.region,
        access_key=ctx.access_key,
        workgroup=workgroup.name,
        query=params["QueryString"],
        statement=statement,
        parameters=parameters,
        context=context,
        database=context.get("Database", "default").lower(),
        result_configuration=result_configuration,
        engine_version=workgroup.configuration["EngineVersion"],
    )


def _result_configuration(workgroup: WorkGroup, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The workgroup's settings when it enforces them, else the client's, else the workgroup's."""
    own = workgroup.configuration.get("ResultConfiguration") or {}
    enforced = workgroup.configuration["EnforceWorkGroupConfiguration"]
    configuration = own if enforced or not given.get("OutputLocation") else given
    if not configuration.get("OutputLocation"):
        raise _invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return configuration


def _check_output_bucket(ctx: Context, location: str) -> None:
    bucket = urlsplit(location).netloc
    try:
        client(ctx.access_key, "s3", ctx.region).get_bucket_location(Bucket=bucket)
    except ClientError as error:
        raise _invalid(f"Unable to verify/create output bucket {bucket}") from error


@operation("athena", "StopQueryExecution")
def stop_query_execution(ctx: Context, params: dict[str, Any]) -> None:
    _execution(ctx, params).cancel()


# --- Looking


@operation("athena", "GetQueryExecution")
def get_query_execution(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return {"QueryExecution": _as_dict(_execution(ctx, params))}


@operation("athena", "BatchGetQueryExecution")
def batch_get_query_execution(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    ids = params["QueryExecutionIds"]
    found = {each: athena_executions.find(ctx.account, ctx.region, each) for each in ids}
    return {
        "QueryExecutions": [_as_dict(execution) for execution in found.values() if execution],
        "UnprocessedQueryExecutionIds": [
            {
                "QueryExecutionId": each,
                "ErrorCode": "INVALID_QUERY_EXECUTION_ID",
                "ErrorMessage": f"QueryExecution {each} was not found",
            }
            for each, execution in found.items()
            if execution is None
        ],
    }


@operation("athena", "ListQueryExecutions")
def list_query_executions(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    workgroup = find_work_group(ctx, params.get("WorkGroup") or "primary")
    executions = athena_executions.of_workgroup(ctx.account, ctx.region, workgroup.name)
    ids = [execution.id for execution in executions]
    first = ids.index(params["NextToken"]) if params.get("NextToken") in ids else 0
    last = first + params.get("MaxResults", _MAX_EXECUTIONS)
    answer: dict[str, Any] = {"QueryExecutionIds": ids[first:last]}
    return {**answer, "NextToken": ids[last]} if last < len(ids) else answer


@operation("athena", "GetQueryRuntimeStatistics")
def get_query_runtime_statistics(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    execution = _execution(ctx, params)
    measured = execution.measurements
    rows = {
        "InputRows": measured.input_rows,
        "InputBytes": measured.scanned,
        "OutputRows": measured.output_rows,
        "OutputBytes": measured.output_bytes,
    }
    statistics = {"Timeline": _timeline(execution)}
    return {"QueryRuntimeStatistics": {**statistics, "Rows": rows} if measured.ended else statistics}


@operation("athena", "GetQueryResults")
def get_query_results(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A page of the result file, which is read with the caller's permissions. A token is an offset in the file."""
    execution = _execution(ctx, params)
    if execution.state == "FAILED":
        raise _invalid(f"Query did not finish successfully. Final query state: {execution.state}")
    if execution.state != "SUCCEEDED":
        raise _invalid(f"Query has not yet finished. Current state: {execution.state}")
    max_rows = params.get("MaxResults", _MAX_ROWS)
    if max_rows > _MAX_ROWS:
        raise _invalid(f"MaxResults is more than maximum allowed length {_MAX_ROWS}.")
    token = params.get("NextToken") or "0"
    if not token.isdecimal():
        raise _invalid(f"Invalid NextToken {token!r}: it was expected as an earlier page gave it")
    offset = int(token)

    rows: list[dict[str, Any]] = []
    for row, length in islice(_rows(ctx, execution, offset), max_rows):
        rows.append({"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]})
        offset += length
    answer: dict[str, Any] = {
        "UpdateCount": execution.update_count or 0,
        "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": execution.columns}},
    }
    return {**answer, "NextToken": str(offset)} if offset < execution.measurements.output_bytes else answer


def _rows(ctx: Context, execution: Execution, offset: int) -> Iterable[tuple[athena_results.Row, int]]:
    if offset >= execution.measurements.output_bytes:
        return []
    url = urlsplit(execution.output_location)
    s3 = client(ctx.access_key, "s3", ctx.region)
    try:
        stored = s3.get_object(Bucket=url.netloc, Key=url.path.lstrip("/"), Range=f"bytes={offset}-")
    except ClientError as error:
        raise _invalid(f"Cannot read the result {execution.output_location}: {error}") from error
    return athena_results.read_rows(stored["Body"], is_csv=execution.output_location.endswith(".csv"))


def _execution(ctx: Context, params: Mapping[str, Any]) -> Execution:
    execution = athena_executions.find(ctx.account, ctx.region, params["QueryExecutionId"])
    if execution is None:
        raise _invalid(f"QueryExecution {params['QueryExecutionId']} was not found")
    return execution


def _as_dict(execution: Execution) -> dict[str, Any]:
    """The API's QueryExecution."""
    submission = execution.submission
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted}
    if execution.completed is not None:
        status["CompletionDateTime"] = execution.completed
    if execution.reason is not None:
        status["StateChangeReason"] = execution.reason
    if execution.error_category is not None:
        status["AthenaError"] = {
            "ErrorCategory": execution.error_category,
            "Retryable": False,
            "ErrorMessage": execution.reason,
        }
    described = {
        "QueryExecutionId": execution.id,
        "Query": submission.query,
        "StatementType": submission.statement.kind.statement_type,
        "SubstatementType": submission.statement.kind.value,
        "ResultConfiguration": {**submission.result_configuration, "OutputLocation": execution.output_location},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": dict(submission.context),
        "Status": status,
        "Statistics": {
            **_timeline(execution),
            "DataScannedInBytes": execution.measurements.scanned,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        },
        "WorkGroup": submission.workgroup,
        "EngineVersion": dict(submission.engine_version),
    }
    return {**described, "ExecutionParameters": submission.parameters} if submission.parameters else described


def _timeline(execution: Execution) -> dict[str, int]:
    """Where the time went so far, in milliseconds: waiting for the engine, in it, and delivering the result."""
    measured = execution.measurements
    until = execution.completed or datetime.now(execution.submitted.tzinfo)
    started = measured.started or until
    ended = measured.ended or until
    return {
        "QueryQueueTimeInMillis": _milliseconds(execution.submitted, started),
        "QueryPlanningTimeInMillis": measured.planning,
        "EngineExecutionTimeInMillis": _milliseconds(started, ended),
        "ServiceProcessingTimeInMillis": _milliseconds(ended, until),
        "TotalExecutionTimeInMillis": _milliseconds(execution.submitted, until),
    }


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)
