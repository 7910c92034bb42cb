/**
 * The contract with a source: what is followed, how, what is personal, what the application gets. It is written in
 * TypeScript, validated at synth and shipped to the jobs as JSON.
 */
import { z } from 'zod';
import type { Environment } from '../envs/environment';
import { names, ownerPaths, pepperSecret } from '../modules/naming';
import { check, checkRules, parse, type Rule } from '../modules/validation';
import { checkFiles, filesSchema, type FilesContract } from './files-contract';
import { sources } from './index';
import { rulesOnQuality, rulesOnReferences, tableQuality } from './quality';
import { isSelected } from './selection';
import {
  columnOf,
  indexes,
  indexRules,
  partition,
  sourceName,
  sqlName,
  tableName,
  text,
  wholeBytes,
  wholeDays,
} from './values';

const tablePattern = text(
  /^[A-Za-z_]\w*\.[\w*]+$/,
  'a table such as public.shots, in which * after the schema stands for any text: public.*',
);
/** Of a source, whose names have the case that they were quoted with. */
const columnName = text(/^[A-Za-z_]\w*$/, 'the name of a column');
const decimal = z
  .tuple([z.int().min(1).max(38), z.int().min(0).max(38)], '[precision, scale]')
  .refine(([precision, scale]) => scale <= precision, 'a scale that is not above the precision');

const tableOptions = z.strictObject({
  /** What becomes of personal data, by column: stored as it is, as a keyed hash of its text, or not at all. @default keep */
  pii: z.record(columnName, z.enum(['keep', 'hash', 'drop'], 'keep, hash or drop')).optional(),
  /** How the lake's table is partitioned, as Iceberg transforms of its columns. @default not at all */
  partitionBy: z.array(partition).min(1, 'at least one transform').optional(),
  /** The table's name in the lake and in dataengineering-db. @default see lakeTableName */
  lakeTable: sqlName.optional(),
  /** [precision, scale] of numeric columns that have none in the source. @default [38, 9] */
  decimals: z.record(columnName, decimal).optional(),
  /** Keep all states that its rows had, in `<lake table>_history`. @default false */
  history: z.boolean('true or false').optional(),
  /**
   * What its rows are judged by as they come. A value that is quarantined is null in the lake and recorded with its reason
   * in `trackman_raw.quarantine`; its row is counted to `rejectLimit`. @default no rules
   */
  quality: tableQuality.optional(),
});

const retention = z.strictObject({
  /**
   * Changes in `trackman_raw.changes`: whole days of the source's clock, and then until everything that is made from them
   * has them.
   */
  changeDays: wholeDays,
  /** Values in `trackman_raw.quarantine`. What still has no place is found again by a copy. */
  quarantineDays: wholeDays,
});

const selection = z.strictObject({
  include: z.array(tablePattern).min(1, 'at least one pattern'),
  exclude: z.array(tablePattern),
});

