"""The Glue Data Catalog as Athena shows it: its metadata operations, and the statements SHOW and DESCRIBE.

All of it is read by Glue calls of the caller. SHOW and DESCRIBE do not go to Trino, which leaves out in silence what
the caller may not see.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from emulator.athena_clients import client
from emulator.athena_failures import Failure, permission_denied
from emulator.athena_sql import CATALOG, Kind, Statement, Token
from emulator.overlay import AwsError, Context, operation

# --- Metadata operations


@operation("athena", "GetDatabase")
def get_database(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    database = _metadata(ctx, params, "get_database", Name=params["DatabaseName"])["Database"]
    return {"Database": _database(database)}


@operation("athena", "ListDatabases")
def list_databases(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    page = _metadata(ctx, params, "get_databases", **_paging(params, default=50))
    return _page({"DatabaseList": [_database(database) for database in page["DatabaseList"]]}, page)


@operation("athena", "GetTableMetadata")
def get_table_metadata(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    named = {"DatabaseName": params["DatabaseName"], "Name": params["TableName"]}
    return {"TableMetadata": _table(_metadata(ctx, params, "get_table", **named)["Table"])}


@operation("athena", "ListTableMetadata")
def list_table_metadata(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    named = {"DatabaseName": params["DatabaseName"], **_paging(params, default=50)}
    if "Expression" in params:
        named["Expression"] = params["Expression"]
    page = _metadata(ctx, params, "get_tables", **named)
    return _page({"TableMetadataList": [_table(table) for table in page["TableList"]]}, page)


def _metadata(ctx: Context, params: Mapping[str, Any], glue_operation: str, **glue_params: Any) -> dict[str, Any]:
    if params["CatalogName"].lower() != CATALOG:
        raise AwsError("InvalidRequestException", f"Catalog {params['CatalogName']} does not exist")
    try:
        return getattr(client(ctx.access_key, "glue", ctx.region), glue_operation)(**glue_params)
    except ClientError as error:
        raise AwsError("MetadataException", str(error)) from error


def _paging(params: Mapping[str, Any], default: int) -> dict[str, Any]:
    paging = {"MaxResults": params.get("MaxResults", default)}
    return {**paging, "NextToken": params["NextToken"]} if params.get("NextToken") else paging


def _page(answer: dict[str, Any], glue_page: Mapping[str, Any]) -> dict[str, Any]:
    return {**answer, "NextToken": glue_page["NextToken"]} if glue_page.get("NextToken") else answer


def _database(database: Mapping[str, Any]) -> dict[str, Any]:
    return _pick(database, "Name", "Description", "Parameters")


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_pick(table, "Name", "TableType", "Parameters"),
        **{name: table[name] for name in ("CreateTime", "LastAccessTime") if name in table},
        "Columns": [_column(column) for column in table.get("StorageDescriptor", {}).get("Columns", [])],
        "PartitionKeys": [_column(column) for column in table.get("PartitionKeys", [])],
    }


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    return _pick(column, "Name", "Type", "Comment")


def _pick(source: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: source[name] for name in names if name in source}


# --- SHOW and DESCRIBE


@dataclass(frozen=True)
class Listing:
    """The answer to such a statement: the names of its columns, and lines as they stand in the .txt file."""

    columns: Sequence[str]
    lines: Sequence[str]


def answer(statement: Statement, access_key: str, region: str, database: str) -> Listing:
    """Run a statement of one of the kinds in ANSWERS."""
    return ANSWERS[statement.kind](client(access_key, "glue", region), _Words(statement.tokens), database)


def check_default_database(access_key: str, region: str) -> None:
    """Athena needs glue:GetDatabase on the database `default`, existing or not, whatever the query reads."""
    try:
        client(access_key, "glue", region).get_database(Name="default")
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise _failure(error) from error


class _Words:
    """The tokens of a statement, taken one after the other."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = list(tokens)

    def take(self, *keywords: str) -> bool:
        """Take the next token if it is one of these keywords."""
        if self._tokens and self._tokens[0].upper in keywords:
            self._tokens.pop(0)
            return True
        return False

    def name(self, what: str) -> str:
        """Take an identifier."""
        if not self._tokens or self._tokens[0].name is None:
            found = repr(self._tokens[0].text) if self._tokens else "the end"
            raise Failure(f"SYNTAX_ERROR: expected the name of a {what}, found {found}")
        return self._tokens.pop(0).name

    def qualified_name(self, default_database: str) -> tuple[str, str]:
        """Take `table`, `database.table` or `awsdatacatalog.database.table`."""
        parts = [self.name("table")]
        while self.take("."):
            parts.append(self.name("table"))
        return (parts[-2] if len(parts) > 1 else default_database), parts[-1]

    def pattern(self) -> Callable[[str], bool]:
        """Take an optional regular expression in quotes, which a whole name must match."""
        if not self._tokens or self._tokens[0].kind != "string":
            return lambda name: True
        expression = re.compile(self._tokens.pop(0).text[1:-1].replace("''", "'"))
        return lambda name: expression.fullmatch(name) is not None

    def end(self) -> None:
        if self._tokens:
            raise Failure(f"SYNTAX_ERROR: unexpected {self._tokens[0].text!r}")


