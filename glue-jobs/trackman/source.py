"""The source: how it is reached, what of it must be as log mode needs it, its replication slot and its clock."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import pg8000.native

from trackman import aws
from trackman.bookmark import ServerIdentity
from trackman.contract import Contract, LogContract, TableName
from trackman.errors import LostChangesError, RivalRunError, SourceError
from trackman.lsn import parse_lsn
from trackman.metrics import Measurement
from trackman.postgres import Server, identifier, literal
from trackman.source_tables import SourceTable, read_tables

_OLDEST_VERSION = 140_000
MESSAGE_PREFIX = "trackman"

RESTART_LAG = "SlotRestartLagBytes"
CONFIRMED_LAG = "SlotConfirmedLagBytes"

# Row filters and column lists exist from version 15 on; as JSON they can be asked for in version 14 too.
_PUBLISHED_TABLES = """
select p.schemaname, p.tablename,
       to_jsonb(p) ->> 'rowfilter' is null
       and not exists (select from pg_publication_rel r
                       where r.prpubid = publication.oid and r.prrelid = c.oid
                         and to_jsonb(r) ->> 'prattrs' is not null)
from pg_publication_tables p
join pg_publication publication on publication.pubname = p.pubname
join pg_namespace n on n.nspname = p.schemaname
join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = :name
"""


def source_server(contract: Contract) -> Server:
    """The source's address and credentials, as its owners keep them."""
    connection = contract.connection
    url = aws.parameter(connection.url_parameter)
    address = urlsplit(url)
    if address.scheme != "postgresql" or not address.hostname or len(address.path) < 2:
        raise SourceError(f"{connection.url_parameter} is {url}, expected postgresql://host:port/database")
    login = json.loads(aws.secret(connection.secret))
    return Server(
        address.hostname,
        address.port or 5432,
        address.path[1:],
        login["username"],
        login["password"],
        aws.parameter(connection.ca_parameter),
    )


def lock(connection: pg8000.native.Connection, contract: Contract, what: str) -> None:
    """Keep other runs out for as long as the connection lasts; RivalRunError when one is at work."""
    key = literal(f"trackman {contract.source} {what}")
    [[locked]] = connection.run(f"select pg_try_advisory_lock(hashtextextended({key}, 0))")
    if not locked:
        raise RivalRunError(f"{contract.source}: another run is at work on this source")


def check_primary(connection: pg8000.native.Connection, source: str) -> None:
    """Refuse a server that is too old, or a standby."""
    [[version, in_recovery]] = connection.run("select current_setting('server_version_num')::int, pg_is_in_recovery()")
    if version < _OLDEST_VERSION:
        raise SourceError(f"{source}: Postgres {version // 10_000}, expected 14 or later")
    if in_recovery:
        raise SourceError(f"{source}: the server is in recovery (a standby): give the address of the primary")


def read_identity(connection: pg8000.native.Connection) -> ServerIdentity:
    """Of a primary."""
    [[system_identifier, timeline, database_oid]] = connection.run(
        "select s.system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid::int8"
        " from pg_control_system() s, pg_database d where d.datname = current_database()"
    )
    return ServerIdentity(system_identifier, int(timeline, 16), database_oid)


def unreadable(table: SourceTable, role: str) -> str:
    """Why a table is refused that the connected role may not read."""
    partitions = ", and on each of its partitions" if table.is_partitioned else ""
    return (
        f"{table.name}: may not be read: its owner runs GRANT SELECT ON {identifier(*table.name)} TO "
        f"{identifier(role)}{partitions}"
    )


@dataclass(frozen=True)
class Barrier:
    """A transaction of ours in the source's log: when its commit was read, so was all that was committed before."""

    clock: datetime
    """The source's, before the barrier was committed."""
    xid: int
    """With its epoch, from which the 32 bits in the log get theirs."""


