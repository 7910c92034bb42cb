/**
 * Plays the owners of trackman-backend: an RDS Postgres with logical replication, its golf schema and history,
 * and what they hand to the platform (SSM parameters, a secret, a publication). Knows AWS only by its API.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
  ModifyDBParameterGroupCommand,
  RDSClient,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Client } from 'pg';
import { databaseEndpoint, type Login } from '../cli/aws/readers';
import type { Environment } from '../envs/environment';
import { ownerPaths } from '../modules/naming';
import { projectRoot } from '../modules/project';
import { trackmanBackend } from '../sources/trackman-backend';

const DATABASE = 'trackman';
const STORAGE_GIB = 200;
/** Log that is kept for a slot at most, in MB: less than half of the disk, more than what somebody is called at. */
const SLOT_LOG_MB = 80 * 1024;
const OWNER = 'backend_owner';
const PLATFORM_ROLE = 'trackman_platform';

/** Where the source's owner connects; the password lives in memory only. */
export interface SourceOwner {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly ca: string;
}

/** Creates the database server and hands the platform its address, authority and credentials. Takes a few seconds. */
export async function createSource(environment: Environment, ca: string): Promise<SourceOwner> {
  const region = environment.region;
  const rds = new RDSClient({ region });
  const password = randomBytes(24).toString('base64url');
  const identifier = 'trackman-backend';
  await rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: identifier,
      DBParameterGroupFamily: 'postgres16',
      Description: 'Logical decoding for trackman-backend',
    }),
  );
  await rds.send(
    new ModifyDBParameterGroupCommand({
      DBParameterGroupName: identifier,
      Parameters: [
        { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' },
        // A platform that stands still must not fill the disk.
        { ParameterName: 'max_slot_wal_keep_size', ParameterValue: String(SLOT_LOG_MB), ApplyMethod: 'immediate' },
      ],
    }),
  );
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: identifier,
      Engine: 'postgres',
      EngineVersion: '16',
      DBInstanceClass: 'db.t4g.medium',
      AllocatedStorage: STORAGE_GIB,
      DBName: DATABASE,
      MasterUsername: OWNER,
      MasterUserPassword: password,
      DBParameterGroupName: identifier,
      StorageEncrypted: true,
    }),
  );
  await waitUntilDBInstanceAvailable(
    { client: rds, maxWaitTime: 60, minDelay: 1, maxDelay: 1 },
    { DBInstanceIdentifier: identifier },
  );
  const { host, port } = await databaseEndpoint(region, identifier);
  const owner = { host, port, database: DATABASE, user: OWNER, password, ca };
  await createSchema(owner, environment);
  return owner;
}

/** Connects as the owner; the caller ends the connection. */
export async function connectAsOwner(owner: SourceOwner): Promise<Client> {
  const { ca, ...where } = owner;
  const client = new Client({ ...where, ssl: { ca } });
  await client.connect();
  return client;
}

/** Fills the tables with a deterministic history of `shots` shots and what belongs to them. */
export async function loadHistory(owner: SourceOwner, shots: number): Promise<void> {
  const client = await connectAsOwner(owner);
  try {
    await client.query("select set_config('demo.shots', $1, false)", [String(shots)]);
    await client.query(sqlFile('history.sql'));
  } finally {
    await client.end();
  }
}

async function createSchema(owner: SourceOwner, environment: Environment): Promise<void> {
  const platformPassword = randomBytes(24).toString('base64url');
  const client = await connectAsOwner(owner);
  try {
    await client.query(sqlFile('schema.sql'));
    await client.query(`alter role ${PLATFORM_ROLE} password ${client.escapeLiteral(platformPassword)}`);
  } finally {
    await client.end();
  }
  await handOver(environment, trackmanBackend.ownerFolder, owner, {
    username: PLATFORM_ROLE,
    password: platformPassword,
  });
}

/**
 * What owners keep for the platform in a folder: where their database is, who signed its certificate, its VPC, and a
 * login.
 */
export async function handOver(
  environment: Environment,
  folder: string,
  { host, port, database, ca }: Pick<SourceOwner, 'host' | 'port' | 'database' | 'ca'>,
  login: Login,
): Promise<void> {
  const { secret, ...parameters } = ownerPaths(environment, folder);
  const network = await ownVpc(environment.region);
  const values = { url: `postgresql://${host}:${port}/${database}`, ca, ...network };
  const ssm = new SSMClient({ region: environment.region });
  for (const purpose of ['url', 'ca', 'vpc', 'cidr'] as const) {
    const [Name, Value] = [parameters[purpose], values[purpose]];
    // A bundle of authorities is larger than the standard tier's 4 KiB.
    await ssm.send(new PutParameterCommand({ Name, Value, Type: 'String', Tier: 'Intelligent-Tiering' }));
  }
  await new SecretsManagerClient({ region: environment.region }).send(
    new CreateSecretCommand({ Name: secret, SecretString: JSON.stringify(login) }),
  );
}

/** The VPC in which RDS puts a database that names none: the account's default one. */
async function ownVpc(region: string): Promise<{ vpc: string; cidr: string }> {
  const { Vpcs } = await new EC2Client({ region }).send(
    new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }),
  );
  return { vpc: Vpcs![0]!.VpcId!, cidr: Vpcs![0]!.CidrBlock! };
}

export function sqlFile(name: string): string {
  return readFileSync(join(projectRoot, 'demo', name), 'utf8');
}
