"""The source's tables, from its own catalog."""

from collections.abc import Collection
from dataclasses import dataclass

import pg8000.native

from trackman.column_types import PostgresType
from trackman.contract import TableName


@dataclass(frozen=True)
class SourceColumn:
    name: str
    number: int
    """`attnum`: never used again, so a column that was dropped and added has another."""
    type: PostgresType
    output: str
    """SQL of the type's output function, whose text logical decoding sends."""
    comment: str | None
    has_default: bool
    """It has one, or had one when it was added: rows older than the column may read something else than null."""
    is_generated: bool


@dataclass(frozen=True)
class Leaf:
    """Where rows lie: a table itself, or one of its partitions."""

    oid: int
    file: int
    """`relfilenode`: another one when the rows were written anew, without a trace in the log."""
    bytes: int
    """On disk, with what is stored out of line."""


@dataclass(frozen=True)
class SourceTable:
    name: TableName
    oid: int
    comment: str | None
    is_partitioned: bool
    replica_identity: str
    """`relreplident`: d default, i index, f full, n nothing."""
    key: tuple[str, ...]
    """The columns that name a row: of the primary key, or of the index that is the replica identity."""
    readable: bool
    """The connected role may select from it, and from each of its partitions."""
    columns: tuple[SourceColumn, ...]
    leaves: tuple[Leaf, ...]

    @property
    def bytes(self) -> int:
        return sum(leaf.bytes for leaf in self.leaves)


# Domains are followed to the type below them; its modifier is the innermost one that was given.
_COLUMNS = """
with recursive base (oid, base, modifier) as (
  select oid, typbasetype, typtypmod from pg_type where typtype = 'd'
  union all
  select base.oid, t.typbasetype, case when base.modifier >= 0 then base.modifier else t.typtypmod end
  from base join pg_type t on t.oid = base.base where t.typtype = 'd'
), resolved as (
  select a.attrelid, a.attnum, a.attname, a.attgenerated <> '' as is_generated,
         a.atthasmissing or a.atthasdef or a.attidentity <> '' as has_default,
         coalesce(base.base, a.atttypid) as type, coalesce(base.modifier, a.atttypmod) as modifier
  from pg_attribute a
  left join (base join pg_type b on b.oid = base.base and b.typtype <> 'd') on base.oid = a.atttypid
  where a.attnum > 0 and not a.attisdropped
)
select r.attrelid, r.attname, r.attnum, t.typoutput::regproc::text, col_description(r.attrelid, r.attnum),
       r.has_default, r.is_generated,
       coalesce(e.typname, t.typname), r.modifier, e.oid is not null, format_type(r.type, r.modifier),
       coalesce(e.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace
from resolved r
join pg_type t on t.oid = r.type
left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
where r.attrelid = any(:oids)
order by r.attrelid, r.attnum
"""

_TABLES = """
select c.oid, n.nspname, c.relname, obj_description(c.oid, 'pg_class'), c.relkind = 'p', c.relreplident,
       array(select a.attname
             from pg_index i
             cross join unnest(i.indkey) with ordinality as k (number, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
             where k.place <= i.indnkeyatts and i.indrelid = c.oid and i.indimmediate and i.indisvalid
               and case when c.relreplident = 'i' then i.indisreplident else i.indisprimary end
             order by k.place),
       has_table_privilege(c.oid, 'select')
       and not exists (select from pg_partition_tree(c.oid) where not has_table_privilege(relid, 'select'))
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname || '.' || c.relname = any(:names)
"""


_LEAVES = """
select root.oid, c.oid, c.relfilenode,
       pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)
from unnest(cast(:oids as oid[])) root (oid)
join pg_class c on c.oid = root.oid or c.oid in (select relid from pg_partition_tree(root.oid))
where c.relkind = 'r'
order by root.oid, c.oid
"""


def read_tables(connection: pg8000.native.Connection, names: Collection[TableName]) -> dict[TableName, SourceTable]:
    """Those of the tables that exist."""
    tables = connection.run(_TABLES, names=[str(name) for name in names])
    oids = [row[0] for row in tables]
    leaves: dict[int, list[Leaf]] = {}
    for root, *leaf in connection.run(_LEAVES, oids=oids):
        leaves.setdefault(root, []).append(Leaf(*leaf))
    columns: dict[int, list[SourceColumn]] = {}
    for oid, name, number, output, comment, has_default, is_generated, *column_type in connection.run(
        _COLUMNS, oids=oids
    ):
        columns.setdefault(oid, []).append(
            SourceColumn(name, number, PostgresType(*column_type), output, comment, has_default, is_generated)
        )
    found = {}
    for oid, schema, table, comment, is_partitioned, replica_identity, key, readable in tables:
        name = TableName(schema, table)
        found[name] = SourceTable(
            name,
            oid,
            comment,
            is_partitioned,
            replica_identity,
            tuple(key),
            readable,
            tuple(columns.get(oid, ())),
            tuple(leaves.get(oid, ())),
        )
    return found
