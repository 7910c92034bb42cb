import { readFileSync } from 'node:fs';
import {
  CreateBucketCommand,
  HeadBucketCommand,
  NotFound,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  S3Client,
  type BucketLocationConstraint,
} from '@aws-sdk/client-s3';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { servingCaParameter, stateBucket } from '../../modules/naming';
import { environmentArgument } from '../environment-argument';
import { InputError } from '../errors';

export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .description(
      'creates what must exist before the first apply: the state bucket and the authority of RDS certificates',
    )
    .addArgument(environmentArgument())
    .requiredOption(
      '--rds-ca <file>',
      "PEM bundle of the authorities that sign RDS certificates in the environment's region (AWS publishes it as <region>-bundle.pem)",
    )
    .action(async (environment: Environment, options: { rdsCa: string }) => {
      for (const done of await bootstrap(environment, options.rdsCa)) process.stderr.write(`  ${done}\n`);
    });
}

/** Idempotent; returns what was done, a line each. */
export async function bootstrap(environment: Environment, rdsCaFile: string): Promise<string[]> {
  const pem = readFileSync(rdsCaFile, 'utf8');
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new InputError(`--rds-ca ${rdsCaFile}: expected PEM certificates (-----BEGIN CERTIFICATE-----)`);
  }
  return [await ensureStateBucket(environment), await putServingCa(environment, pem)];
}

async function ensureStateBucket(environment: Environment): Promise<string> {
  const s3 = new S3Client({ region: environment.region });
  const Bucket = stateBucket(environment);
  const ExpectedBucketOwner = environment.account;
  const existed = await bucketExists(s3, Bucket, ExpectedBucketOwner);
  if (!existed) {
    const LocationConstraint = environment.region as BucketLocationConstraint;
    await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint } }));
  }
  const own = { Bucket, ExpectedBucketOwner };
  await s3.send(new PutBucketVersioningCommand({ ...own, VersioningConfiguration: { Status: 'Enabled' } }));
  await s3.send(
    new PutBucketEncryptionCommand({
      ...own,
      ServerSideEncryptionConfiguration: {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' }, BucketKeyEnabled: true }],
      },
    }),
  );
  await s3.send(
    new PutPublicAccessBlockCommand({
      ...own,
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    }),
  );
  await s3.send(new PutBucketPolicyCommand({ ...own, Policy: JSON.stringify(tlsOnly(Bucket)) }));
  return `state bucket ${Bucket}: ${existed ? 'was there, settings confirmed' : 'created'}`;
}

async function bucketExists(s3: S3Client, Bucket: string, ExpectedBucketOwner: string): Promise<boolean> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket, ExpectedBucketOwner }));
    return true;
  } catch (error) {
    if (error instanceof NotFound) return false;
    throw error;
  }
}

function tlsOnly(bucket: string): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'DenyInsecureTransport',
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:*',
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ],
  };
}

async function putServingCa(environment: Environment, pem: string): Promise<string> {
  const Name = servingCaParameter(environment);
  // The advanced tier holds up to 8 KiB: a region's bundle is larger than the standard tier's 4.
  await new SSMClient({ region: environment.region }).send(
    new PutParameterCommand({ Name, Value: pem, Type: 'String', Tier: 'Advanced', Overwrite: true }),
  );
  return `parameter ${Name}: ${pem.split('-----BEGIN CERTIFICATE-----').length - 1} certificate(s)`;
}