const databaseSchema = selection.extend({
  /** Also the name of its Glue connection. */
  name: sourceName,
  /** Below `/trackman/<env>/`: where its owners keep address, authority and credentials. */
  ownerFolder: text(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and hyphens, a letter first'),
  /** Tables larger than this, in bytes on the source's disk, are copied by the job `snapshot` and not by `ingest`. */
  inlineSnapshotBytes: wholeBytes,
  /**
   * How many rows of a table may have values that the lake has no place for (NaN in a decimal, an infinite time), or
   * that rules quarantine, in one run: those values go to `trackman_raw.quarantine`. More than that stop the table.
   */
  rejectLimit: z.int('a whole number of rows').min(0, 'a whole number of rows'),
  /**
   * For how many days what was noted of the source is kept at least. How long replaced rows can be read in old snapshots
   * of any table is the environment's to say (`lake.snapshotDays`).
   */
  retention,
  /** Which of the followed tables go to dataengineering-db, and which indexes those have beside their keys'. */
  serving: selection.extend({ indexes: z.record(tableName, indexes).optional() }),
});

const logSchema = databaseSchema.extend({
  /** How changes are found: by logical decoding of the source's write-ahead log. */
  mode: z.literal('log'),
  /** Publication that the tables' owner made for the platform. */
  publication: sqlName,
  /** Replication slot; `ingest` makes it. */
  slot: sqlName,
  /** How much of the source's log one step reads, in bytes. */
  walBytesPerStep: wholeBytes,
  /** Options of single tables, by "schema.table". */
  tables: z.record(tableName, tableOptions),
});

const watermark = z.strictObject(
  {
    /** A `timestamp with time zone not null` that tells when a row was last changed. */
    column: columnName,
    /** Who sets it, which `ingest` checks: a trigger before each insert and update, or a default, at inserts only. */
    setBy: z.enum(['trigger', 'default'], 'trigger or default'),
  },
  'a column and who sets it: { column, setBy }',
);

const SECONDS = 'a number of seconds from 1 to 3,600';
const HOURS = 'a whole number of hours from 1 to 168';

const watermarkSchema = databaseSchema.extend({
  /** How changes are found: by a column that tells when a row was changed, and by comparing all rows now and then. */
  mode: z.literal('watermark'),
  /** Of the tables that have no other one. */
  watermark,
  /** How much older than the oldest transaction that is open a row must be to be read. */
  marginSeconds: z.number(SECONDS).min(1, SECONDS).max(3600, SECONDS),
  /** How often all rows are compared: until then, a change without a new watermark and a removed row are not seen. */
  reconcileHours: z.int(HOURS).min(1, HOURS).max(168, HOURS),
  /** Options of single tables, by "schema.table". */
  tables: z.record(
    tableName,
    tableOptions.extend({
      /** @default the source's */
      watermark: watermark.optional(),
      /** Column by which a row says that it is deleted: true, or a time that is not null. @default none: rows are removed */
      softDelete: columnName.optional(),
    }),
  ),
});

/** By how changes are found. */
const schema = z.discriminatedUnion('mode', [logSchema, watermarkSchema, filesSchema], 'log, watermark or files');

export type LogContract = Readonly<z.output<typeof logSchema>>;
export type WatermarkContract = Readonly<z.output<typeof watermarkSchema>>;
/** With a source that is a database. */
export type DatabaseContract = LogContract | WatermarkContract;
export type SourceContract = DatabaseContract | FilesContract;

/** What a database's contract has for the jobs beside its values: the names that an environment gives to things. */
interface ResolvedNames {
  readonly source: string;
  readonly connection: {
    readonly glueConnection: string;
    readonly urlParameter: string;
    readonly caParameter: string;
    readonly secret: string;
  };
  readonly catalogDatabase: string;
  readonly pepperSecret: string;
}
/** Contracts as the jobs read them. */
export type ResolvedLogContract = Omit<LogContract, 'name' | 'ownerFolder'> & ResolvedNames;
export type ResolvedWatermarkContract = Omit<WatermarkContract, 'name' | 'ownerFolder'> & ResolvedNames;
export type ResolvedDatabaseContract = ResolvedLogContract | ResolvedWatermarkContract;
export interface ResolvedFilesContract extends Omit<FilesContract, 'name'> {
  readonly source: string;
  readonly pepperSecret: string;
}
export type ResolvedContract = ResolvedDatabaseContract | ResolvedFilesContract;

/** Those of the contracts, or of their resolved forms, that are of a mode. */
export function inMode<C extends SourceContract | ResolvedContract, M extends C['mode']>(
  mode: M,
  contracts: readonly C[],
): Extract<C, { mode: M }>[] {
  return contracts.filter((contract): contract is Extract<C, { mode: M }> => contract.mode === mode);
}

/** Those that are with databases. */
export function withDatabases<C extends SourceContract | ResolvedContract>(
  contracts: readonly C[],
): Exclude<C, { mode: 'files' }>[] {
  return contracts.filter((contract): contract is Exclude<C, { mode: 'files' }> => contract.mode !== 'files');
}

/**
 * Validates the contracts, each by itself and against each other, and gives them an environment's names.
 * @throws InvalidValueError naming each value that is wrong
 */
export function resolveContracts(
  environment: Pick<Environment, 'name'>,
  contracts: readonly SourceContract[] = sources,
): ResolvedContract[] {
  const valid = contracts.map(validated);
  const resolved = valid.map((contract) => resolve(contract, environment));
  refuseShared(
    'name',
    valid.map(({ name }) => ({ of: name, name })),
  );
  refuseShared(
    'ownerFolder',
    withDatabases(valid).map(({ name, ownerFolder }) => ({ of: name, name: ownerFolder })),
  );
  refuseNested(inMode('files', valid));
  refuseShared('lake table', resolved.flatMap(namedTables), ', for example by lakeTable');
  return resolved;
}

/**
 * Name of a source's table in the lake and in dataengineering-db: `<table>` for schema public, else `<schema>_<table>`,
 * in lower case, which is all that the catalog has.
 */
export function lakeTableName(
  contract: Pick<ResolvedDatabaseContract, 'tables'>,
  schema: string,
  table: string,
): string {
  const plain = schema === 'public' ? table : `${schema}_${table}`;
  return contract.tables[`${schema}.${table}`]?.lakeTable ?? plain.toLowerCase();
}

function validated(contract: SourceContract): SourceContract {
  const remedy = `correct it in sources/${contract.name}.ts`;
  const parsed = parse(schema, contract, `source ${contract.name}`, remedy);
  if (parsed.mode === 'files') checkFiles(parsed, remedy);
  else checkTables(parsed, remedy);
  if (parsed.mode === 'watermark') checkWatermarks(parsed, remedy);
  return parsed;
}

function checkTables(parsed: DatabaseContract, remedy: string): void {
  checkIndexes(parsed, remedy);
  for (const [table, options] of Object.entries(parsed.tables)) {
    for (const transform of options.partitionBy ?? []) {
      check(options.pii?.[columnOf(transform)] !== 'drop', {
        name: `tables.${table}.partitionBy of source ${parsed.name}`,
        value: transform,
        expected: 'a column that is kept',
        remedy,
      });
    }
  }
  checkRules(`source ${parsed.name}`, qualityOf(parsed), remedy);
}

/** What has to hold of the tables' rules on quality. */
function qualityOf(contract: DatabaseContract): Rule[] {
  const tables: LogContract['tables'] = contract.tables;
  const rulesOf = (table: string) => tables[table]?.quality ?? [];
  const piiOf = (table: string, column: string) => tables[table]?.pii?.[column];
  const others = {
    isFollowed: (table: string) => isSelected(contract, table),
    piiOf,
    refersTo: (table: string) => rulesOf(table).flatMap((rule) => (rule.rule === 'reference' ? [rule.table] : [])),
  };
  return Object.entries(tables).flatMap(([table, { quality = [], history = false }]) => {
    const where = `tables.${table}.quality`;
    return [
      {
        name: where,
        value: table,
        holds: quality.length === 0 || isSelected(contract, table),
        expected: 'rules of a table that the contract follows',
      },
      ...rulesOnQuality(where, quality, (column) => piiOf(table, column)),
      ...rulesOnReferences(where, table, quality, { ...others, hasHistory: history }),
    ];
  });
}

function checkIndexes(parsed: DatabaseContract, remedy: string): void {
  const rules = Object.entries(parsed.serving.indexes ?? {}).flatMap(([table, columns]) => [
    {
      name: `serving.indexes.${table}`,
      value: columns,
      holds: isSelected(parsed, table) && isSelected(parsed.serving, table),
      expected: 'no indexes, or a table that is followed and served',
    },
    ...indexRules(`serving.indexes.${table}`, columns, (column) => parsed.tables[table]?.pii?.[column] !== 'drop'),
  ]);
  checkRules(`source ${parsed.name}`, rules, remedy);
}

function checkWatermarks({ name, watermark, tables }: WatermarkContract, remedy: string): void {
  for (const [table, { softDelete, watermark: own = watermark, quality = [] }] of Object.entries(tables)) {
    quality.forEach(({ rule }, index) =>
      check(rule !== 'reference', {
        name: `tables.${table}.quality.${index}.rule of source ${name}`,
        value: rule,
        expected:
          'another kind: by watermarks, tables are read up to different moments, so what one lacks may only be late',
        remedy,
      }),
    );
    check(softDelete !== own.column, {
      name: `tables.${table}.softDelete of source ${name}`,
      value: softDelete,
      expected: 'another column than the watermark',
      remedy,
    });
  }
}

function resolve(contract: SourceContract, environment: Pick<Environment, 'name'>): ResolvedContract {
  if (contract.mode === 'files') {
    const { name: source, ...values } = contract;
    return { source, ...values, pepperSecret: pepperSecret(environment) };
  }
  const { name: source, ownerFolder, ...values } = contract;
  const { url, ca, secret } = ownerPaths(environment, ownerFolder);
  return {
    source,
    ...values,
    connection: { glueConnection: source, urlParameter: url, caParameter: ca, secret },
    catalogDatabase: names.databases.backend,
    pepperSecret: pepperSecret(environment),
  };
}

interface Use {
  readonly of: string;
  readonly name: string;
}

/** The tables that a contract names; what a pattern matches is known to the jobs only, which check it again. */
function namedTables(contract: ResolvedContract): Use[] {
  if (contract.mode === 'files') return [{ of: contract.source, name: contract.table }];
  const literal = contract.include.filter((pattern) => !pattern.includes('*'));
  const tables = new Set([...Object.keys(contract.tables), ...literal]);
  return [...tables].flatMap((qualified) => {
    const [schema, table] = qualified.split('.') as [string, string];
    const name = lakeTableName(contract, schema, table);
    const of = `${contract.source} ${qualified}`;
    const history = { of: `the history of ${of}`, name: `${name}_history` };
    return contract.tables[qualified]?.history ? [{ of, name }, history] : [{ of, name }];
  });
}

function refuseShared(kind: string, uses: readonly Use[], how = ''): void {
  const first = new Map<string, string>();
  for (const { of, name } of uses) {
    const other = first.get(name);
    check(other === undefined, {
      name: `${kind} of ${of}`,
      value: name,
      expected: `one that ${other} does not have`,
      remedy: `change one of the two contracts${how}`,
    });
    first.set(name, of);
  }
}

/** A file below two feeds' folders would be in two tables. */
function refuseNested(contracts: readonly FilesContract[]): void {
  for (const { name, prefix } of contracts) {
    const outer = contracts.find((other) => other.name !== name && prefix.startsWith(other.prefix));
    check(outer === undefined, {
      name: `prefix of ${name}`,
      value: prefix,
      expected: `a folder that is not in ${outer?.prefix}, which ${outer?.name} has`,
      remedy: 'change one of the two contracts',
    });
  }
}
