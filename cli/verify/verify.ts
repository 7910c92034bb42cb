/** Compares every table of every source that is a database: source, lake, dataengineering-db. */
import type { Client } from 'pg';
import type { Environment } from '../../envs/environment';
import { names, servingCaParameter, servingSecrets } from '../../modules/naming';
import {
  lakeTableName,
  resolveContracts,
  withDatabases,
  type ResolvedDatabaseContract,
  type SourceContract,
} from '../../sources/contract';
import { connect, databaseEndpoint, readLogin, readParameter, readSecret } from '../aws/readers';
import { connectToSource } from '../aws/source';
import { pepperBlocks, quote, type Column, type Pepper } from './canonical';
import { lakeCopy, postgresCopy } from './copies';
import { compare, type Difference } from './reconcile';
import { followedTables, type SourceTable } from './source-tables';

export interface VerifiedTable {
  readonly name: string;
  /** Rows in each store. */
  readonly source: number;
  readonly lake: number;
  readonly serving: number;
  readonly differences: readonly Difference[];
}

type Report = (line: string) => void;

/** What text rendering depends on, the same in both databases. */
const SESSION =
  "set datestyle = 'ISO'; set timezone = 'UTC'; set intervalstyle = 'postgres'; set extra_float_digits = 3; set bytea_output = 'hex'";

/**
 * Nothing may be written to the source meanwhile, and the pipeline must have run since the last write.
 * @param sources contracts with the sources. @default those of sources/
 */
export async function verify(
  environment: Environment,
  report: Report,
  sources?: readonly SourceContract[],
): Promise<VerifiedTable[]> {
  const serving = await connectToServing(environment);
  try {
    const verified: VerifiedTable[] = [];
    for (const contract of withDatabases(resolveContracts(environment, sources))) {
      const source = await withSession(await connectToSource(environment.region, contract));
      try {
        verified.push(...(await verifySource(environment, contract, { source, serving }, report)));
      } finally {
        await source.end();
      }
    }
    return verified;
  } finally {
    await serving.end();
  }
}

interface Stores {
  readonly source: Client;
  readonly serving: Client;
}

async function verifySource(
  environment: Environment,
  contract: ResolvedDatabaseContract,
  stores: Stores,
  report: Report,
): Promise<VerifiedTable[]> {
  const pepper = pepperBlocks(Buffer.from(await readSecret(environment.region, contract.pepperSecret), 'hex'));
  const verified: VerifiedTable[] = [];
  for (const table of await followedTables(stores.source, contract)) {
    const name = lakeTableName(contract, table.schema, table.name);
    report(name);
    const columns = keptColumns(contract, table);
    const where = livingRows(contract, table);
    verified.push({ name, ...(await verifyTable(environment, table, where, name, columns, stores, pepper)) });
  }
  return verified;
}

async function verifyTable(
  { region }: Environment,
  table: SourceTable,
  where: string,
  name: string,
  columns: readonly Column[],
  { source, serving }: Stores,
  pepper: Pepper,
): Promise<Omit<VerifiedTable, 'name'>> {
  const inKey = new Set(table.columns.filter((column) => column.inKey).map((column) => column.name));
  const key = columns.filter((column) => inKey.has(column.name));
  const athena = { region, workgroup: names.workgroups.pipeline, database: names.databases.lake };
  const { counts, differences } = await compare([
    postgresCopy('source', source, table, columns, key, { where, pepper }),
    lakeCopy(athena, name, columns, key),
    postgresCopy('serving', serving, { schema: names.serving.schema, name }, columns, key),
  ]);
  return { ...counts, differences };
}

/** SQL: the rows that do not say of themselves that they are deleted. */
function livingRows(contract: ResolvedDatabaseContract, table: SourceTable): string {
  if (contract.mode === 'log') return 'true';
  const softDelete = contract.tables[`${table.schema}.${table.name}`]?.softDelete;
  if (softDelete === undefined) return 'true';
  const isFlag = table.columns.some(({ name, type }) => name === softDelete && type === 'bool');
  return `${quote(softDelete)} ${isFlag ? 'is not true' : 'is null'}`;
}

/** The columns that the contract keeps, as the lake holds them. */
function keptColumns(contract: ResolvedDatabaseContract, table: SourceTable): Column[] {
  const options = contract.tables[`${table.schema}.${table.name}`];
  return table.columns.flatMap(({ name, type, elementType, numericScale }) => {
    const pii = options?.pii?.[name] ?? 'keep';
    if (pii === 'drop') return [];
    const scale = options?.decimals?.[name]?.[1] ?? numericScale;
    return [{ name, type, elementType, scale, pii }];
  });
}

async function connectToServing(environment: Environment): Promise<Client> {
  const { region } = environment;
  const [endpoint, ca, login] = await Promise.all([
    databaseEndpoint(region, names.serving.identifier),
    readParameter(region, servingCaParameter(environment)),
    readLogin(region, servingSecrets(environment).application),
  ]);
  return withSession(await connect({ ...endpoint, database: names.serving.database }, login, ca));
}

async function withSession(client: Client): Promise<Client> {
  await client.query(SESSION);
  return client;
}
