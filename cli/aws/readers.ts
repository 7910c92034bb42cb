/** Reads what the platform and its sources' owners keep in SSM and Secrets Manager, and connects by it. */
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Client } from 'pg';
import { FailedError } from '../errors';

export interface Login {
  readonly username: string;
  readonly password: string;
}

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

/** Connects with the certificate and the host's name verified; the caller ends the connection. */
export async function connect(
  where: { host: string; port: number; database: string },
  login: Login,
  ca: string,
): Promise<Client> {
  const client = new Client({ ...where, user: login.username, password: login.password, ssl: { ca } });
  await client.connect();
  return client;
}
