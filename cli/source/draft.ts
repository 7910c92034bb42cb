/** A contract from what a source's catalog says, as a beginning: what is personal is for people to decide. */
import { lakeTableName, type LogContract } from '../../sources/contract';
import type { CatalogTable, SourceCatalog } from './catalog';

export const PUBLICATION = 'trackman';
const SLOT = 'trackman';

/** A table that the contract leaves out. */
export interface LeftOut {
  /** "schema.table". */
  readonly table: string;
  readonly why: string;
}

export interface Draft {
  readonly contract: LogContract;
  readonly followed: readonly CatalogTable[];
  readonly leftOut: readonly LeftOut[];
  /** Text columns whose names sound as if they held personal data, by "schema.table". */
  readonly perhapsPersonal: Readonly<Record<string, readonly string[]>>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const TEXTS = ['text', 'varchar', 'bpchar', 'citext', 'name'];
const PERSONAL = /name$|mail|phone|mobile|address|street|birth|passport|iban|ssn/i;

/** @param slot its name; by default `trackman`, or one with the source's name where another database has that already */
export function draftContract(name: string, { tables, slots }: SourceCatalog, slot = freeSlot(name, slots)): Draft {
  const followed: CatalogTable[] = [];
  const leftOut: LeftOut[] = [];
  const lakeTables = new Map<string, string>();
  for (const table of tables) {
    const qualified = qualify(table);
    const lakeTable = lakeTableName({ tables: {} }, table.schema, table.name);
    const why = whyNot(table) ?? whyShared(lakeTable, lakeTables.get(lakeTable));
    if (why !== undefined) {
      leftOut.push({ table: qualified, why });
      continue;
    }
    lakeTables.set(lakeTable, qualified);
    followed.push(table);
  }
  const contract: LogContract = {
    name,
    ownerFolder: name,
    mode: 'log',
    publication: PUBLICATION,
    slot,
    walBytesPerStep: 1024 ** 3,
    inlineSnapshotBytes: 1024 ** 3,
    rejectLimit: 100,
    retention: { changeDays: 90, quarantineDays: 365 },
    include: followed.map(qualify),
    exclude: [],
    tables: {},
    serving: { include: [...new Set(followed.map(({ schema }) => `${schema}.*`))], exclude: [] },
  };
  const personal = followed.map((table) => [qualify(table), personalColumns(table)] as const);
  const perhapsPersonal = Object.fromEntries(personal.filter(([, columns]) => columns.length > 0));
  return { contract, followed, leftOut, perhapsPersonal };
}

export function qualify({ schema, name }: Pick<CatalogTable, 'schema' | 'name'>): string {
  return `${schema}.${name}`;
}

/** Why the table cannot be followed; undefined when it can. */
function whyNot(table: CatalogTable): string | undefined {
  const names = table.columns.map((column) => column.name);
  const generated = table.columns.filter(({ isGenerated }) => isGenerated).map((column) => column.name);
  const alike = names.find((name, i) => names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) !== i);
  if (table.extension !== null) return `is part of the extension ${table.extension}`;
  if (table.kind === 'f') return 'is a foreign table: its rows are another server’s';
  if (table.isUnlogged) return 'is unlogged: what changes in it is not in the log (ALTER TABLE … SET LOGGED)';
  if (table.replicaIdentity === 'n') return 'has REPLICA IDENTITY NOTHING (ALTER TABLE … REPLICA IDENTITY DEFAULT)';
  if (table.key.length === 0) return 'has no primary key, or a deferrable one: changes do not name a row';
  if (table.key.some((column) => generated.includes(column))) {
    return 'has a generated column in its primary key: the log does not hold it';
  }
  if (![table.schema, table.name].every((name) => NAME.test(name))) {
    return 'has a name that is not letters, digits and underscores alone';
  }
  if (alike !== undefined)
    return `has columns that differ in case alone (${alike}), which the lake does not tell apart`;
  return undefined;
}

function whyShared(lakeTable: string, other: string | undefined): string | undefined {
  return other && `would be ${lakeTable} in the lake, as ${other} is: add it with a lakeTable of its own`;
}

function personalColumns({ columns }: CatalogTable): string[] {
  return columns.filter(({ name, type }) => TEXTS.includes(type) && PERSONAL.test(name)).map(({ name }) => name);
}

function freeSlot(name: string, slots: readonly string[]): string {
  return slots.includes(SLOT) ? `${SLOT}_${name.replaceAll('-', '_')}` : SLOT;
}
