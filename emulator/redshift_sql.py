"""Reads a Redshift statement: what is asked for, or the SqlError that names what is not understood.

Understood are the statements by which external schemas are made, opened and dropped, and queries. A query over
external schemas is translated for Trino. That proves the names of its tables and columns and no more: Redshift's own
types, functions and limits are not Trino's.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from emulator.redshift_database import PUBLIC, ExternalSchema, Privilege, SqlError

_REDSHIFT, _TRINO = "redshift", "trino"

_CREATE_EXTERNAL_SCHEMA = re.compile(
    r"""
    CREATE \s+ EXTERNAL \s+ SCHEMA \s+ (?P<if_not_exists> IF \s+ NOT \s+ EXISTS \s+ )? "?(?P<name>[a-z_]\w*)"? \s+
    FROM \s+ DATA \s+ CATALOG \s+ DATABASE \s+ '(?P<database>[^']+)' \s+ (?: REGION \s+ '(?P<region>[^']+)' \s+ )?
    IAM_ROLE \s+ (?: DEFAULT | '(?P<role>[^']+)' )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CREATABLE = (
    "CREATE EXTERNAL SCHEMA [IF NOT EXISTS] … FROM DATA CATALOG DATABASE '…' [REGION '…'] IAM_ROLE default | '…'"
)
_PRIVILEGES = {"usage", "create"}


@dataclass(frozen=True)
class CreateExternalSchema:
    name: str
    if_not_exists: bool
    schema: ExternalSchema


@dataclass(frozen=True)
class DropSchema:
    name: str
    if_exists: bool


@dataclass(frozen=True)
class Grant:
    privileges: frozenset[Privilege]


@dataclass(frozen=True)
class Revoke:
    privileges: frozenset[Privilege]


@dataclass(frozen=True)
class Query:
    """A query; names in it are in lower case, as Redshift folds them."""

    tree: exp.Query

    def tables(self) -> Iterator[exp.Table]:
        """The tables that it names, less its common table expressions."""
        for table in self.tree.find_all(exp.Table):
            if table.db or not _is_common_table(table):
                yield table

    def for_trino(self, locate: Callable[[exp.Table], tuple[str, str]], user: str) -> str:
        """The text for Trino; `locate` gives each table's catalog and Glue database."""
        tree = self.tree.copy()
        schemas = set()
        for table in list(Query(tree).tables()):
            catalog, database = locate(table)
            schemas.add(table.db)
            table.set("catalog", exp.to_identifier(catalog))
            table.set("db", exp.to_identifier(database, quoted=True))
            if not table.alias:  # a column may be qualified by the table's name, or by the schema's and the table's
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        for column in tree.find_all(exp.Column):
            if column.db in schemas:
                column.set("db", None)
        for node in list(tree.find_all(exp.CurrentUser)):
            node.replace(exp.Literal.string(user))
        try:
            return tree.sql(dialect=_TRINO, unsupported_level=ErrorLevel.RAISE)
        except SqlglotError as error:
            raise SqlError(f"ERROR: The emulator cannot translate this query for Trino: {error}") from error


Statement = CreateExternalSchema | DropSchema | Grant | Revoke | Query


def read(text: str, region: str) -> Statement:
    """One statement; `region` is where external schemas are that name none."""
    text = text.strip().removesuffix(";").rstrip()
    if match := _CREATE_EXTERNAL_SCHEMA.fullmatch(text):
        schema = ExternalSchema(match["database"].lower(), match["region"] or region, match["role"])
        return CreateExternalSchema(match["name"].lower(), bool(match["if_not_exists"]), schema)
    tree = _parse(text)
    match tree:
        case exp.Query() if not tree.find(exp.Into):
            return Query(_in_lower_case(tree))
        case exp.Drop(args={"kind": "SCHEMA"}):
            return DropSchema(tree.find(exp.Table).db.lower(), bool(tree.args.get("exists")))
        case exp.Grant(args={"kind": "SCHEMA"}):
            return Grant(_privileges(tree))
        case exp.Revoke(args={"kind": "SCHEMA"}):
            return Revoke(_privileges(tree))
    raise SqlError(f"ERROR: The emulator's Redshift does not run {_beginning(text)}")


def _parse(text: str) -> exp.Expression:
    try:
        trees = [tree for tree in sqlglot.parse(text, read=_REDSHIFT) if tree is not None]
    except SqlglotError as error:
        raise SqlError(f"ERROR: syntax error: {_plain(error)}") from error
    if len(trees) != 1:
        raise SqlError(f"ERROR: one SQL statement was expected, not {len(trees)}")
    return trees[0]


def _privileges(tree: exp.Expression) -> frozenset[Privilege]:
    names = {privilege.name.lower() for privilege in tree.args["privileges"]}
    if unknown := names - _PRIVILEGES:
        raise SqlError(f"ERROR: The emulator's Redshift knows no privilege {', '.join(sorted(unknown))} on a schema")
    schema = tree.args["securable"].name.lower()
    return frozenset(
        Privilege(name, schema, _grantee(principal)) for name in names for principal in tree.args["principals"]
    )


def _grantee(principal: exp.GrantPrincipal) -> str:
    """A user's name as it is written, `IAMR:analyst`; roles and groups can't exist, for nothing here creates one."""
    if kind := principal.args.get("kind"):
        raise SqlError(f'ERROR: {str(kind).lower()} "{principal.name}" does not exist')
    return PUBLIC if principal.name.lower() == PUBLIC else principal.name


def _in_lower_case(tree: exp.Query) -> exp.Query:
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", identifier.name.lower())
    return tree


def _is_common_table(table: exp.Table) -> bool:
    """Whether the name is one that a WITH around it defines."""
    scope = table.parent
    while scope is not None:
        common = scope.args.get("with_")
        if common is not None and table.name in {each.alias for each in common.expressions}:
            return True
        scope = scope.parent
    return False


def _beginning(text: str) -> str:
    """What a statement that is not understood is called: its first words, and for one that is nearly understood, what
    would be.
    """
    words = " ".join(text.split()[:3])
    if words.upper() == "CREATE EXTERNAL SCHEMA":
        return f"{words} in this form: it reads {words} {_CREATABLE}"
    return f"{words} … statements"


def _plain(error: SqlglotError) -> str:
    """The message without the terminal's underlining."""
    return re.sub(r"\x1b\[\d+m", "", str(error))
