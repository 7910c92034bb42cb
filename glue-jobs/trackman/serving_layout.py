"""How dataengineering-db is laid out: a table of schema base for each table that is served, and before it a view of
schema app, which is all that the application sees.

A view has the columns of its table in their order, and a table only ever gets more of them: what is new is appended,
and what the lake has no more stays, without values. A view is replaced, and so keeps its grants, its comments and
whatever was built upon it; when a column's type changes it is made anew with the grants that it had. All of it is part
of the transaction that brings the rows.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256

import pg8000.exceptions
import pg8000.native

from trackman.errors import TableError
from trackman.postgres import identifier, literal
from trackman.served import APP, BASE, ServedColumn, ServedTable

_LONGEST_NAME = 63
_INDEX_NAME = r"^trackman_.*_[0-9a-f]{8}$"
_DEPENDED_UPON = "2BP01"


def follow_definition(connection: pg8000.native.Connection, table: ServedTable, is_whole: bool) -> list[str]:
    """Create table and view, or bring columns, key and comments to the lake's. `is_whole`: all rows are about to come.

    What the loader makes in schema app the application may read by default (see the job migrate). Returns the columns
    that the lake has no more.
    """
    present = _columns(connection, BASE, table.name)
    grants = None
    if not present:
        columns = ", ".join(map(_column_definition, table.columns))
        connection.run(f"create table {table.target} ({columns}, {_primary_key(table)})")
    else:
        changed = [each for each in table.columns if present.get(each.name, each.type) != each.type]
        changes = [f"add column {_column_definition(each)}" for each in table.columns if each.name not in present]
        if changed:
            grants = _grants(connection, table)
            _drop_view(connection, table, changed)
        if is_whole:
            changes += _redefine(connection, table, changed, present)
        else:
            changes += [f"alter column {identifier(each.name)} type {each.type}" for each in changed]
        if changes:
            connection.run(f"alter table {table.target} {', '.join(changes)}")
    names = list(_columns(connection, BASE, table.name))
    if list(_columns(connection, APP, table.name)) != names:
        selected = ", ".join(map(identifier, names))
        connection.run(f"create or replace view {table.view} as select {selected} from {table.target}")
    if grants is not None:
        _set_grants(connection, table, grants)
    _comment(connection, table)
    return [name for name in names if name not in {column.name for column in table.columns}]


def follow_indexes(connection: pg8000.native.Connection, table: ServedTable) -> list[str]:
    """Create the contract's indexes and drop what were; others, made by hand, are left alone.

    Not CONCURRENTLY, which is no part of a transaction: an index is built while others read, and nobody else writes.
    Returns what keeps an index from being made: nothing else is held up by it.
    """
    present = {name for [name] in connection.run(_PRESENT_INDEXES, schema=BASE, name=table.name, pattern=_INDEX_NAME)}
    wanted = {_index_name(table.name, columns): columns for columns in table.indexes}
    problems = []
    for name in sorted(wanted.keys() - present):
        columns = ", ".join(map(identifier, wanted[name]))
        connection.run("savepoint before_index")
        try:
            connection.run(f"create index {identifier(name)} on {table.target} ({columns})")
        except pg8000.exceptions.DatabaseError as error:
            connection.run("rollback to savepoint before_index")
            problems.append(f"{table.name}: index ({', '.join(wanted[name])}): {error.args[0]['M']}")
    for name in sorted(present - wanted.keys()):
        connection.run(f"drop index {identifier(BASE, name)}")
    return problems


_OF_RELATION = """
pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = :schema and c.relname = :name
"""
_PRESENT_COLUMNS = f"""
select a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
from {_OF_RELATION} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_PRESENT_COMMENT = f"select obj_description(c.oid, 'pg_class') from {_OF_RELATION}"
_PRESENT_KEY = f"""
select k.conname, array(select a.attname from unnest(k.conkey) with ordinality as k (number, place)
                        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number order by k.place)
from {_OF_RELATION} join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
"""
_PRESENT_INDEXES = f"""
select x.relname from {_OF_RELATION} join pg_index i on i.indrelid = c.oid join pg_class x on x.oid = i.indexrelid
where x.relname ~ :pattern and not i.indisunique
"""
# What others may do with a view and its columns.
_PRESENT_GRANTS = f"""
select concat(g.privilege_type, ' (' || quote_ident(g.attname) || ')'),
       case when g.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end, g.is_grantable
from {_OF_RELATION} cross join lateral (
  select null::name as attname, (aclexplode(c.relacl)).*
  union all
  select a.attname, (aclexplode(a.attacl)).* from pg_attribute a where a.attrelid = c.oid
) g
where g.grantee <> c.relowner
"""


