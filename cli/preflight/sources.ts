/** The sources themselves, as `ingest` finds them: only where they can be reached from. */
import type { Client } from 'pg';
import type { Environment } from '../../envs/environment';
import {
  resolveContracts,
  withDatabases,
  type ResolvedDatabaseContract,
  type ResolvedLogContract,
} from '../../sources/contract';
import { connectToSource } from '../aws/source';
import { findings, good, type Finding } from './finding';
import { checkPublication, checkTables } from './source-publication';
import { checkWatermarks } from './source-watermarks';
import { checkRole, checkServer, checkSlot, checkSlotLimit } from './source-server';

export async function checkSources(environment: Environment): Promise<readonly Finding[]> {
  const contracts = withDatabases(resolveContracts(environment));
  return (await Promise.all(contracts.map((contract) => checkSource(environment, contract)))).flat();
}

async function checkSource(environment: Environment, contract: ResolvedDatabaseContract): Promise<readonly Finding[]> {
  return findings(`source ${contract.source}`, async () => {
    const client = await connectToSource(environment.region, contract);
    try {
      return [
        good(`source ${contract.source}`, 'answers, its certificate and host name verified'),
        ...(await checkDatabase(client, environment, contract)),
      ];
    } finally {
      await client.end();
    }
  });
}

/** What `ingest` would find there, as whoever the client connected as. */
export async function checkDatabase(
  client: Client,
  environment: Environment,
  contract: ResolvedDatabaseContract,
): Promise<readonly Finding[]> {
  return [
    ...(await checkServer(client, contract)),
    ...(await (contract.mode === 'log' ? checkLog(client, environment, contract) : checkWatermarks(client, contract))),
  ];
}

async function checkLog(
  client: Client,
  environment: Environment,
  contract: ResolvedLogContract,
): Promise<readonly Finding[]> {
  return [
    ...(await checkRole(client, contract)),
    ...(await checkSlot(client, contract)),
    ...(await checkSlotLimit(client, contract, environment.alarms.slotLagGiB.page)),
    ...(await checkPublication(client, contract)),
    ...(await checkTables(client, contract)),
  ];
}