def _show_databases(glue: BaseClient, words: _Words, _database: str) -> Listing:
    words.take("SHOW")
    words.take("DATABASES", "SCHEMAS")
    words.take("LIKE")
    matches = words.pattern()
    words.end()
    names = [database["Name"] for database in _all(glue, "get_databases", "DatabaseList")]
    return Listing(["database_name"], [name for name in names if matches(name)])


def _show_tables(glue: BaseClient, words: _Words, database: str) -> Listing:
    words.take("SHOW")
    words.take("TABLES")
    if words.take("IN", "FROM"):
        database = words.qualified_name("")[1]
    words.take("LIKE")
    matches = words.pattern()
    words.end()
    names = [table["Name"] for table in _all(glue, "get_tables", "TableList", DatabaseName=database)]
    return Listing(["tab_name"], [name for name in names if matches(name)])


def _show_columns(glue: BaseClient, words: _Words, database: str) -> Listing:
    words.take("SHOW")
    words.take("COLUMNS")
    if not words.take("IN", "FROM"):
        raise Failure("SYNTAX_ERROR: expected SHOW COLUMNS IN table")
    database, table = words.qualified_name(database)
    if words.take("IN", "FROM"):
        database = words.name("database")
    words.end()
    return Listing(["field"], [column["Name"] for column in _columns(glue, database, table)])


def _describe(glue: BaseClient, words: _Words, database: str) -> Listing:
    words.take("DESCRIBE", "DESC")
    words.take("TABLE")
    words.take("EXTENDED", "FORMATTED")
    database, table = words.qualified_name(database)
    words.end()
    columns = _columns(glue, database, table)
    lines = [f"{column['Name']}\t{column['Type']}\t{column.get('Comment', '')}" for column in columns]
    return Listing(["col_name", "data_type", "comment"], lines)


ANSWERS: dict[Kind, Callable[[BaseClient, _Words, str], Listing]] = {
    Kind.SHOW_DATABASES: _show_databases,
    Kind.SHOW_TABLES: _show_tables,
    Kind.SHOW_COLUMNS: _show_columns,
    Kind.DESCRIBE_TABLE: _describe,
}


def _columns(glue: BaseClient, database: str, table: str) -> list[dict[str, Any]]:
    try:
        found = glue.get_table(DatabaseName=database, Name=table)["Table"]
    except ClientError as error:
        raise _failure(error) from error
    return [*found.get("StorageDescriptor", {}).get("Columns", []), *found.get("PartitionKeys", [])]


def _all(glue: BaseClient, glue_operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
    try:
        for page in glue.get_paginator(glue_operation).paginate(**params):
            yield from page[key]
    except ClientError as error:
        raise _failure(error) from error


def _failure(error: ClientError) -> Failure:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code == "AccessDeniedException":
        return permission_denied(message)
    return Failure(
        f"FAILED: SemanticException {message}" if code == "EntityNotFoundException" else f"{code}: {message}"
    )
