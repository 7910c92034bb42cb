"""Runs one statement of the Redshift Data API: on the namespace's database, or as a query on Trino."""

import logging
import threading
from typing import Any

from botocore.exceptions import ClientError

from emulator import iam, redshift_results, redshift_sql, redshift_tables
from emulator.accounts import Credentials, role_session
from emulator.athena_failures import of_trino
from emulator.redshift_database import ExternalSchema, SqlError
from emulator.redshift_sql import CreateExternalSchema, DropSchema, Grant, Query, Revoke
from emulator.redshift_statements import Result, Statement
from emulator.redshift_store import Namespace, store
from emulator.trino import QueryFailed, engine

_log = logging.getLogger(__name__)

# AWS asks for both in the trust policy of a role of Redshift Serverless.
_SERVICES = ("redshift-serverless.amazonaws.com", "redshift.amazonaws.com")


def start(statement: Statement) -> None:
    """Run it in a thread of its own."""
    threading.Thread(target=_run, args=(statement,), name=f"redshift-{statement.id}", daemon=True).start()


def _run(statement: Statement) -> None:
    try:
        statement.finish(_execute(statement))
    except SqlError as error:
        statement.fail(str(error))
    except Exception as error:  # noqa: BLE001
        # A bug here, or the engine is gone: nobody waits for this thread, so the statement's status has to tell.
        _log.exception("Redshift statement %s", statement.id)
        statement.fail(f"ERROR: The emulator failed: {type(error).__name__}: {error} (see its log)")


def _execute(statement: Statement) -> Result | None:
    submission = statement.submission
    namespace = store(submission.account, submission.region).workgroup(submission.workgroup).namespace
    database, user = namespace.database, submission.user
    if submission.database != database.name:
        raise SqlError(f'FATAL: database "{submission.database}" does not exist')
    if user != database.administrator:
        database.users.add(user)
    asked = redshift_sql.read(submission.sql, submission.region)
    if isinstance(asked, Query):
        return _query(statement, namespace, asked)
    if not statement.start():
        return None
    if isinstance(asked, CreateExternalSchema):
        _check_catalog(submission.account, namespace, asked.schema)
    with database.lock:
        match asked:
            case CreateExternalSchema(name, if_not_exists, schema):
                database.create_external_schema(user, name, schema, if_not_exists=if_not_exists)
            case DropSchema(name, if_exists):
                database.drop_schema(user, name, if_exists=if_exists)
            case Grant(privileges):
                database.grant(user, set(privileges))
            case Revoke(privileges):
                database.revoke(user, set(privileges))
    return None


def _check_catalog(account: str, namespace: Namespace, schema: ExternalSchema) -> None:
    """Look the Glue database up, as the role by which its tables will be read."""
    glue = _assume(account, namespace, schema).client("glue", schema.region)
    try:
        glue.get_database(Name=schema.glue_database)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        raise SqlError(f"ERROR: Cannot use the database {schema.glue_database} of the catalog: {message}") from error


def _assume(account: str, namespace: Namespace, schema: ExternalSchema) -> Credentials:
    """A session of the role behind an external schema, as Redshift gets one."""
    role = schema.role_arn or namespace.default_role
    if role is None:
        raise SqlError(f"ERROR: The namespace {namespace.name} has no default IAM role")
    if role not in namespace.settings["iamRoles"]:
        raise SqlError(f"ERROR: The IAM role {role} is not associated with the namespace {namespace.name}")
    if refusing := [service for service in _SERVICES if not iam.trusts(role, service)]:
        raise SqlError(f"ERROR: Not authorized to get credentials of role {role}: it does not trust {refusing}")
    return role_session(account, role, "redshift-spectrum")


# --- Queries


def _query(statement: Statement, namespace: Namespace, query: Query) -> Result | None:
    submission = statement.submission
    schemas = {table.db: _schema_of(table, namespace, submission.user) for table in query.tables()}
    roles = {schema.role_arn for schema in schemas.values()}
    if len(roles) > 1:
        raise SqlError("ERROR: The emulator's Redshift reads external schemas of one IAM role in a query")
    for table in query.tables():
        redshift_tables.check(submission.account, schemas[table.db], table.name)
    if not schemas:
        return _run_on_trino(statement, "", query.for_trino(_no_table, submission.user))

    session = _assume(submission.account, namespace, next(iter(schemas.values())))
    with engine.catalog(session.access_key_id, submission.region) as catalog:
        sql = query.for_trino(lambda table: (catalog, schemas[table.db].glue_database), submission.user)
        result = _run_on_trino(statement, catalog, sql)
    _log.info(
        "Redshift statement %s ran on Trino as %s: the names of its tables and columns are proven, and no more",
        statement.id,
        session.role_arn,
    )
    return result


def _schema_of(table: Any, namespace: Namespace, user: str) -> ExternalSchema:
    if not table.db:
        raise SqlError(f'ERROR: relation "{table.name}" does not exist: name its external schema')
    if table.catalog and table.catalog != namespace.database.name:
        raise SqlError(f"ERROR: The emulator's Redshift has no database {table.catalog} beside the one connected to")
    with namespace.database.lock:
        return namespace.database.use(user, table.db)


def _no_table(table: Any) -> tuple[str, str]:
    raise AssertionError(f"{table} is in a query without tables")


def _run_on_trino(statement: Statement, catalog: str, sql: str) -> Result | None:
    try:
        query = engine.query(sql, catalog=catalog)
        if not statement.start(stop_engine=query.cancel):
            query.cancel()
            return None
        result = Result([], [])
        encoders: list[redshift_results.Encoder] = []
        for page in query.pages():
            if "columns" in page and not encoders:
                described = [(column["name"], column["typeSignature"]) for column in page["columns"]]
                result.columns = [redshift_results.column(*each) for each in described]
                encoders = [redshift_results.encoder(*each) for each in described]
            for values in page.get("data", []):
                result.records.append([encode(value) for encode, value in zip(encoders, values, strict=True)])
    except QueryFailed as failed:
        reason = of_trino(failed.error, catalog).reason if catalog else failed.error["message"]
        raise SqlError(f"ERROR: {reason}") from failed
    except redshift_results.NoSuchType as unknown:
        raise SqlError(f"ERROR: {unknown}") from unknown
    return result
