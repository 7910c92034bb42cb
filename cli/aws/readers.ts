/** Reads what the platform and its sources' owners keep in SSM and Secrets Manager, and connects by it. */
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Client } from 'pg';
import { z } from 'zod';
import { FailedError } from '../errors';

const loginSchema = z.object({ username: z.string(), password: z.string() });

/** Who connects to a database. */
export type Login = Readonly<z.output<typeof loginSchema>>;

const CONNECT_MS = 15_000;

/** @throws FailedError naming the parameter when it has no value. */
export async function readParameter(region: string, name: string): Promise<string> {
  const { Parameter } = await new SSMClient({ region }).send(new GetParameterCommand({ Name: name }));
  if (!Parameter?.Value) throw new FailedError(`parameter ${name} has no value`);
  return Parameter.Value;
}

/** @throws FailedError naming the secret when it has no text. */
export async function readSecret(region: string, id: string): Promise<string> {
  const { SecretString } = await new SecretsManagerClient({ region }).send(new GetSecretValueCommand({ SecretId: id }));
  if (!SecretString) throw new FailedError(`secret ${id} has no text`);
  return SecretString;
}

/** @throws FailedError naming the secret, and nothing of its text, when that is no login. */
export async function readLogin(region: string, id: string): Promise<Login> {
  const login = loginSchema.safeParse(parseJson(await readSecret(region, id)));
  if (!login.success) throw new FailedError(`secret ${id} is not of the form {"username": "…", "password": "…"}`);
  return login.data;
}

/** Host and port of a database instance. */
export async function databaseEndpoint(region: string, identifier: string): Promise<{ host: string; port: number }> {
  const { DBInstances } = await new RDSClient({ region }).send(
    new DescribeDBInstancesCommand({ DBInstanceIdentifier: identifier }),
  );
  const endpoint = DBInstances?.[0]?.Endpoint;
  if (!endpoint?.Address || !endpoint.Port)
    throw new FailedError(`database instance ${identifier} has no endpoint yet`);
  return { host: endpoint.Address, port: endpoint.Port };
}

/**
 * Connects with the certificate and the host's name verified; the caller ends the connection.
 * @param ca PEM of the authorities; null for a connection that is not encrypted, where somebody asked for that
 * @throws FailedError saying why it cannot
 */
export async function connect(
  where: { host: string; port: number; database: string },
  login: Login,
  ca: string | null,
): Promise<Client> {
  const { username: user, password } = login;
  const client = new Client({
    ...where,
    user,
    password,
    ssl: ca !== null && { ca },
    connectionTimeoutMillis: CONNECT_MS,
  });
  try {
    await client.connect();
  } catch (cause) {
    const { host, port, database } = where;
    const why = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new FailedError(`${user} cannot connect to ${host}:${port}/${database}: ${why}`, { cause });
  }
  return client;
}

/** Undefined when the text is no JSON: the parser's own error would show some of it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
