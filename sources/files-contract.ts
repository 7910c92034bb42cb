/** The contract with who puts files into the landing zone: a folder, a table, and what its columns are. */
import { z } from 'zod';
import { check, checkRules, type Rule } from '../modules/validation';
import { feedQuality, rulesOnQuality, type FeedRules } from './quality';
import { columnOf, indexes, indexRules, partition, sourceName, sqlName, text, wholeBytes } from './values';

/** What the platform adds to each row begins so. */
const RESERVED = /^trackman_/;

const columnName = sqlName.refine(
  (name) => !RESERVED.test(name),
  "a name that does not begin with the platform's own trackman_",
);

/** Types by Iceberg's names; timestamptz is an instant, in the files with an offset, in the lake in UTC. */
const type = text(
  /^(boolean|int|long|float|double|decimal\(([1-9]|[12][0-9]|3[0-8]), ?[0-9]{1,2}\)|date|timestamp|timestamptz|string)$/,
  'boolean, int, long, float, double, decimal(precision, scale), date, timestamp, timestamptz or string',
);

const column = z.strictObject({
  type,
  /** Whether a row may have no value. @default true */
  nullable: z.boolean('true or false').optional(),
  /** What becomes of personal data: stored as it is, as a keyed hash of its text, or not at all. @default keep */
  pii: z.enum(['keep', 'hash', 'drop'], 'keep, hash or drop').optional(),
  /** Of the lake's column. @default none */
  comment: z.string('a text').optional(),
});

const SHARE = 'a share from 0 to less than 1';

export const filesSchema = z.strictObject({
  name: sourceName,
  /** How data comes: by objects in the landing zone, of which each version is taken once. */
  mode: z.literal('files'),
  /** The feed's folder in the landing zone: telemetry/. */
  prefix: text(/^[a-z0-9][a-z0-9_=/-]*\/$/, 'a folder: lower-case letters, digits, _ = / -, a slash at its end'),
  /** The table of the lake. */
  table: sqlName,
  /**
   * What files may hold: .json (lines, or one array), .jsonl, .csv (with a header) and .parquet, and each with .gz.
   * A column that is not here is a fault of the file, one that is and is not in the file is null.
   */
  columns: z.record(columnName, column),
  /** Columns by which a later row takes an earlier one's place. @default rows are added */
  key: z.array(sqlName).min(1, 'at least one column').optional(),
  /** How the lake's table is partitioned, as Iceberg transforms of its columns. @default not at all */
  partitionBy: z.array(partition).min(1, 'at least one transform').optional(),
  /** A file with a larger share of bad rows is quarantined whole; in others, bad rows are left out and counted. */
  badRowShare: z.number(SHARE).min(0, SHARE).lt(1, SHARE),
  /**
   * What rows and files are judged by. A row that is quarantined is a bad one; `rowCount` is of one file, which is
   * quarantined whole. What fails stops the feed until the file is withdrawn or the rule is another. @default no rules
   */
  quality: feedQuality.optional(),
  /** Larger files are quarantined; unpacked, when they are compressed. */
  maxFileBytes: wholeBytes,
  /** How much of what landed is read for one commit. */
  bytesPerCommit: wholeBytes,
  /** Whether the table goes to dataengineering-db, which needs a key, and with which indexes beside it. */
  serving: z.union([z.literal(false), z.strictObject({ indexes: indexes.optional() })], 'false or { indexes }'),
});

export type FilesContract = Readonly<z.output<typeof filesSchema>>;

/** What holds between a contract's values. @throws InvalidValueError */
export function checkFiles(contract: FilesContract, remedy: string): void {
  const { name, columns, key = [], partitionBy = [], quality = [], serving } = contract;
  const isKept = (column: string): boolean => column in columns && columns[column]!.pii !== 'drop';
  const subject = `source ${name}`;
  check(Object.keys(columns).some(isKept), {
    name: `columns of ${subject}`,
    value: Object.keys(columns),
    expected: 'at least one that is kept',
    remedy,
  });
  const rules = Object.entries(columns).flatMap(([column, { type, pii }]) => {
    const [precision = 0, scale = 0] = (/\((.+)\)/.exec(type)?.[1] ?? '').split(',').map(Number);
    return [
      {
        name: `columns.${column}.type`,
        value: type,
        holds: scale <= precision,
        expected: 'a scale that is not above the precision',
      },
      {
        name: `columns.${column}.pii`,
        value: pii,
        holds: pii !== 'hash' || ['string', 'int', 'long'].includes(type),
        expected: 'keep or drop: only string, int and long have one text to be hashed',
      },
    ];
  });
  const ofKey = key.map((column, index) => ({
    name: `key.${index}`,
    value: column,
    holds: isKept(column) && columns[column]!.nullable === false,
    expected: 'a column that is kept and has nullable: false',
  }));
  const ofPartition = partitionBy.map((transform, index) => ({
    name: `partitionBy.${index}`,
    value: transform,
    holds: isKept(columnOf(transform)) && canTransform(transform, columns[columnOf(transform)]!),
    expected: 'a column that is kept, unhashed unless by itself, and for year, month, day and hour a time',
  }));
  const ofQuality = [
    ...rulesOnQuality('quality', quality, (column) => columns[column]?.pii),
    ...quality.flatMap((rule, index) => fitting(`quality.${index}`, rule, columns)),
  ];
  const ofServing = serving
    ? [
        {
          name: 'key',
          value: contract.key,
          holds: key.length > 0,
          expected: 'columns by which dataengineering-db tells its rows, unless serving is false',
        },
        ...indexRules('serving.indexes', serving.indexes ?? [], isKept),
      ]
    : [];
  checkRules(subject, [...rules, ...ofKey, ...ofPartition, ...ofQuality, ...ofServing], remedy);
}

/** Whether a rule on quality fits the column that it is of. */
function fitting(at: string, rule: FeedRules[number], columns: FilesContract['columns']): Rule[] {
  if (!('column' in rule)) return [];
  const of = columns[rule.column];
  if (of === undefined) {
    return [{ name: `${at}.column`, value: rule.column, holds: false, expected: 'a column of the feed' }];
  }
  const value = rule.rule === 'range' ? [rule.min, rule.max] : rule.rule === 'allowed' ? rule.values : [];
  return [
    {
      name: at,
      value: rule,
      holds: value.every((each) => each === undefined || isOf(of.type, rule.rule, each)),
      expected: `a rule for values of type ${of.type}, which column ${rule.column} has`,
    },
  ];
}

/** Whether a value can stand beside a column's in a rule. No constant is exactly what a float or a double holds. */
function isOf(type: string, rule: 'range' | 'allowed' | 'notNull', value: string | number | boolean): boolean {
  if (rule === 'range') {
    if (/^(int|long|float|double|decimal)/.test(type)) return typeof value === 'number';
    return /^(date|timestamp)/.test(type) && typeof value === 'string';
  }
  if (/^(int|long)$/.test(type)) return Number.isInteger(value);
  return typeof value === (type.startsWith('decimal') ? 'number' : type);
}

function canTransform(transform: string, { type, pii }: z.output<typeof column>): boolean {
  if (!transform.includes('(')) return !/^(float|double)$/.test(type);
  const times = transform.startsWith('hour') ? ['timestamp', 'timestamptz'] : ['date', 'timestamp', 'timestamptz'];
  return pii !== 'hash' && times.includes(type);
}
