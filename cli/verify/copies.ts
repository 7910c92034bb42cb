/** A table's copies: in a Postgres (the source, dataengineering-db) and in the lake, read through Athena. */
import type { Client } from 'pg';
import { runStatement } from '../aws/athena';
import { athenaRow, postgresRow, quote, type Column, type Pepper, type TableName } from './canonical';
import type { Copy } from './reconcile';

/** What is different in the source. */
interface AtTheSource {
  /** SQL: the rows that the others have. */
  readonly where: string;
  /** Its personal data are not hashed yet. */
  readonly pepper: Pepper;
}

export function postgresCopy(
  store: 'source' | 'serving',
  client: Client,
  table: TableName,
  columns: readonly Column[],
  key: readonly Column[],
  { where, pepper }: Partial<AtTheSource> = {},
): Copy {
  const hashed = (text: string): string =>
    `encode(sha256($2::bytea || sha256($1::bytea || convert_to(${text}, 'UTF8'))), 'hex')`;
  const hashes = pepper !== undefined && columns.some((column) => column.pii === 'hash');
  const values = hashes ? [pepper.inner, pepper.outer] : [];
  const texts = `select ${postgresRow(key, hashes ? hashed : undefined)} as k, ${postgresRow(columns, hashes ? hashed : undefined)} as r
                 from ${quote(table.schema)}.${quote(table.name)} where ${where ?? 'true'}`;
  return {
    store,
    async buckets() {
      const { rows } = await client.query<{ bucket: string; rows: string; sum: string }>(
        `select left(md5(k), 2) as bucket, count(*) as rows, sum(('x' || left(md5(r), 15))::bit(60)::bigint)::text as sum
         from (${texts}) as t group by 1`,
        values,
      );
      return new Map(rows.map((row) => [row.bucket, { rows: Number(row.rows), sum: row.sum }]));
    },
    async rows(buckets) {
      const { rows } = await client.query<{ k: string; r: string }>(
        `select k, r from (${texts}) as t where left(md5(k), 2) = any($${values.length + 1})`,
        [...values, buckets],
      );
      return new Map(rows.map((row) => [row.k, row.r]));
    },
  };
}

/** @param at where to run: region and workgroup. */
export function lakeCopy(
  at: { region: string; workgroup: string; database: string },
  table: string,
  columns: readonly Column[],
  key: readonly Column[],
): Copy {
  const md5 = (text: string): string => `lower(to_hex(md5(to_utf8(${text}))))`;
  const texts = `select ${athenaRow(key)} as k, ${athenaRow(columns)} as r from ${quote(table)}`;
  const run = (sql: string, parameters?: string[]) =>
    runStatement({ region: at.region }, { sql, parameters, database: at.database, workgroup: at.workgroup });
  return {
    store: 'lake',
    async buckets() {
      const { rows } = await run(
        `select substr(${md5('k')}, 1, 2) as bucket, count(*) as rows,
                sum(cast(from_base(substr(${md5('r')}, 1, 15), 16) as decimal(38, 0))) as sum
         from (${texts}) as t group by 1`,
      );
      return new Map(rows.map(([bucket, count, sum]) => [bucket!, { rows: Number(count), sum: sum! }]));
    },
    async rows(buckets) {
      const placeholders = buckets.map(() => '?').join(', ');
      const { rows } = await run(
        `select k, r from (${texts}) as t where substr(${md5('k')}, 1, 2) in (${placeholders})`,
        buckets.map((bucket) => `'${bucket}'`),
      );
      return new Map(rows.map(([k, r]) => [k!, r!]));
    },
  };
}
