/** Values that contracts of all modes have. */
import { z } from 'zod';

export const text = (pattern: RegExp, expected: string) => z.string(expected).regex(pattern, expected);

export const sourceName = text(
  /^[a-z][a-z0-9-]{1,62}$/,
  '2 to 63 lower-case letters, digits and hyphens, a letter first',
);
export const sqlName = text(
  /^[a-z_][a-z0-9_]{0,62}$/,
  'a name of at most 63 lower-case letters, digits and underscores',
);
export const tableName = text(/^[A-Za-z_]\w*\.[A-Za-z_]\w*$/, 'a table such as public.shots');
export const partition = text(
  /^([a-z_][a-z0-9_]*|(year|month|day|hour)\([a-z_][a-z0-9_]*\))$/,
  'an Iceberg transform: a column, year(c), month(c), day(c) or hour(c)',
);

const BYTES = 'a whole number of bytes of at least 1,048,576';
export const wholeBytes = z.int(BYTES).min(1_048_576, BYTES);

const DAYS = 'a whole number of days from 1 to 3,650';
export const wholeDays = z.int(DAYS).min(1, DAYS).max(3650, DAYS);

/** Columns of indexes of dataengineering-db, beside those of the key. */
export const indexes = z
  .array(z.array(sqlName).min(1, 'at least one column').max(32, 'at most 32 columns'))
  .min(1, 'at least one index');

/** What holds of a table's indexes, by their place in the contract. */
export function indexRules(name: string, of: readonly (readonly string[])[], isKept: (column: string) => boolean) {
  return of.map((columns, index) => ({
    name: `${name}.${index}`,
    value: columns,
    holds:
      columns.every(isKept) &&
      new Set(columns).size === columns.length &&
      of.findIndex((other) => other.join() === columns.join()) === index,
    expected: 'columns that are kept, each once, and an index that is not there twice',
  }));
}

/** The column that an Iceberg transform is of. */
export function columnOf(transform: string): string {
  return /([a-z0-9_]+)\)?$/.exec(transform)![1]!;
}
