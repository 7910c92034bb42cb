/** Where data rests: buckets, databases of the catalog, dataengineering-db. */
import { dev } from '../../envs/dev';
import { Bucket } from '../../modules/bucket';
import { Database } from '../../modules/catalog';
import { ServingDb } from '../../modules/serving-db';
import { emptyStack } from './stack';
import { Synthesized, synthesize, type Configuration } from './synthesized';

const platform = synthesize(dev);
const of = (type: string, bucket: string): Configuration => platform.one(type, bucket);

describe.each([
  'trackman-lake-dev-111111111111',
  'trackman-artifacts-dev-111111111111',
  'trackman-results-dev-111111111111',
])('bucket %s', (bucket) => {
  test('is encrypted', () => {
    expect(of('aws_s3_bucket_server_side_encryption_configuration', bucket)['rule']).toEqual([
      { apply_server_side_encryption_by_default: { sse_algorithm: 'AES256' } },
    ]);
  });

  test('has no way to be public', () => {
    expect(of('aws_s3_bucket_public_access_block', bucket)).toMatchObject({
      block_public_acls: true,
      block_public_policy: true,
      ignore_public_acls: true,
      restrict_public_buckets: true,
    });
    expect(of('aws_s3_bucket_ownership_controls', bucket)['rule']).toEqual({ object_ownership: 'BucketOwnerEnforced' });
  });

  test('refuses what does not come by TLS', () => {
    expect(JSON.parse(of('aws_s3_bucket_policy', bucket)['policy'] as string)).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:*',
          Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ],
    });
  });
});

test('lake and artifacts keep versions for the environment’s days, results expire', () => {
  expect(platform.names('aws_s3_bucket_versioning')).toEqual([
    'trackman-artifacts-dev-111111111111',
    'trackman-lake-dev-111111111111',
  ]);
  const lake = of('aws_s3_bucket_lifecycle_configuration', 'trackman-lake-dev-111111111111');
  expect(lake['rule']).toContainEqual({
    id: 'old-versions',
    status: 'Enabled',
    filter: [{}],
    noncurrent_version_expiration: [{ noncurrent_days: 7 }],
  });
  const results = of('aws_s3_bucket_lifecycle_configuration', 'trackman-results-dev-111111111111');
  expect(results['rule']).toContainEqual({ id: 'expiry', status: 'Enabled', filter: [{}], expiration: [{ days: 30 }] });
});

test('a bucket name that S3 does not take is refused', () => {
  const props = { name: 'trackman_lake', deletionProtection: true };
  expect(() => new Bucket(emptyStack(), 'bucket', props)).toThrow(
    'bucket name is "trackman_lake": expected 3 to 63 lower-case letters, digits and hyphens',
  );
});

test.each([
  ['trackman_raw', 's3://trackman-lake-dev-111111111111/raw/'],
  ['trackman_lake', 's3://trackman-lake-dev-111111111111/lake/'],
  ['trackman_marts', 's3://trackman-lake-dev-111111111111/marts/'],
  ['trackman_backend', undefined],
])('tables of %s are at %s', (name, location) => {
  expect(platform.one('aws_glue_catalog_database', name)['location_uri']).toBe(location);
});

test('a database name that engines would have to quote is refused', () => {
  const props = { name: 'trackman-raw', description: '', location: dev };
  expect(() => new Database(emptyStack(), 'database', props)).toThrow('database name is "trackman-raw"');
});

describe('dataengineering-db', () => {
  test('is an encrypted, private Postgres 16 that takes TLS only', () => {
    expect(platform.one('aws_db_instance')).toMatchObject({
      engine: 'postgres',
      engine_version: '16',
      engine_lifecycle_support: 'open-source-rds-extended-support-disabled',
      storage_encrypted: true,
      publicly_accessible: false,
      db_name: 'dataengineering',
      username: 'dataengineering_admin',
      parameter_group_name: 'dataengineering-db',
    });
    expect(platform.one('aws_db_parameter_group')).toMatchObject({
      family: 'postgres16',
      parameter: [{ name: 'rds.force_ssl', value: '1' }],
    });
  });

  test('has the sizes of its environment', () => {
    expect(platform.one('aws_db_instance')).toMatchObject({
      instance_class: 'db.t4g.micro',
      allocated_storage: 20,
      max_allocated_storage: 100,
      backup_retention_period: 1,
    });
  });

  test('is not without backups', () => {
    const props = {
      ...dev.servingDb,
      identifier: 'db',
      database: 'd',
      masterUser: 'm',
      location: dev,
      backupDays: 0,
      deletionProtection: true,
      secrets: { loader: 'l', application: 'a' },
      caParameter: '/ca',
    };
    expect(() => new ServingDb(emptyStack(), 'db', props)).toThrow('backupDays of db is 0: expected at least 1 day');
  });
});

test('what is not said is not made: a bucket without versions or expiry', () => {
  const stack = emptyStack();
  new Bucket(stack, 'bucket', { name: 'plain', deletionProtection: true });
  const plain = new Synthesized(stack);
  expect(plain.types()).not.toContain('aws_s3_bucket_versioning');
  expect(plain.one('aws_s3_bucket_lifecycle_configuration')['rule']).toHaveLength(1);
});
