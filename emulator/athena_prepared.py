"""Athena's prepared statements: their definitions, and EXECUTE … USING. Each belongs to its workgroup."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from moto.athena.models import AthenaBackend, PreparedStatement, athena_backends
from moto.core.utils import utcnow

from emulator import athena_parameters, athena_sql
from emulator.athena_definitions import find_work_group
from emulator.athena_failures import of_trino
from emulator.athena_sql import CATALOG, Kind, Statement, Token
from emulator.overlay import AwsError, Context, operation
from emulator.trino import QueryFailed, engine

_PREPARABLE = (Kind.SELECT, Kind.INSERT, Kind.CREATE_TABLE_AS_SELECT)
_MOST = 1000  # in one workgroup
_PAGE = 50


@operation("athena", "CreatePreparedStatement")
def create_prepared_statement(ctx: Context, params: dict[str, Any]) -> None:
    """Create a prepared statement; its name is its workgroup's own. (moto's is the account's.)"""
    work_group = find_work_group(ctx, params["WorkGroup"])
    key = (work_group.name, params["StatementName"])
    statements = _backend(ctx).prepared_statements
    if key in statements:
        raise _invalid(f"Prepared statement {key[1]} exists in workgroup {key[0]} already")
    if sum(name == work_group.name for name, _ in statements) >= _MOST:
        raise _invalid(f"WorkGroup {work_group.name} has {_MOST} prepared statements, which is the most it may have")
    _check(params["QueryStatement"])
    statements[key] = PreparedStatement(key[1], work_group, params["QueryStatement"], params.get("Description", ""))


@operation("athena", "GetPreparedStatement")
def get_prepared_statement(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Describe a prepared statement."""
    statement = _find(ctx, params["WorkGroup"], params["StatementName"])
    return {
        "PreparedStatement": {
            "StatementName": statement.statement_name,
            "QueryStatement": statement.query_statement,
            "WorkGroupName": statement.workgroup.name,
            "Description": statement.description,
            "LastModifiedTime": statement.last_modified_time,
        }
    }


@operation("athena", "ListPreparedStatements")
def list_prepared_statements(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The names of a workgroup's statements, in their order; a token is the first name of the next page."""
    work_group = find_work_group(ctx, params["WorkGroup"]).name
    statements = _backend(ctx).prepared_statements
    names = sorted(name for group, name in statements if group == work_group and name >= params.get("NextToken", ""))
    page = names[: params.get("MaxResults", _PAGE)]
    listed = [
        {"StatementName": name, "LastModifiedTime": statements[work_group, name].last_modified_time} for name in page
    ]
    following = list(islice(names, len(page), len(page) + 1))
    return {"PreparedStatements": listed, **({"NextToken": following[0]} if following else {})}


@operation("athena", "UpdatePreparedStatement")
def update_prepared_statement(ctx: Context, params: dict[str, Any]) -> None:
    """Change a prepared statement's text."""
    statement = _find(ctx, params["WorkGroup"], params["StatementName"])
    _check(params["QueryStatement"])
    statement.query_statement = params["QueryStatement"]
    statement.description = params.get("Description", statement.description)
    statement.last_modified_time = utcnow()


@operation("athena", "DeletePreparedStatement")
def delete_prepared_statement(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a prepared statement."""
    _find(ctx, params["WorkGroup"], params["StatementName"])
    del _backend(ctx).prepared_statements[params["WorkGroup"], params["StatementName"]]


def expand(
    ctx: Context, work_group: str, execute: Statement, given: Sequence[str] | None
) -> tuple[Statement, Sequence[str] | None]:
    """The statement that EXECUTE names, and the literals for its question marks: after USING, or `given`."""
    _, *name, using = _split(execute.tokens)
    if len(name) != 1 or name[0].name is None or (using and given):
        raise _invalid(f"EXECUTE name [USING literal, …] was expected, or ExecutionParameters: {execute.text}")
    # Names are kept as they were given, and keywords in them are none.
    statement = _find(ctx, work_group, name[0].text.strip('"'))
    literals = [execute.text[each[0].start : each[-1].end] if each else "" for each in using]
    for position, literal in enumerate(literals, start=1):
        athena_parameters.check_literal(position, literal)
    return athena_sql.read(statement.query_statement), literals or given


def _split(tokens: Sequence[Token]) -> list[Any]:
    """The tokens up to USING, then what follows it: lists of tokens, between commas outside parentheses."""
    at = next((number for number, token in enumerate(tokens) if token.upper == "USING"), None)
    if at is None:
        return [*tokens, []]
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[at + 1 :]:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return [*tokens[:at], arguments]


def _check(text: str) -> None:
    """Refuse what could never be executed: the wrong kind of statement, misplaced parameters, bad syntax."""
    statement = athena_sql.read(text)
    if statement.kind not in _PREPARABLE:
        kinds = ", ".join(kind.value.replace("_", " ") for kind in _PREPARABLE)
        raise _invalid(f"Only these are prepared: {kinds}; not {statement.kind.value.replace('_', ' ')}")
    athena_parameters.check(statement, None)
    try:
        for _ in engine.query(f"PREPARE parsed FROM\n{statement.text}").pages():
            pass
    except QueryFailed as failed:
        reason = of_trino(failed.error, CATALOG).reason
        raise _invalid(re.sub(r"line (\d+):", lambda line: f"line {int(line[1]) - 1}:", reason)) from failed


def _find(ctx: Context, work_group: str, name: str) -> PreparedStatement:
    statement = _backend(ctx).prepared_statements.get((work_group, name))
    if statement is None:
        raise AwsError("ResourceNotFoundException", f"PreparedStatement {name} was not found in workGroup {work_group}")
    return statement


def _backend(ctx: Context) -> AthenaBackend:
    return athena_backends[ctx.account][ctx.region]


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)
