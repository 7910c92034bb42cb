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
import { GetParameterCommand, ParameterNotFound, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { servingCaParameter, stateBucket } from '../../modules/naming';
import { environmentArgument } from '../environment-argument';
import { InputError } from '../errors';

const BEGIN = '-----BEGIN CERTIFICATE-----';

export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .description(
      'creates what must exist before the first apply: the state bucket and the authority of RDS certificates',
    )
    .addArgument(environmentArgument())
    .option(
      '--rds-ca <file>',
      "PEM bundle of the authorities that sign RDS certificates in the environment's region (AWS publishes it as <region>-bundle.pem); needed once",
    )
    .action(async (environment: Environment, options: { rdsCa?: string }) => {
      for (const done of await bootstrap(environment, options.rdsCa)) process.stderr.write(`  ${done}\n`);
    });
}

/** Idempotent; returns what was done, a line each. Without a file the certificates that are there are kept. */
export async function bootstrap(environment: Environment, rdsCaFile?: string): Promise<string[]> {
  const pem = rdsCaFile === undefined ? undefined : readCertificates(rdsCaFile);
  return [await ensureStateBucket(environment), await ensureServingCa(environment, pem)];
}

function readCertificates(file: string): string {
  const pem = readFileSync(file, 'utf8');
  if (!pem.includes(BEGIN)) throw new InputError(`--rds-ca ${file}: expected PEM certificates (${BEGIN})`);
  return pem;
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

async function ensureServingCa(environment: Environment, pem: string | undefined): Promise<string> {
  const Name = servingCaParameter(environment);
  const ssm = new SSMClient({ region: environment.region });
  if (pem === undefined) {
    try {
      await ssm.send(new GetParameterCommand({ Name }));
      return `parameter ${Name}: was there, kept`;
    } catch (error) {
      if (!(error instanceof ParameterNotFound)) throw error;
      return `parameter ${Name}: missing; give it before the first apply by --rds-ca FILE`;
    }
  }
  // The advanced tier holds up to 8 KiB: a region's bundle is larger than the standard tier's 4.
  await ssm.send(new PutParameterCommand({ Name, Value: pem, Type: 'String', Tier: 'Advanced', Overwrite: true }));
  return `parameter ${Name}: ${pem.split(BEGIN).length - 1} certificate(s)`;
}
