"""The source in watermark mode: what of it must be as the mode needs it, and what is at work on it."""

import re
from collections.abc import Iterable

import pg8000.native

from trackman.bookmark import ServerIdentity
from trackman.contract import Contract, TableName, WatermarkContract
from trackman.errors import SourceError
from trackman.postgres import identifier
from trackman.source import Source, check_primary, lock, read_identity, unreadable
from trackman.source_tables import SourceColumn, SourceTable, read_tables
from trackman.watermarks import Activity

_CLOCK_FUNCTIONS = re.compile(
    r"(now|transaction_timestamp|statement_timestamp|clock_timestamp)\(\)|CURRENT_TIMESTAMP", re.IGNORECASE
)
_SOFT_DELETES = frozenset(["bool", "timestamptz", "timestamp", "date"])
# Of keys whose text can be told from the lake's value.
_NO_KEYS = frozenset(["float4", "float8", "bytea"])

# One statement in a transaction of its own, so that whatever begins later begins after the clock. Vacuums write no
# rows, and sessions of the platform none of these.
_ACTIVITY = """
select clock_timestamp(),
       (select min(a.xact_start) from pg_stat_activity a
        where a.datid = d.oid and a.pid <> pg_backend_pid() and a.backend_type <> 'autovacuum worker'
          and not (a.application_name = 'trackman' and a.usename = current_user)),
       array(select a.pid from pg_stat_activity a
             where a.datid = d.oid and a.backend_type <> 'walsender' and a.xact_start is null
               and (a.state = 'disabled' or a.backend_xid is not null or a.backend_xmin is not null)),
       array(select gid from pg_prepared_xacts where database = d.datname order by prepared)
from pg_database d where d.datname = current_database()
"""

# Triggers that fire for each row before it is written, in ordinary sessions: with whether at inserts and at updates,
# and whether arguments or source name the column.
_STAMPS = """
select t.tgrelid, a.attname, bool_or(t.tgtype & 4 > 0), bool_or(t.tgtype & 16 > 0)
from pg_trigger t
join pg_proc p on p.oid = t.tgfoid
join pg_attribute a on a.attrelid = t.tgrelid
where t.tgrelid = any(:oids) and not t.tgisinternal and t.tgenabled in ('O', 'A') and t.tgtype & 3 = 3
  and t.tgattr::text = '' and t.tgqual is null
  and (strpos(p.prosrc, a.attname) > 0 or strpos(encode(t.tgargs, 'escape'), a.attname) > 0)
group by 1, 2
"""

_COLUMN_FACTS = """
select a.attrelid, a.attname, a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = any(:oids) and a.attnum > 0 and not a.attisdropped
"""


