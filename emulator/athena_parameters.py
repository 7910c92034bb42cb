"""Execution parameters: SQL literals that Athena puts in the place of `?`, only where Athena takes them.

Athena documents `?` for the WHERE clause of SELECT, INSERT INTO, CREATE TABLE AS and UNLOAD, and no other place.
"""

import re
from collections.abc import Sequence

from emulator.athena_sql import Kind, Statement, tokenize
from emulator.overlay import AwsError

MAX_LENGTH = 1024

_KINDS_WITH_PARAMETERS = (Kind.SELECT, Kind.INSERT, Kind.CREATE_TABLE_AS_SELECT)
_ENDS_WHERE = {
    "SELECT",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "OFFSET",
    "LIMIT",
    "FETCH",
    "UNION",
    "INTERSECT",
    "EXCEPT",
}

# The shape of CAST(literal AS type), which Athena documents as a parameter too: s string, n number, w word.
_CAST = re.compile(r"w \( (?:s|[+-]? ?n|w s) w w(?: \( n(?: , n)? \))? \)")
_CONSTANTS = {"TRUE", "FALSE", "NULL"}
_TYPED_LITERALS = {"DATE", "TIME", "TIMESTAMP", "DECIMAL", "DOUBLE", "REAL", "BIGINT", "INTEGER", "UUID", "JSON", "X"}


def check(statement: Statement, parameters: Sequence[str] | None) -> None:
    """Refuse, as Athena does at StartQueryExecution, parameters and question marks that it does not take."""
    for position, parameter in enumerate(parameters or [], start=1):
        _check_parameter(position, parameter)
    if any(token.text == "?" for token in statement.tokens):
        _check_places(statement)


def _check_parameter(position: int, parameter: str) -> None:
    if not 1 <= len(parameter) <= MAX_LENGTH:
        raise _invalid(
            "1 validation error detected: Value at 'executionParameters' failed to satisfy constraint: Member must "
            "satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater "
            f"than or equal to 1] (parameter {position} has {len(parameter)} characters)"
        )
    check_literal(position, parameter)


def check_literal(position: int, parameter: str) -> None:
    """Refuse what is no literal; `position` counts from 1."""
    if not _is_literal(parameter):
        raise _invalid(
            f"Execution parameter {position} is not a SQL literal: {parameter!r}. "
            "A string is written in single quotes, a date as DATE '2026-01-31'."
        )


def _is_literal(text: str) -> bool:
    tokens = tokenize(text)
    if not tokens or text[: tokens[0].start].strip() or text[tokens[-1].end :].strip():
        return False  # a comment at either end could hide what follows it
    shape = " ".join({"string": "s", "number": "n", "word": "w"}.get(token.kind, token.text) for token in tokens)
    first = tokens[0].upper
    if _CAST.fullmatch(shape):
        return first == "CAST"
    if shape == "w":
        return first in _CONSTANTS
    if shape == "w s":
        return first in _TYPED_LITERALS
    return bool(re.fullmatch(r"s|(?:[+-] )?n", shape))


def _check_places(statement: Statement) -> None:
    """Follow the clauses, one level of parentheses at a time, and see in which of them each `?` stands."""
    if statement.kind not in _KINDS_WITH_PARAMETERS:
        raise _invalid(
            f"Parameters (?) are supported in SELECT, INSERT INTO, CREATE TABLE AS and UNLOAD statements only, "
            f"not in {statement.kind.value.replace('_', ' ')}"
        )
    in_where = [False]
    for token in statement.tokens:
        if token.text == "(":
            in_where.append(in_where[-1])
        elif token.text == ")" and len(in_where) > 1:
            in_where.pop()
        elif token.upper == "WHERE":
            in_where[-1] = True
        elif token.upper in _ENDS_WHERE:
            in_where[-1] = False
        elif token.text == "?" and not in_where[-1]:
            line = statement.text.count("\n", 0, token.start) + 1
            column = token.start - (statement.text.rfind("\n", 0, token.start) + 1) + 1
            raise _invalid(f"line {line}:{column}: Parameters (?) are supported in a WHERE clause only")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)