class Source:
    """A session with the source, which keeps other runs out for as long as it lasts."""

    def __init__(self, contract: LogContract, connection: pg8000.native.Connection) -> None:
        self._contract = contract
        self._connection = connection

    def lock(self) -> None:
        """Courtesy to a rival run. What holds is that both publish by compare-and-swap."""
        lock(self._connection, self._contract, self._contract.slot)

    def check(self) -> ServerIdentity:
        """Refuse a server or a publication that log mode cannot work with, with what its owner has to do."""
        name = self._contract.source
        check_primary(self._connection, name)
        [[wal_level, temp_file_limit]] = self._connection.run(
            "select current_setting('wal_level'), current_setting('temp_file_limit')"
        )
        if wal_level != "logical":
            raise SourceError(
                f"{name}: wal_level is {wal_level}, expected logical: its owner sets it "
                "(on RDS rds.logical_replication = 1) and restarts the server"
            )
        if temp_file_limit != "-1":
            print(f"{name}: temp_file_limit is {temp_file_limit}: a transaction larger than that cannot be read")
        self._check_publication()
        return read_identity(self._connection)

    def _check_publication(self) -> None:
        publication = identifier(self._contract.publication)
        rows = self._connection.run(
            "select puballtables, pubinsert and pubupdate and pubdelete and pubtruncate, pubviaroot"
            " from pg_publication where pubname = :name",
            name=self._contract.publication,
        )
        if not rows:
            raise SourceError(
                f"{self._contract.source}: there is no publication {publication}: the tables' owner runs "
                f"CREATE PUBLICATION {publication} FOR TABLE … WITH (publish_via_partition_root = true)"
            )
        [[for_all_tables, everything, via_root]] = rows
        if for_all_tables:
            raise SourceError(
                f"{self._contract.source}: publication {publication} is FOR ALL TABLES, which would refuse updates of "
                "tables without a key: its owner makes it anew FOR TABLE …"
            )
        if not (everything and via_root):
            raise SourceError(
                f"{self._contract.source}: publication {publication} leaves changes out: its owner runs ALTER "
                f"PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate', "
                "publish_via_partition_root = true)"
            )

    def tables(self, names: Iterable[TableName]) -> tuple[dict[TableName, SourceTable], dict[TableName, str]]:
        """The tables that can be followed, and why the others cannot."""
        names = list(names)
        published = self._published_tables()
        found = read_tables(self._connection, names)
        usable, refused = {}, {}
        for name in names:
            reason = self._refusal(name, found.get(name), published.get(name))
            if reason:
                refused[name] = reason
            else:
                usable[name] = found[name]
        return usable, refused

    def _published_tables(self) -> dict[TableName, bool]:
        """The publication's tables → whether all of their rows and columns are published."""
        rows = self._connection.run(_PUBLISHED_TABLES, name=self._contract.publication)
        return {TableName(schema, table): whole for schema, table, whole in rows}

    def _refusal(self, name: TableName, table: SourceTable | None, published_whole: bool | None) -> str | None:
        publication, qualified = identifier(self._contract.publication), identifier(*name)
        if table is None:
            return f"{name}: was crawled, but is no longer in the source"
        if published_whole is None:
            return f"{name}: is not published: its owner runs ALTER PUBLICATION {publication} ADD TABLE {qualified}"
        if not published_whole:
            return (
                f"{name}: is published with a row filter or a column list: its owner takes it out of publication "
                f"{publication} and adds it again without"
            )
        if not table.readable:
            return unreadable(table, self._connection.user.decode())
        if table.replica_identity == "n":
            return (
                f"{name}: has REPLICA IDENTITY NOTHING: its owner runs ALTER TABLE {qualified} REPLICA IDENTITY DEFAULT"
            )
        if not table.key:
            return f"{name}: has no primary key (that is not deferrable): its owner adds one"
        return None

    def slot_position(self) -> int | None:
        """Up to where the slot was acknowledged; None when there is no slot."""
        rows = self._connection.run(
            "select plugin, database, confirmed_flush_lsn::text, wal_status from pg_replication_slots"
            " where slot_name = :slot",
            slot=self._contract.slot,
        )
        if not rows:
            return None
        [[plugin, database, position, wal_status]] = rows
        [[here]] = self._connection.run("select current_database()")
        if (plugin, database) != ("pgoutput", here):
            raise SourceError(
                f"{self._contract.source}: slot {self._contract.slot} is of {plugin} in database {database}, expected "
                f"pgoutput in {here}: give the contract a slot name of its own"
            )
        if wal_status == "lost":
            raise LostChangesError(
                f"{self._contract.source}: slot {self._contract.slot} was invalidated: the source removed log that was "
                "not read yet (max_slot_wal_keep_size): follow it anew by `trackman source resnapshot <environment> "
                f"{self._contract.source} --all`"
            )
        return parse_lsn(position)

    def slot_lag(self) -> list[Measurement]:
        """How much log the slot makes the source keep (from restart_lsn on), and how much of it was not acknowledged
        (from confirmed_flush_lsn on), in bytes up to the log's present end. Nothing of a slot that is not there.
        """
        rows = self._connection.run(
            "select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8,"
            " pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::int8"
            " from pg_replication_slots where slot_name = :slot",
            slot=self._contract.slot,
        )
        return [
            Measurement(metric, lag, "Bytes", {"Source": self._contract.source})
            for row in rows
            for metric, lag in zip((RESTART_LAG, CONFIRMED_LAG), row, strict=True)
            if lag is not None  # an invalidated slot keeps nothing any more
        ]

    def create_slot(self) -> int:
        """Make the slot and return its position: every transaction that commits from now on will be read.

        Postgres waits for the transactions that are open at this moment.
        """
        print(f"{self._contract.source}: making slot {self._contract.slot}, once all open transactions have ended")
        [[position]] = self._connection.run(
            "select lsn::text from pg_create_logical_replication_slot(:slot, 'pgoutput')", slot=self._contract.slot
        )
        return parse_lsn(position)

    def drop_slot(self) -> None:
        """Give the slot up, and with it whatever of the log was not read."""
        self._connection.run(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
            " where slot_name = :slot and plugin = 'pgoutput' and database = current_database()",
            slot=self._contract.slot,
        )

    def advance_slot(self, position: str) -> None:
        """Acknowledge what the change log holds."""
        self._connection.run(
            "select pg_replication_slot_advance(:slot, cast(:position as pg_lsn))",
            slot=self._contract.slot,
            position=position,
        )

    def set_barrier(self, content: str) -> Barrier:
        """Commit a message in the source's log."""
        [[clock]] = self._connection.run("select clock_timestamp()")
        self._connection.run("begin")
        self._connection.run("set local synchronous_commit = on")
        [[xid]] = self._connection.run(
            "select pg_current_xact_id()::text from pg_logical_emit_message(true, :prefix, :content)",
            prefix=MESSAGE_PREFIX,
            content=content,
        )
        self._connection.run("commit")
        return Barrier(clock, int(xid))

    def flushed_position(self) -> int:
        """Up to where the log can be read."""
        [[position]] = self._connection.run("select pg_current_wal_flush_lsn()::text")
        return parse_lsn(position)