def _columns(connection: pg8000.native.Connection, schema: str, name: str) -> dict[str, str]:
    """A relation's columns and their types, in their order."""
    return {column: kind for column, kind, _ in connection.run(_PRESENT_COLUMNS, schema=schema, name=name)}


def _redefine(
    connection: pg8000.native.Connection, table: ServedTable, changed: Sequence[ServedColumn], present: Collection[str]
) -> list[str]:
    """What makes another table of one all of whose rows are about to come: it is emptied, unless it is as it has to be.

    Columns that the lake's table has no more stay, without the values that they had.
    """
    [[constraint, key]] = connection.run(_PRESENT_KEY, schema=BASE, name=table.name)
    gone = set(present) - {column.name for column in table.columns}
    if not changed and not gone and tuple(key) == table.key:
        return []
    connection.run(f"truncate {table.target}")
    changes = []
    if changed or tuple(key) != table.key:
        changes = [f"drop constraint {identifier(constraint)}", f"add {_primary_key(table)}"]
        changes += [f"alter column {identifier(name)} drop not null" for name in key if name not in table.key]
    return changes + [
        f"alter column {identifier(each.name)} type {each.type} using null::{each.type}" for each in changed
    ]


def _drop_view(connection: pg8000.native.Connection, table: ServedTable, changed: Sequence[ServedColumn]) -> None:
    """Postgres changes no column's type below a view."""
    try:
        connection.run(f"drop view if exists {table.view}")
    except pg8000.exceptions.DatabaseError as error:
        if error.args[0]["C"] != _DEPENDED_UPON:
            raise
        types = ", ".join(f"{each.name} is now {each.type}" for each in changed)
        raise TableError(
            f"{APP}.{table.name}: {types}, which needs another view, and {error.args[0]['D']}: "
            "drop that, let publish run, and make it again"
        ) from error


def _grants(connection: pg8000.native.Connection, table: ServedTable) -> list[tuple[str, str, bool]]:
    """Of a view, to others than its owner: what, to whom, and whether they may pass it on."""
    return [tuple(row) for row in connection.run(_PRESENT_GRANTS, schema=APP, name=table.name)]


def _set_grants(
    connection: pg8000.native.Connection, table: ServedTable, grants: Sequence[tuple[str, str, bool]]
) -> None:
    """These, and not what a new view gets by default."""
    for right, grantee, _ in _grants(connection, table):
        connection.run(f"revoke {right} on {table.view} from {grantee}")
    for right, grantee, with_option in grants:
        option = " with grant option" if with_option else ""
        connection.run(f"grant {right} on {table.view} to {grantee}{option}")


def _comment(connection: pg8000.native.Connection, table: ServedTable) -> None:
    """The view and its columns say what the source and the lake say of theirs."""

    def text(comment: str | None) -> str:
        return literal(comment) if comment else "null"

    [[present]] = connection.run(_PRESENT_COMMENT, schema=APP, name=table.name)
    if present != (table.comment or None):
        connection.run(f"comment on view {table.view} is {text(table.comment)}")
    comments = {name: comment for name, _, comment in connection.run(_PRESENT_COLUMNS, schema=APP, name=table.name)}
    for column in table.columns:
        if comments[column.name] != (column.comment or None):
            name = identifier(APP, table.name, column.name)
            connection.run(f"comment on column {name} is {text(column.comment)}")


def _index_name(table: str, columns: Sequence[str]) -> str:
    """Tells the contract's indexes from others, and one from another."""
    digest = sha256("\0".join((table, *columns)).encode()).hexdigest()[:8]
    readable = "_".join(("trackman", table, *columns))
    return f"{readable[: _LONGEST_NAME - len(digest) - 1]}_{digest}"


def _primary_key(table: ServedTable) -> str:
    return f"primary key ({', '.join(map(identifier, table.key))})"


def _column_definition(column: ServedColumn) -> str:
    return f"{identifier(column.name)} {column.type}"
