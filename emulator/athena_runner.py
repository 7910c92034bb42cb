"""Runs one query execution: on Trino, or on the catalog alone; its result goes to S3 with the caller's permissions."""

import json
import logging
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from emulator import athena_catalog, athena_ddl, athena_results, athena_tables
from emulator.athena_clients import client
from emulator.athena_executions import Execution
from emulator.athena_failures import SYSTEM, Failure, of_trino, permission_denied
from emulator.athena_sql import CATALOG, Kind
from emulator.trino import Query, QueryFailed, engine

_log = logging.getLogger(__name__)
_SPOOL_BYTES = 8 << 20  # a larger result waits on disk

_AS_WRITTEN = (Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE, Kind.EXPLAIN)
_CHANGES_ROWS = (Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE, Kind.CREATE_TABLE_AS_SELECT)


def start(execution: Execution) -> None:
    """Run it in a thread of its own."""
    threading.Thread(target=_run, args=(execution,), name=f"athena-{execution.id}", daemon=True).start()


def _run(execution: Execution) -> None:
    try:
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as result:
            if execution.submission.statement.kind in athena_catalog.ANSWERS:
                _answer_from_catalog(execution, result)
            else:
                _answer_from_engine(execution, result)
            execution.measurements.ended = datetime.now(UTC)
            if execution.state == "RUNNING":  # and not cancelled meanwhile
                _deliver(execution, result)
    except Failure as failure:
        execution.fail(failure.reason, failure.category)
    except Exception as error:  # noqa: BLE001
        # A bug here, or the engine is gone: nobody waits for this thread, so the execution's state has to tell.
        _log.exception("query execution %s", execution.id)
        execution.fail(f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}", SYSTEM)
    else:
        execution.succeed()


def _answer_from_catalog(execution: Execution, result: BinaryIO) -> None:
    submission = execution.submission
    if not execution.run(stop_engine=lambda: None):
        return
    listing = athena_catalog.answer(submission.statement, submission.access_key, submission.region, submission.database)
    execution.columns = [athena_results.text_column(name) for name in listing.columns]
    for line in listing.lines:
        result.write(f"{line}\n".encode())


def _answer_from_engine(execution: Execution, result: BinaryIO) -> None:
    submission = execution.submission
    athena_catalog.check_default_database(submission.access_key, submission.region)
    athena_tables.check_formats(submission.statement, submission.account, submission.region, submission.database)
    with engine.catalog(submission.access_key, submission.region) as catalog:
        try:
            query = _submit(execution, catalog)
            if execution.run(stop_engine=query.cancel):
                _receive(execution, query, catalog, result)
            else:
                query.cancel()
        except QueryFailed as failed:
            raise of_trino(failed.error, catalog) from failed


def _submit(execution: Execution, catalog: str) -> Query:
    submission = execution.submission
    statement = submission.statement
    sql = statement.in_catalog(catalog) if statement.kind in _AS_WRITTEN else athena_ddl.to_trino(statement, catalog)
    if not submission.parameters:
        return engine.query(sql, catalog=catalog, schema=submission.database)
    execute = f"EXECUTE prepared USING {', '.join(submission.parameters)}"
    return engine.query(execute, catalog=catalog, schema=submission.database, prepared=sql)


def _receive(execution: Execution, query: Query, catalog: str, result: BinaryIO) -> None:
    """Write the rows as they come. A change of rows has none, only their number."""
    kind, measured = execution.submission.statement.kind, execution.measurements
    encoders: list[athena_results.Encoder] = []
    for page in query.pages():
        if "updateCount" in page:
            execution.update_count = page["updateCount"]
        if "columns" in page and not encoders and kind not in _CHANGES_ROWS:
            encoders = [athena_results.encoder(column["typeSignature"]) for column in page["columns"]]
            execution.columns = [
                athena_results.column_info(column["name"], column["typeSignature"]) for column in page["columns"]
            ]
            if kind is not Kind.EXPLAIN:
                athena_results.write_csv_row(result, [column["name"] for column in page["columns"]])
        for values in page.get("data", []) if encoders else []:
            row = [None if value is None else encode(value) for encode, value in zip(encoders, values, strict=True)]
            if kind is Kind.EXPLAIN:
                result.write(f"{row[0].replace(catalog, CATALOG)}\n".encode())
            else:
                athena_results.write_csv_row(result, row)
            measured.output_rows += 1
    measured.planning = query.stats["planningTimeMillis"]
    measured.scanned = query.stats["physicalInputBytes"]
    measured.input_rows = query.stats["processedRows"]


def _deliver(execution: Execution, result: BinaryIO) -> None:
    """Put the result into S3, and beside it `.metadata` (Athena's is an undocumented binary file, this one is JSON)."""
    submission = execution.submission
    s3 = client(submission.access_key, "s3", submission.region)
    options = _encryption(submission.result_configuration)
    execution.measurements.output_bytes = result.tell()
    result.seek(0)
    metadata = json.dumps({"ColumnInfo": execution.columns}).encode()
    _put(s3.put_object, execution.output_location, Body=result, **options)
    _put(s3.put_object, f"{execution.output_location}.metadata", Body=metadata, **options)


def _put(put_object: Callable[..., Any], location: str, **params: Any) -> None:
    url = urlsplit(location)
    try:
        put_object(Bucket=url.netloc, Key=url.path.lstrip("/"), **params)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        if error.response["Error"]["Code"] == "AccessDenied":
            raise permission_denied(message) from error
        raise Failure(f"Cannot write the result to {location}: {message}") from error


def _encryption(configuration: Any) -> dict[str, str]:
    """The options of PutObject for ResultConfiguration's EncryptionConfiguration."""
    encryption = configuration.get("EncryptionConfiguration")
    if encryption is None:
        return {}
    if encryption["EncryptionOption"] == "SSE_S3":
        return {"ServerSideEncryption": "AES256"}
    if encryption["EncryptionOption"] == "SSE_KMS":
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption["KmsKey"]}
    raise Failure(f"NOT_SUPPORTED: The emulator's Athena does not encrypt by {encryption['EncryptionOption']}")
