"""Reads an Athena statement: what kind it is, what Athena would refuse, and how Trino is to be asked the same.

Only tokens are read here; Trino parses. The text that Trino gets has every token where the caller wrote it, so that
"line 1:8" in an error is true for the caller's text too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from emulator.overlay import AwsError

MAX_QUERY_LENGTH = 262_144
CATALOG = "awsdatacatalog"


class Kind(Enum):
    """The kinds of statement that are run; the value is Athena's StatementType."""

    def __new__(cls, name: str, statement_type: str) -> "Kind":
        kind = object.__new__(cls)
        kind._value_ = name
        kind.statement_type = statement_type
        return kind

    SELECT = "SELECT", "DML"
    INSERT = "INSERT", "DML"
    UPDATE = "UPDATE", "DML"
    DELETE = "DELETE", "DML"
    MERGE = "MERGE", "DML"
    CREATE_TABLE_AS_SELECT = "CREATE_TABLE_AS_SELECT", "DML"
    CREATE_TABLE = "CREATE_TABLE", "DDL"
    CREATE_DATABASE = "CREATE_DATABASE", "DDL"
    DROP_TABLE = "DROP_TABLE", "DDL"
    DROP_DATABASE = "DROP_DATABASE", "DDL"
    SHOW_DATABASES = "SHOW_DATABASES", "UTILITY"
    SHOW_TABLES = "SHOW_TABLES", "UTILITY"
    SHOW_COLUMNS = "SHOW_COLUMNS", "UTILITY"
    DESCRIBE_TABLE = "DESCRIBE_TABLE", "UTILITY"
    EXPLAIN = "EXPLAIN", "UTILITY"
    EXECUTE = "EXECUTE", "DML"  # of a prepared statement, which takes its place


# By the words that a statement begins with; longer beginnings first.
_KINDS: dict[tuple[str, ...], Kind] = {
    ("SELECT",): Kind.SELECT,
    ("WITH",): Kind.SELECT,
    ("VALUES",): Kind.SELECT,
    ("(",): Kind.SELECT,
    ("INSERT", "INTO"): Kind.INSERT,
    ("UPDATE",): Kind.UPDATE,
    ("DELETE", "FROM"): Kind.DELETE,
    ("MERGE", "INTO"): Kind.MERGE,
    ("CREATE", "TABLE"): Kind.CREATE_TABLE,
    ("CREATE", "DATABASE"): Kind.CREATE_DATABASE,
    ("CREATE", "SCHEMA"): Kind.CREATE_DATABASE,
    ("DROP", "TABLE"): Kind.DROP_TABLE,
    ("DROP", "DATABASE"): Kind.DROP_DATABASE,
    ("DROP", "SCHEMA"): Kind.DROP_DATABASE,
    ("SHOW", "DATABASES"): Kind.SHOW_DATABASES,
    ("SHOW", "SCHEMAS"): Kind.SHOW_DATABASES,
    ("SHOW", "TABLES"): Kind.SHOW_TABLES,
    ("SHOW", "COLUMNS"): Kind.SHOW_COLUMNS,
    ("DESCRIBE",): Kind.DESCRIBE_TABLE,
    ("DESC",): Kind.DESCRIBE_TABLE,
    ("EXPLAIN",): Kind.EXPLAIN,
    ("EXECUTE",): Kind.EXECUTE,
}

# What Athena has and the emulator not yet: refused by name, so that nobody takes it for Athena's refusal.
_NOT_EMULATED = [
    ("ALTER",),
    ("CREATE", "EXTERNAL"),
    ("CREATE", "OR"),
    ("CREATE", "VIEW"),
    ("DEALLOCATE",),
    ("DESCRIBE", "VIEW"),
    ("DROP", "VIEW"),
    ("MSCK",),
    ("OPTIMIZE",),
    ("PREPARE",),
    ("SHOW",),
    ("UNLOAD",),
    ("VACUUM",),
]


@dataclass(frozen=True)
class Token:
    """`kind` is string, quoted (a quoted identifier), number, word or symbol; `start` and `end` are offsets."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """A keyword's or a symbol's comparable form."""
        return self.text.upper() if self.kind in ("word", "symbol") else ""

    @property
    def name(self) -> str | None:
        """The identifier that the token is, in lower case as the catalog keeps names; None when it is none."""
        if self.kind == "word":
            return self.text.lower()
        return self.text[1:-1].lower() if self.kind == "quoted" else None


@dataclass(frozen=True)
class Statement:
    """One statement that Athena would accept for execution; `text` is without a closing semicolon."""

    text: str
    tokens: Sequence[Token]
    kind: Kind

    def in_catalog(self, catalog: str) -> str:
        """The text with `catalog` in the place of AwsDataCatalog; it has the same length, so no offset changes."""
        assert len(catalog) == len(CATALOG)
        text = self.text
        for token, following in zip(self.tokens, self.tokens[1:], strict=False):
            if token.name == CATALOG and following.text == ".":
                at = token.start + (token.kind == "quoted")
                text = text[:at] + catalog + text[at + len(catalog) :]
        return text


_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<string> '(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` )
    | (?P<number> (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? )
    | (?P<word> [^\W\d]\w* )
    | (?P<symbol> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def tokenize(text: str) -> list[Token]:
    """The tokens of a text, without spaces and comments."""
    return [
        Token(match.lastgroup, match[0], match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]


def read(text: str) -> Statement:
    """One statement out of a QueryString; AwsError for what Athena refuses at StartQueryExecution."""
    if len(text) > MAX_QUERY_LENGTH:
        raise _invalid(
            "1 validation error detected: Value at 'queryString' failed to satisfy constraint: Member must have "
            f"length less than or equal to {MAX_QUERY_LENGTH}"
        )
    tokens = tokenize(text)
    if tokens and tokens[-1].text == ";":
        text = text[: tokens.pop().start]
    if any(token.text == ";" for token in tokens):
        raise _invalid(f"Only one sql statement is allowed. Got: {text}")
    if not tokens:
        raise _invalid("Query string is empty: one SQL statement was expected")
    return Statement(text, tokens, _kind(tokens))


def _kind(tokens: Sequence[Token]) -> Kind:
    beginning = tuple(token.upper for token in tokens[:2])
    kind = _KINDS.get(beginning) or _KINDS.get(beginning[:1])
    if kind is Kind.CREATE_TABLE and _is_create_table_as(tokens):
        kind = Kind.CREATE_TABLE_AS_SELECT
    if beginning in _NOT_EMULATED or (kind is None and beginning[:1] in _NOT_EMULATED):
        raise _invalid(f"The emulator's Athena does not run {' '.join(beginning)} statements yet")
    if kind is None:
        raise _invalid("Queries of this type are not supported")
    return kind


def _is_create_table_as(tokens: Sequence[Token]) -> bool:
    """Whether an AS stands outside all parentheses: CREATE TABLE name [WITH (…)] AS …"""
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.upper == "AS":
            return True
    return False


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)
