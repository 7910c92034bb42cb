/** The account's secrets are their own canaries: their values are looked for wherever something is written down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CloudWatchLogsClient,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs';
import { GlueClient, paginateGetJobRuns, paginateGetJobs } from '@aws-sdk/client-glue';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, paginateListSecrets, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { stateBucket } from '../../modules/naming';
import type { Environment } from '../../envs/environment';
import { root } from './trackman';

/** Secret's name → what must be written nowhere: all of its value, and the password in it. */
export async function secretValues(): Promise<Map<string, string[]>> {
  const secrets = new SecretsManagerClient({});
  const values = new Map<string, string[]>();
  for await (const { SecretList } of paginateListSecrets({ client: secrets }, {})) {
    for (const { Name } of SecretList!) {
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: Name }));
      values.set(Name!, [SecretString!, ...passwords(SecretString!)]);
    }
  }
  return values;
}

function passwords(value: string): string[] {
  if (!value.startsWith('{')) return [];
  return [(JSON.parse(value) as { password: string }).password];
}

/** Where something is written down → all that is written there. */
export async function writings(environment: Environment): Promise<Map<string, string>> {
  const local = ['terraform.log', 'emulator.log', 'emulator/requests.jsonl', 'summary.json'];
  return new Map([
    ...local.map((name) => [name, readFileSync(join(root, '.local', name), 'utf8')] as const),
    ...(await states(environment)),
    ...(await logs()),
    ['job arguments', await jobArguments()],
  ]);
}

/** The Terraform states of the platform and of its pipelines' roles. */
async function states(environment: Environment): Promise<[string, string][]> {
  const s3 = new S3Client({});
  const Bucket = stateBucket(environment);
  const found: [string, string][] = [];
  for await (const { Contents } of paginateListObjectsV2({ client: s3 }, { Bucket })) {
    for (const { Key } of Contents ?? []) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      found.push([`s3://${Bucket}/${Key}`, await Body!.transformToString()]);
    }
  }
  return found;
}

async function logs(): Promise<[string, string][]> {
  const client = new CloudWatchLogsClient({});
  const found: [string, string][] = [];
  for await (const { logGroups } of paginateDescribeLogGroups({ client }, {})) {
    for (const { logGroupName } of logGroups!) {
      const messages: string[] = [];
      for await (const { events } of paginateFilterLogEvents({ client }, { logGroupName })) {
        messages.push(...events!.map(({ message }) => message!));
      }
      found.push([`log group ${logGroupName}`, messages.join('\n')]);
    }
  }
  return found;
}

async function jobArguments(): Promise<string> {
  const client = new GlueClient({});
  const found: unknown[] = [];
  for await (const { Jobs } of paginateGetJobs({ client }, {})) {
    for (const job of Jobs!) {
      found.push(job);
      for await (const { JobRuns } of paginateGetJobRuns({ client }, { JobName: job.Name })) found.push(...JobRuns!);
    }
  }
  return JSON.stringify(found);
}

/** "secret in place" for each value that is written down somewhere, be it as it is or within JSON. */
export function leaks(values: ReadonlyMap<string, readonly string[]>, places: ReadonlyMap<string, string>): string[] {
  return [...places].flatMap(([place, text]) =>
    [...values]
      .filter(([, secret]) =>
        secret.some((value) => text.includes(value) || text.includes(JSON.stringify(value).slice(1, -1))),
      )
      .map(([name]) => `${name} in ${place}`),
  );
}
