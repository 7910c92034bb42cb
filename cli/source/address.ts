/** Where a Postgres is and who connects to it, as a URL says. The password goes nowhere but into the connection. */
import { readFileSync } from 'node:fs';
import type { Client } from 'pg';
import { connect } from '../aws/readers';
import { InputError } from '../errors';

/** Without a password: what may be shown and written down. */
export interface SourceAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** PEM of the authority that signs the server's certificate; null where nothing is encrypted. */
  readonly ca: string | null;
}

export interface SourceUrl extends SourceAddress {
  readonly password: string;
}

const DEFAULT_PORT = 5432;
const FORM =
  'postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE, or sslmode=disable, which is ' +
  "what a server on this machine's own address gets by itself; PGPASSWORD stands for a password that is left out";

/** @throws InputError naming what is wrong, and never the URL itself */
export function parseSourceUrl(text: string): SourceUrl {
  const url = URL.canParse(text) ? new URL(text) : refuse('it is no URL');
  if (!['postgresql:', 'postgres:'].includes(url.protocol)) refuse(`it begins with ${url.protocol}//`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const database = decodeURIComponent(url.pathname.slice(1));
  if (host === '' || database === '' || url.username === '') refuse('host, database or user is missing');
  const {
    sslmode = isOwnMachine(host) ? 'disable' : 'verify-full',
    sslrootcert,
    ...others
  } = Object.fromEntries(url.searchParams);
  for (const name of Object.keys(others)) refuse(`it has the option ${name}`);
  if (sslmode !== 'verify-full' && sslmode !== 'disable') refuse(`sslmode is ${sslmode}`);
  if (sslmode === 'verify-full' && sslrootcert === undefined) {
    refuse('sslrootcert is missing: without it nobody knows which server it is');
  }
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    database,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password) || process.env['PGPASSWORD'] || '',
    ca: sslmode === 'disable' ? null : readAuthority(sslrootcert!),
  };
}

/** host:port/database */
export function place({ host, port, database }: SourceAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}

/** The caller ends the connection. @throws FailedError saying why it cannot */
export function connectTo({ user: username, password, ca, ...where }: SourceUrl): Promise<Client> {
  return connect(where, { username, password }, ca);
}

function isOwnMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function readAuthority(file: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(`sslrootcert of the source's URL: ${(error as Error).message}`);
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new InputError(`sslrootcert of the source's URL, ${file}: expected certificates in PEM`);
  }
  return pem;
}

function refuse(why: string): never {
  throw new InputError(`the source's URL cannot be used: ${why}; expected ${FORM}`);
}
