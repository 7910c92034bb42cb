"""Athena's data definition statements in Trino's words. Athena takes Hive's syntax here, Trino its own.

Tables are Iceberg tables of format version 2, the only ones that the emulator's engine creates.
"""

import re
from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp

from emulator.athena_failures import Failure
from emulator.athena_sql import Kind, Statement, Token

# Properties that Athena has and Trino has not: checked, or of no consequence here. Trino refuses what neither has.
_ATHENA_PROPERTIES = {
    "format_version",
    "is_external",
    "optimize_rewrite_data_file_threshold",
    "optimize_rewrite_delete_file_threshold",
    "table_type",
    "vacuum_max_metadata_files_to_keep",
    "vacuum_max_snapshot_age_seconds",
    "vacuum_min_snapshots_to_keep",
    "write_compression",
}
_ONLY_ICEBERG = (
    "NOT_SUPPORTED: The emulator's Athena creates Iceberg tables only: {} 'table_type' = 'ICEBERG' is missing"
)


def to_trino(statement: Statement, catalog: str) -> str:
    """The statement as Trino takes it, for every kind that is not a query or a change of rows."""
    text = statement.in_catalog(catalog)
    if statement.kind is Kind.CREATE_TABLE_AS_SELECT:
        return _create_table_as(statement, text)
    try:
        tree = sqlglot.parse_one(text, read="athena")
    except sqlglot.ParseError as error:
        first = error.errors[0]
        raise Failure(f"SYNTAX_ERROR: line {first['line']}:{first['col']}: {first['description']}") from error
    match statement.kind:
        case Kind.CREATE_TABLE:
            return _create_table(tree)
        case Kind.CREATE_DATABASE:
            return _create_database(tree)
        case Kind.DROP_DATABASE:
            tree.set("kind", "SCHEMA")
            return _in_trino(tree)
        case _:
            return _in_trino(tree)  # DROP TABLE is the same


def _in_trino(node: exp.Expression) -> str:
    return node.sql(dialect="trino")


# --- CREATE TABLE name (columns) PARTITIONED BY (…) LOCATION '…' TBLPROPERTIES (…)


def _create_table(tree: exp.Expression) -> str:
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        raise Failure("SYNTAX_ERROR: CREATE TABLE needs a list of columns")
    properties = tree.args["properties"].expressions if tree.args.get("properties") else []
    named = {each.name.lower(): each.args["value"].name for each in properties if type(each) is exp.Property}
    location = _only(properties, exp.LocationProperty)
    partitioning = _only(properties, exp.PartitionedByProperty)
    _check_iceberg(named, "TBLPROPERTIES", has_location=location is not None)
    if unknown := named.keys() - _ATHENA_PROPERTIES - {"format"}:
        raise Failure(f"INVALID_TABLE_PROPERTY: Unsupported table property key: {', '.join(sorted(unknown))}")

    table = [f"location = {_in_trino(location.this)}", f"format = '{named.get('format', 'parquet').upper()}'"]
    if partitioning is not None:
        fields = ", ".join(f"'{_partition_field(each)}'" for each in partitioning.this.expressions)
        table.append(f"partitioning = ARRAY[{fields}]")
    columns = ", ".join(_column(each) for each in tree.this.expressions)
    exists = "IF NOT EXISTS " if tree.args.get("exists") else ""
    return f"CREATE TABLE {exists}{_in_trino(tree.this.this)} ({columns}) WITH ({', '.join(table)})"


def _only(properties: Sequence[exp.Expression], kind: type[exp.Expression]) -> exp.Expression | None:
    return next((each for each in properties if isinstance(each, kind)), None)


def _column(column: exp.Expression) -> str:
    """A column in Trino's types. Iceberg's timestamps have microseconds."""

    def with_microseconds(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.DataType) and node.this in (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ):
            return exp.DataType(this=node.this, expressions=[exp.DataTypeParam(this=exp.Literal.number(6))])
        return node

    return _in_trino(column.transform(with_microseconds))


_TRANSFORM = re.compile(r"(\w+)\((?:(\d+), )?(\w+)\)")


def _partition_field(field: exp.Expression) -> str:
    """`bucket(16, id)` of Athena is `bucket(id, 16)` in Trino; the other transforms are the same."""
    text = field.sql(dialect="hive").lower()
    transform = _TRANSFORM.fullmatch(text)
    if transform is None:
        return text
    name, number, column = transform.groups()
    return f"{name}({column}, {number})" if number else f"{name}({column})"


def _check_iceberg(properties: Mapping[str, str], where: str, *, has_location: bool) -> None:
    if properties.get("table_type", "").upper() != "ICEBERG":
        raise Failure(_ONLY_ICEBERG.format(where))
    if properties.get("format_version", "2") != "2":
        raise Failure("NOT_SUPPORTED: Athena creates Iceberg tables of format version 2 only")
    if not has_location:
        raise Failure("INVALID_TABLE_PROPERTY: Table location must be specified for an Iceberg table")


# --- CREATE TABLE name WITH (…) AS SELECT


def _create_table_as(statement: Statement, text: str) -> str:
    """The text with Athena's own properties blanked out: what is left stands where it stood."""
    properties = _with_properties(statement.tokens)
    named = {name: tokens[-1].text.strip("'") for name, tokens in properties.items()}
    _check_iceberg(named, "WITH", has_location="location" in properties)

    starts = [tokens[0].start for tokens in properties.values()]
    end_of_all = max(tokens[-1].end for tokens in properties.values())
    end_of_kept = max(tokens[-1].end for name, tokens in properties.items() if name not in _ATHENA_PROPERTIES)
    for name, start, next_start in zip(properties, starts, [*starts[1:], end_of_all], strict=True):
        if name in _ATHENA_PROPERTIES:
            text = _blank(text, start, next_start)  # with the comma after it
    return _blank(text, end_of_kept, end_of_all)  # with the comma before it


def _with_properties(tokens: Sequence[Token]) -> dict[str, list[Token]]:
    """The tokens of each `name = value` of the WITH clause, by name; empty when there is no such clause."""
    start = next((i for i, token in enumerate(tokens) if token.upper in ("WITH", "AS")), len(tokens))
    properties: dict[str, list[Token]] = {}
    if start == len(tokens) or tokens[start].upper != "WITH":
        return properties
    depth, current = 0, []
    for token in tokens[start + 1 :]:
        depth += (token.text in "([") - (token.text in ")]")
        if depth == 0 or (depth == 1 and token.text == ","):
            if current:
                properties[current[0].text.lower()] = current
            current = []
        elif not (depth == 1 and token.text == "(" and not current):
            current.append(token)
        if depth == 0:
            break
    return properties


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


# --- CREATE DATABASE


def _create_database(tree: exp.Expression) -> str:
    properties = tree.args["properties"].expressions if tree.args.get("properties") else []
    location = _only(properties, exp.LocationProperty)
    exists = "IF NOT EXISTS " if tree.args.get("exists") else ""
    suffix = f" WITH (location = {_in_trino(location.this)})" if location else ""
    return f"CREATE SCHEMA {exists}{_in_trino(tree.this)}{suffix}"
