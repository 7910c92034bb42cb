/** What `trackman bootstrap` makes before the first apply: the state bucket and the authority of RDS certificates. */
import { GetBucketVersioningCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import type { Environment } from '../../envs/environment';
import { servingCaParameter, stateBucket } from '../../modules/naming';
import { findings, good, wrong, type Finding } from './finding';
import { certificates, checkParameter } from './parameters';

export async function checkState(environment: Environment): Promise<readonly Finding[]> {
  const found = await Promise.all([checkBucket(environment), checkServingCa(environment)]);
  return found.flat();
}

async function checkBucket(environment: Environment): Promise<readonly Finding[]> {
  const { name, account, region } = environment;
  const bucket = stateBucket(environment);
  const subject = `state bucket ${bucket}`;
  const expected = `a versioned bucket of account ${account}`;
  return findings(subject, async () => {
    try {
      const { Status } = await new S3Client({ region }).send(
        new GetBucketVersioningCommand({ Bucket: bucket, ExpectedBucketOwner: account }),
      );
      if (Status === 'Enabled') return good(subject, `versioned, of account ${account}`);
      const found = `versioning is ${Status?.toLowerCase() ?? 'off'}`;
      return wrong(subject, { found, expected, remedy: `you run: npx trackman bootstrap ${name}` });
    } catch (error) {
      if (!(error instanceof S3ServiceException)) throw error;
      if (error.name === 'NoSuchBucket') {
        return wrong(subject, { found: 'missing', expected, remedy: `you run: npx trackman bootstrap ${name}` });
      }
      if (error.$metadata.httpStatusCode !== 403) throw error;
      return wrong(subject, {
        found: `${error.message} (another account has the name, or s3:GetBucketVersioning is not allowed)`,
        expected,
        remedy: 'whoever administers the account allows it, or finds out whose the bucket is',
      });
    }
  });
}

async function checkServingCa(environment: Environment): Promise<readonly Finding[]> {
  const remedy = `you run: npx trackman bootstrap ${environment.name} --rds-ca FILE`;
  return checkParameter(environment.region, servingCaParameter(environment), certificates, remedy);
}