class WatermarkSource:
    """A session with the source, which keeps other runs out for as long as it lasts."""

    def __init__(self, contract: WatermarkContract, connection: pg8000.native.Connection) -> None:
        self._contract = contract
        self._connection = connection
        [[self._role]] = connection.run("select current_user::text")

    def lock(self) -> None:
        """Courtesy to a rival run. What holds is that both publish by compare-and-swap."""
        lock(self._connection, self._contract, "watermarks")

    def check(self) -> ServerIdentity:
        """Refuse a server that cannot be read by watermarks, with what its owner has to do."""
        name = self._contract.source
        check_primary(self._connection, name)
        [[sees_all]] = self._connection.run("select pg_has_role('pg_read_all_stats', 'usage')")
        if not sees_all:
            raise SourceError(
                f"{name}: {self._role} does not see when the transactions of others began: its owner runs "
                f"GRANT pg_monitor TO {identifier(self._role)}"
            )
        self.activity()
        return read_identity(self._connection)

    def activity(self) -> Activity:
        """Asked for before the snapshot that rows are read in."""
        [[clock, oldest_start, unseen, prepared]] = self._connection.run(_ACTIVITY)
        if unseen:
            raise SourceError(
                f"{self._contract.source}: when the transactions of the processes {', '.join(map(str, unseen))} began "
                "is not seen: its owner lets them run with track_activities = on, and runs GRANT pg_monitor TO "
                f"{identifier(self._role)}"
            )
        return Activity(clock, oldest_start, tuple(prepared))

    def tables(self, names: Iterable[TableName]) -> tuple[dict[TableName, SourceTable], dict[TableName, str]]:
        """The tables that can be followed, and why the others cannot."""
        names = list(names)
        found = read_tables(self._connection, names)
        oids = [table.oid for table in found.values()]
        facts = {(oid, name): (not_null, default) for oid, name, not_null, default in self._run(_COLUMN_FACTS, oids)}
        stamps = {(oid, name): (inserts, updates) for oid, name, inserts, updates in self._run(_STAMPS, oids)}
        usable, refused = {}, {}
        for name in names:
            table = found.get(name)
            reason = f"{name}: was crawled, but is no longer in the source"
            if table is not None:
                watermark = (table.oid, self._contract.watermark_of(name).column)
                column = (*facts.get(watermark, (False, "")), *stamps.get(watermark, (False, False)))
                reason = (
                    self._table_refusal(table)
                    or self._watermark_refusal(table, *column)
                    or self._soft_delete_refusal(table)
                )
            if reason:
                refused[name] = reason
            else:
                usable[name] = table
        return usable, refused

    def _run(self, query: str, oids: list[int]) -> list[list]:
        return self._connection.run(query, oids=oids)

    def _table_refusal(self, table: SourceTable) -> str | None:
        name = table.name
        if not table.readable:
            return unreadable(table, self._role)
        if not table.key:
            return f"{name}: has no primary key (that is not deferrable): its owner adds one"
        for column in (_column(table, key) for key in table.key):
            loose = column.type.name == "numeric" and column.type.modifier < 0
            if column.type.name in _NO_KEYS or column.type.is_array or loose:
                return (
                    f"{name}: {column.name} of its key is {column.type.sql}, by which rows cannot be compared: "
                    "exclude the table"
                )
        return None

    def _watermark_refusal(
        self, table: SourceTable, not_null: bool, default: str, at_inserts: bool, at_updates: bool
    ) -> str | None:
        name, watermark = table.name, self._contract.watermark_of(table.name)
        column = _column(table, watermark.column)
        if column is None:
            return f"{name}: the contract's watermark is {watermark.column}, which is no column of it"
        if column.type.name != "timestamptz" or column.type.is_array or not not_null:
            shape = f"{column.type.sql}{' not null' if not_null else ''}"
            return f"{name}: its watermark {column.name} is {shape}, expected timestamp with time zone not null"
        by_default = bool(_CLOCK_FUNCTIONS.fullmatch(default))
        if watermark.set_by == "default" and not by_default:
            return (
                f"{name}: its watermark {column.name} has default {default or 'none'}, expected now(), as the contract "
                "says (setBy): its owner sets it, or the contract is corrected"
            )
        if watermark.set_by == "trigger" and not (at_updates and (at_inserts or by_default)):
            return (
                f"{name}: no enabled trigger BEFORE INSERT OR UPDATE … FOR EACH ROW sets its watermark {column.name}, "
                "as the contract says (setBy): its owner makes one, or the contract is corrected"
            )
        return None

    def _soft_delete_refusal(self, table: SourceTable) -> str | None:
        name = self._contract.options(table.name).soft_delete
        if name is None:
            return None
        column = _column(table, name)
        if column is None:
            return f"{table.name}: the contract's softDelete is {name}, which is no column of it"
        if column.type.name not in _SOFT_DELETES or column.type.is_array:
            return f"{table.name}: its softDelete {name} is {column.type.sql}, expected a boolean or a time"
        return None


def session_of(contract: Contract, connection: pg8000.native.Connection) -> Source | WatermarkSource:
    """By the contract's mode."""
    kind = WatermarkSource if isinstance(contract, WatermarkContract) else Source
    return kind(contract, connection)


def alive(table: SourceTable, soft_delete: str | None) -> str:
    """SQL: whether a row is not deleted by what its soft-delete column says."""
    if soft_delete is None:
        return "true"
    test = "is not true" if _column(table, soft_delete).type.name == "bool" else "is null"
    return f"{identifier(soft_delete)} {test}"


def _column(table: SourceTable, name: str) -> SourceColumn | None:
    return next((column for column in table.columns if column.name == name), None)
