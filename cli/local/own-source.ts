/**
 * Somebody's own Postgres in the place of trackman-backend. Nothing is written there but barriers into its log, and the
 * slot that `ingest` makes under a name of this session's own, which is dropped when the session ends.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import type { Environment } from '../../envs/environment';
import { handOver } from '../../demo/source';
import { inMode, resolveContracts, type LogContract } from '../../sources/contract';
import { nameOf, tellLeftOut } from '../commands/source-init';
import { poll } from '../aws/poll';
import { FailedError } from '../errors';
import { renderFinding } from '../preflight/finding';
import { checkDatabase } from '../preflight/sources';
import { connectTo, parseSourceUrl, place, type SourceAddress, type SourceUrl } from '../source/address';
import { readCatalog } from '../source/catalog';
import { draftContract, PUBLICATION } from '../source/draft';
import { ownerSql } from '../source/owner-sql';
import { localDirectory } from '../toolchain';
import type { Emulator } from './emulator';
import type { LocalSource } from './local-source';
import { contractsWith } from './own-contracts';

/** What a session remembers of it: no password. */
export interface OwnSource {
  readonly address: SourceAddress;
  readonly contract: LogContract;
}

const directory = join(localDirectory, 'own-source');
const contractFile = join(directory, 'contract.json');
const authorityFile = join(directory, 'authority.pem');
const DEMO_FOLDER = 'backend';
const DROP_MS = 30_000;

/** A source of one's own that was examined, and can be followed. */
export interface OpenedSource extends LocalSource {
  readonly own: NonNullable<LocalSource['own']>;
  readonly password: string;
}

/** @throws FailedError when it cannot be followed as it is; the SQL that its owners run is then on stdout */
export async function openOwnSource(environment: Environment, urlText: string): Promise<OpenedSource> {
  const url = parseSourceUrl(urlText);
  const { password, ...address } = url;
  const contract = await examine(environment, url);
  const contracts = contractsWith(contract);
  resolveContracts(environment, contracts);
  mkdirSync(directory, { recursive: true });
  writeFileSync(contractFile, `${JSON.stringify(contract, null, 2)}\n`);
  if (address.ca !== null) writeFileSync(authorityFile, address.ca);
  return {
    title: contract.name,
    password,
    emulatorOptions:
      address.ca === null ? ['--postgres', `${address.host}:${address.port}`] : ['--trust', authorityFile],
    own: {
      contracts,
      app: `"${process.execPath}" "${join('dist', 'cli', 'local', 'own-source-app.js')}" "${contractFile}"`,
      source: { address, contract },
    },
    create: (environment: Environment, emulator: Emulator) => give(environment, emulator, url),
  };

  /** The platform has verified TLS to its sources and nothing else, so one without gets it from the emulator. */
  async function give(environment: Environment, emulator: Emulator, { ca, ...where }: SourceUrl): Promise<string> {
    const reached =
      ca === null
        ? { host: '127.0.0.1', port: emulator.postgresPort!, ca: readFileSync(emulator.caFile, 'utf8') }
        : { host: where.host, port: where.port, ca };
    const login = { username: where.user, password };
    await handOver(environment, DEMO_FOLDER, { ...reached, database: where.database }, login);
    return place(url);
  }
}

/** The contract of all its tables that can be followed. */
async function examine(environment: Environment, url: SourceUrl): Promise<LogContract> {
  const client = await connectTo(url);
  try {
    const catalog = await readCatalog(client, url.user, PUBLICATION);
    const slot = `trackman_local_${randomBytes(4).toString('hex')}`;
    const draft = draftContract(nameOf(url.database), catalog, slot);
    // The network of the environment leads there.
    const contract = { ...draft.contract, ownerFolder: DEMO_FOLDER };
    tellLeftOut(draft);
    if (draft.followed.length === 0) throw new FailedError(`${place(url)} has no table that can be followed`);
    const [resolved] = inMode('log', resolveContracts(environment, [contract]));
    const findings = await checkDatabase(client, environment, resolved!);
    const broken = findings.filter(({ state }) => state === 'wrong');
    for (const finding of findings) {
      if (finding.state !== 'good') process.stderr.write(`  ${renderFinding(finding)}\n`);
    }
    if (broken.length > 0) {
      process.stdout.write(ownerSql(draft, catalog, place(url)));
      throw new FailedError(
        `${place(url)} cannot be followed yet: its owners run the SQL above; nothing was started or changed`,
      );
    }
    return contract;
  } finally {
    await client.end();
  }
}

/**
 * Drops the session's slot, if it was made. Its jobs have ended, or are about to.
 * @throws FailedError saying how to drop it by hand
 */
export async function dropSlot({ address, contract }: OwnSource, password: string): Promise<void> {
  try {
    const client = await connectTo({ ...address, password });
    try {
      await poll(`dropping slot ${contract.slot}`, () => dropInactive(client, contract.slot), {
        everyMs: 500,
        withinMs: DROP_MS,
      });
    } finally {
      await client.end();
    }
  } catch (error) {
    throw new FailedError(`${slotLeft({ address, contract })}: ${(error as Error).message}`, { cause: error });
  }
}

/** What is said of a slot that may be there still. */
export function slotLeft({ address, contract }: OwnSource): string {
  return (
    `the slot ${contract.slot} may still be in ${place(address)}, which keeps its log for it; ` +
    `drop it there: SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${contract.slot}'`
  );
}

/** True once there is none; undefined while a job's session still reads it. */
async function dropInactive(client: Client, slot: string): Promise<true | undefined> {
  const { rows } = await client.query<{ active: boolean }>(
    'select active from pg_replication_slots where slot_name = $1',
    [slot],
  );
  if (!rows[0]) return true;
  if (rows[0].active) return undefined;
  await client.query('select pg_drop_replication_slot($1)', [slot]);
  return true;
}
