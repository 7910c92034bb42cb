/** A connection to a source, by what its owners keep for the platform. */
import type { Client } from 'pg';
import { SOURCE_ADDRESS } from '../../sources/address';
import type { ResolvedDatabaseContract } from '../../sources/contract';
import { FailedError } from '../errors';
import { connect, readLogin, readParameter } from './readers';

/**
 * Connects by verified TLS; the caller ends the connection.
 * @throws FailedError naming what is missing or malformed, without its value
 */
export async function connectToSource(region: string, { connection }: ResolvedDatabaseContract): Promise<Client> {
  const [url, ca, login] = await Promise.all([
    readParameter(region, connection.urlParameter),
    readParameter(region, connection.caParameter),
    readLogin(region, connection.secret),
  ]);
  if (!new RegExp(SOURCE_ADDRESS).test(url)) {
    throw new FailedError(`parameter ${connection.urlParameter} is not of the form postgresql://host:port/database`);
  }
  const { hostname, port, pathname } = new URL(url);
  return connect({ host: hostname, port: Number(port), database: decodeURIComponent(pathname.slice(1)) }, login, ca);
}
