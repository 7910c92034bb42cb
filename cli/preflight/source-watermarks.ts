/** Whether a source can be read by watermarks: what its role sees, and tables with a key and a watermark. */
import type { Client } from 'pg';
import type { ResolvedWatermarkContract } from '../../sources/contract';
import { isSelected } from '../../sources/selection';
import { findings, good, wrong, type Complaint, type Finding } from './finding';

export async function checkWatermarks(
  client: Client,
  contract: ResolvedWatermarkContract,
): Promise<readonly Finding[]> {
  return [...(await checkSight(client, contract)), ...(await checkTables(client, contract))];
}

/** How far can be read is told by when the transactions of all began. */
async function checkSight(client: Client, { source }: ResolvedWatermarkContract): Promise<readonly Finding[]> {
  const subject = `the platform's role in ${source}`;
  return findings(subject, async () => {
    const { rows } = await client.query<{ role: string; seesAll: boolean }>(
      `select current_user as role, pg_has_role('pg_read_all_stats', 'usage') as "seesAll"`,
    );
    const { role, seesAll } = rows[0]!;
    if (seesAll) return good(subject, `${role} sees the transactions of all`);
    return wrong(subject, {
      found: `${role} does not see when the transactions of others began`,
      expected: 'a member of pg_monitor',
      remedy: `its owners run: GRANT pg_monitor TO "${role}"`,
    });
  });
}

export interface Table {
  /** "schema.table". */
  readonly name: string;
  readonly isReadable: boolean;
  readonly hasKey: boolean;
  /** Names of the columns that are timestamp with time zone not null. */
  readonly times: readonly string[];
}

const TABLES = `
select n.nspname || '.' || c.relname as name,
       has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as "isReadable",
       exists (select from pg_index i
               where i.indrelid = c.oid and i.indimmediate and i.indisvalid and i.indisprimary) as "hasKey",
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
               and a.atttypid = 'timestamptz'::regtype and a.attnotnull) as times
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
order by 1
`;

async function checkTables(client: Client, contract: ResolvedWatermarkContract): Promise<readonly Finding[]> {
  return findings(`tables of ${contract.source}`, async () => {
    const { rows } = await client.query<Table>(TABLES);
    return judgeTables(
      contract,
      rows.filter(({ name }) => isSelected(contract, name)),
    );
  });
}

/** A finding for each selected table that cannot be read, and one for those that can. Who stamps, `ingest` checks. */
export function judgeTables(
  contract: Pick<ResolvedWatermarkContract, 'source' | 'include' | 'watermark' | 'tables'>,
  selected: readonly Table[],
): Finding[] {
  const judged = selected.map((table) => {
    const { column } = contract.tables[table.name]?.watermark ?? contract.watermark;
    return { table, problem: problemOf(table, column) };
  });
  const usable = judged.filter(({ problem }) => problem === undefined).map(({ table }) => table.name);
  const subject = `tables of ${contract.source}`;
  const all =
    usable.length > 0
      ? good(subject, `${usable.length} can be read: ${usable.join(', ')}`)
      : wrong(subject, {
          found: 'none can be read',
          expected: `tables that match ${contract.include.join(', ')}`,
          remedy: 'you correct include of the contract in sources/',
        });
  return [all, ...judged.flatMap(({ table, problem }) => (problem ? [wrong(`table ${table.name}`, problem)] : []))];
}

function problemOf({ name, isReadable, hasKey, times }: Table, watermark: string): Complaint | undefined {
  if (!isReadable) {
    const remedy = `its owner grants SELECT on ${name}, and USAGE on its schema, to the platform's role`;
    return { found: 'may not be read', expected: 'the right to read it', remedy };
  }
  if (!hasKey) {
    return { found: 'has no primary key', expected: 'one that is not deferrable', remedy: 'its owner adds one' };
  }
  if (!times.includes(watermark)) {
    return {
      found: `has no watermark ${watermark}`,
      expected: 'a column of this name, timestamp with time zone not null',
      remedy: 'its owner adds one, or you name another in the contract',
    };
  }
  return undefined;
}
