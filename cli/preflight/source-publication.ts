/** Whether a source's publication holds what the contract selects, in a form that can be followed. */
import type { Client } from 'pg';
import type { ResolvedLogContract } from '../../sources/contract';
import { isSelected } from '../../sources/selection';
import { findings, good, wrong, type Finding } from './finding';

interface Publication {
  readonly isForAllTables: boolean;
  /** Inserts, updates, deletes and truncates. */
  readonly isComplete: boolean;
  readonly isViaRoot: boolean;
}

export async function checkPublication(client: Client, contract: ResolvedLogContract): Promise<readonly Finding[]> {
  const { source, publication } = contract;
  const subject = `publication ${publication} of ${source}`;
  return findings(subject, async () => {
    const { rows } = await client.query<Publication>(
      `select puballtables as "isForAllTables", pubinsert and pubupdate and pubdelete and pubtruncate as "isComplete",
              pubviaroot as "isViaRoot"
       from pg_publication where pubname = $1`,
      [publication],
    );
    return judgePublication(subject, publication, rows[0]);
  });
}

export function judgePublication(subject: string, name: string, publication: Publication | undefined): Finding {
  const create = `the tables' owner runs: CREATE PUBLICATION "${name}" FOR TABLE … WITH (publish_via_partition_root = true)`;
  const expected = 'one FOR TABLE … that publishes inserts, updates, deletes and truncates, via the root of partitions';
  if (!publication) return wrong(subject, { found: 'missing', expected, remedy: create });
  const { isForAllTables, isComplete, isViaRoot } = publication;
  if (isForAllTables) {
    // It would refuse updates of tables without a key: of the application's, too.
    return wrong(subject, { found: 'is FOR ALL TABLES', expected, remedy: `${create}, after dropping it` });
  }
  if (isComplete && isViaRoot) return good(subject, 'publishes every kind of change');
  return wrong(subject, {
    found: isComplete ? 'publishes partitions by themselves' : 'leaves kinds of changes out',
    expected,
    remedy:
      `the tables' owner runs: ALTER PUBLICATION "${name}" SET (publish = 'insert, update, delete, truncate', ` +
      'publish_via_partition_root = true)',
  });
}

export interface Table {
  /** "schema.table". */
  readonly name: string;
  readonly isPublished: boolean;
  /** With every row and column; null when it is not published. */
  readonly isWhole: boolean | null;
  readonly isReadable: boolean;
  /** `relreplident`: d default, i index, f full, n nothing. */
  readonly replicaIdentity: string;
  readonly hasKey: boolean;
}

/** Tables of one's own and roots of partitions. Row filters and column lists are asked for in version 14 too, as JSON. */
const TABLES = `
select n.nspname || '.' || c.relname as name, p.pubname is not null as "isPublished",
       p.pubname is not null
       and to_jsonb(p) ->> 'rowfilter' is null
       and not exists (select from pg_publication_rel r join pg_publication u on u.oid = r.prpubid
                       where u.pubname = p.pubname and r.prrelid = c.oid and to_jsonb(r) ->> 'prattrs' is not null)
         as "isWhole",
       has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
       and not exists (select from pg_partition_tree(c.oid) where not has_table_privilege(relid, 'select'))
         as "isReadable",
       c.relreplident as "replicaIdentity",
       exists (select from pg_index i
               where i.indrelid = c.oid and i.indimmediate and i.indisvalid
                 and case when c.relreplident = 'i' then i.indisreplident else i.indisprimary end) as "hasKey"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_publication_tables p on p.pubname = $1 and p.schemaname = n.nspname and p.tablename = c.relname
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
order by 1
`;

/** A finding for each selected table that cannot be followed, and one for those that can. */
export async function checkTables(client: Client, contract: ResolvedLogContract): Promise<readonly Finding[]> {
  return findings(`tables of ${contract.source}`, async () => {
    const { rows } = await client.query<Table>(TABLES, [contract.publication]);
    return judgeTables(
      contract,
      rows.filter(({ name }) => isSelected(contract, name)),
    );
  });
}

export function judgeTables(
  { source, publication, include }: Pick<ResolvedLogContract, 'source' | 'publication' | 'include'>,
  selected: readonly Table[],
): Finding[] {
  const judged = selected.map((table) => ({ table, problem: problemOf(table, publication) }));
  const usable = judged.filter(({ problem }) => problem === undefined).map(({ table }) => table.name);
  const subject = `tables of ${source}`;
  const all =
    usable.length > 0
      ? good(subject, `${usable.length} can be followed: ${usable.join(', ')}`)
      : wrong(subject, {
          found: 'none can be followed',
          expected: `tables that match ${include.join(', ')}`,
          remedy: 'its owners publish them, or you correct include of the contract in sources/',
        });
  return [all, ...judged.flatMap(({ table, problem }) => (problem ? [wrong(`table ${table.name}`, problem)] : []))];
}

/** Why `ingest` would refuse the table; undefined when it would not. */
function problemOf(table: Table, publication: string) {
  const qualified = table.name
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
  const problem = (found: string, expected: string, remedy: string) => ({ found, expected, remedy });
  if (!table.isPublished) {
    const remedy = `its owner runs: ALTER PUBLICATION "${publication}" ADD TABLE ${qualified}; or you exclude it in the contract`;
    return problem('not published', `one of publication ${publication}`, remedy);
  }
  if (!table.isWhole) {
    const remedy = `its owner takes it out of publication ${publication} and adds it again without`;
    return problem('published with a row filter or a column list', 'all rows and columns', remedy);
  }
  if (!table.isReadable) {
    const remedy = `its owner grants SELECT on ${qualified} and each of its partitions, and USAGE on its schema, to the platform's role`;
    return problem('may not be read', 'the right to read it', remedy);
  }
  if (table.replicaIdentity === 'n') {
    const remedy = `its owner runs: ALTER TABLE ${qualified} REPLICA IDENTITY DEFAULT`;
    return problem('has REPLICA IDENTITY NOTHING', 'one that names a row', remedy);
  }
  if (!table.hasKey) return problem('has no primary key', 'one that is not deferrable', 'its owner adds one');
  return undefined;
}
