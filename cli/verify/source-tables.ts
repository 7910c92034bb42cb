/** What the source's own catalog says of the tables that a contract follows. */
import type { Client } from 'pg';
import type { ResolvedDatabaseContract } from '../../sources/contract';
import { isSelected } from '../../sources/selection';
import type { TableName } from './canonical';

export interface SourceColumn {
  readonly name: string;
  /** `pg_type.typname`. */
  readonly type: string;
  /** The element's `typname` when the column is an array. */
  readonly elementType: string | null;
  /** Scale that the lake gives a numeric column (or an array of numerics); null for others. */
  readonly numericScale: number | null;
  /** Whether the column is part of the table's replica identity. */
  readonly inKey: boolean;
}

export interface SourceTable extends TableName {
  readonly columns: readonly SourceColumn[];
}

/** Scale of an unconstrained numeric in the lake, unless the contract says otherwise: decimal(38, 9). */
const UNCONSTRAINED_SCALE = 9;

/** The tables that a contract follows, with their columns in order; generated ones are not followed and left out. */
export async function followedTables(client: Client, contract: ResolvedDatabaseContract): Promise<SourceTable[]> {
  const { rows } = await client.query<SourceColumn & { schema: string; table: string }>(
    `select n.nspname as schema, c.relname as table, a.attname as name, t.typname as type,
            case when t.typcategory = 'A' then e.typname end as "elementType",
            case when 'numeric' in (t.typname, e.typname)
                 then case when a.atttypmod >= 4 then (a.atttypmod - 4) & 2047 else $2::integer end end as "numericScale",
            coalesce(a.attnum = any(i.indkey), false) as "inKey"
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     join pg_type t on t.oid = a.atttypid
     left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
     left join pg_index i on i.indrelid = c.oid
                         and case when c.relreplident = 'i' then i.indisreplident else i.indisprimary end
     where c.relkind in ('r', 'p') and not c.relispartition
       and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
       and ($1::text is null or exists (select from pg_publication_tables p
                                        where p.pubname = $1 and p.schemaname = n.nspname and p.tablename = c.relname))
     order by 1, 2, a.attnum`,
    [contract.mode === 'log' ? contract.publication : null, UNCONSTRAINED_SCALE],
  );
  const tables = new Map<string, TableName & { columns: SourceColumn[] }>();
  for (const { schema, table, ...column } of rows) {
    const id = `${schema}.${table}`;
    if (!isSelected(contract, id)) continue;
    const known = tables.get(id) ?? { schema, name: table, columns: [] };
    known.columns.push(column);
    tables.set(id, known);
  }
  return [...tables.values()];
}
