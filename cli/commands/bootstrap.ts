import { readFileSync } from 'node:fs';
import {
  CreateBucketCommand,
  HeadBucketCommand,
  NotFound,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  S3Client,
  type BucketLocationConstraint,
  type CreateBucketCommandInput,
} from '@aws-sdk/client-s3';
import { GetParameterCommand, ParameterNotFound, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { accessStackName, servingCaParameter, stateBucket } from '../../modules/naming';
import { policyDocument, tlsOnly } from '../../modules/policy';
import { requireAccount } from '../aws/account';
import { environmentArgument } from '../environment-argument';
import { InputError } from '../errors';
import { step } from '../progress';
import { synth } from '../terraform/cdktf';
import { inTemporaryDirectory, planFile } from '../terraform/plan-files';
import { headline, isEmpty } from '../terraform/plan-summary';
import type { Report } from '../terraform/process';
import { SynthesizedStack } from '../terraform/stack';

const BEGIN = '-----BEGIN CERTIFICATE-----';

/** For how long a state that was replaced can be restored, in days. */
const STATE_VERSION_DAYS = 90;

export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .description(
      "creates, as an administrator, what must exist before a pipeline's first apply: the state's bucket, the authority of RDS certificates, and the stack of the pipelines' roles",
    )
    .addArgument(environmentArgument())
    .option(
      '--rds-ca <file>',
      "PEM bundle of the authorities that sign RDS certificates in the environment's region (AWS publishes it as <region>-bundle.pem); needed once",
    )
    .action(async (environment: Environment, options: { rdsCa?: string }) => {
      const { result } = await step(`bootstrap ${environment.name}`, (report) =>
        bootstrap(environment, report, options.rdsCa),
      );
      for (const done of result) process.stderr.write(`  ${done}\n`);
    });
}

/**
 * Idempotent; returns what was done, a line each. Without a file the certificates that are there are kept.
 * @param app that declares the roles' stack. @default cdktf.json's
 */
export async function bootstrap(
  environment: Environment,
  report: Report,
  rdsCaFile?: string,
  app?: string,
): Promise<string[]> {
  const pem = rdsCaFile === undefined ? undefined : readCertificates(rdsCaFile);
  await requireAccount(environment);
  return [
    await ensureStateBucket(environment),
    await ensureServingCa(environment, pem),
    await ensureAccess(environment, report, app),
  ];
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
    await s3.send(new CreateBucketCommand({ Bucket, ...location(environment.region) }));
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
  await s3.send(
    new PutBucketLifecycleConfigurationCommand({
      ...own,
      LifecycleConfiguration: {
        Rules: [
          {
            ID: 'old-versions',
            Status: 'Enabled',
            Filter: { Prefix: '' },
            NoncurrentVersionExpiration: { NoncurrentDays: STATE_VERSION_DAYS },
            Expiration: { ExpiredObjectDeleteMarker: true }, // each lock that was released leaves one
            AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
          },
        ],
      },
    }),
  );
  await s3.send(new PutBucketPolicyCommand({ ...own, Policy: policy(Bucket) }));
  return `state bucket ${Bucket}: ${existed ? 'was there, settings confirmed' : 'created'}`;
}

/** S3's first region is named by leaving it out. */
function location(region: string): Partial<CreateBucketCommandInput> {
  if (region === 'us-east-1') return {};
  return { CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint } };
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

function policy(bucket: string): string {
  const arn = `arn:aws:s3:::${bucket}`;
  return policyDocument([tlsOnly('s3:*', [arn, `${arn}/*`])]);
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

/** The stack of the pipelines' roles, which no pipeline may change. */
async function ensureAccess(environment: Environment, report: Report, app?: string): Promise<string> {
  await synth(report, app);
  const stack = new SynthesizedStack(accessStackName(environment));
  await stack.init(report);
  return inTemporaryDirectory(async (directory) => {
    const file = planFile(directory, stack.name);
    const summary = await stack.plan(file, report);
    if (isEmpty(summary)) return `stack ${stack.name}: was there, as declared`;
    await stack.apply(file, report);
    return `stack ${headline(summary)}: applied`;
  });
}
