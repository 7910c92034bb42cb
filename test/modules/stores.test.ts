/** Where data rests: buckets, databases of the catalog, dataengineering-db. */
import { dev } from '../../envs/dev';
import { prod } from '../../envs/prod';
import { Bucket } from '../../modules/bucket';
import { emptyStack } from './stack';
import { Synthesized, synthesize, type Configuration } from './synthesized';

const platform = synthesize(dev);
const of = (type: string, bucket: string): Configuration => platform.one(type, bucket);
const policyOf = (bucket: string): unknown[] =>
  (JSON.parse(of('aws_s3_bucket_policy', bucket)['policy'] as string) as { Statement: unknown[] }).Statement;
const KEY = `<aws_kms_key Encrypts what trackman stores arn>`;
const LOGS = 'trackman-logs-dev-111111111111';

describe.each([
  'trackman-lake-dev-111111111111',
  'trackman-landing-dev-111111111111',
  'trackman-artifacts-dev-111111111111',
  'trackman-results-dev-111111111111',
])('bucket %s', (bucket) => {
  test('is encrypted with the key', () => {
    expect(of('aws_s3_bucket_server_side_encryption_configuration', bucket)['rule']).toEqual([
      {
        apply_server_side_encryption_by_default: { sse_algorithm: 'aws:kms', kms_master_key_id: KEY },
        bucket_key_enabled: true,
      },
    ]);
  });

  test('logs who reads and writes it', () => {
    expect(of('aws_s3_bucket_logging', bucket)).toMatchObject({ target_bucket: LOGS });
    const prefix = of('aws_s3_bucket_logging', bucket)['target_prefix'] as string;
    expect(policyOf(LOGS)).toContainEqual({
      Effect: 'Allow',
      Principal: { Service: 'logging.s3.amazonaws.com' },
      Action: 's3:PutObject',
      Resource: `arn:aws:s3:::${LOGS}/${prefix}*`,
      Condition: { ArnEquals: { 'aws:SourceArn': `arn:aws:s3:::${bucket}` } },
    });
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
    expect(policyOf(bucket)).toEqual([
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:*',
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ]);
  });
});

test('logs are encrypted with S3’s own key, which log delivery can use, and expire', () => {
  expect(of('aws_s3_bucket_server_side_encryption_configuration', LOGS)['rule']).toEqual([
    { apply_server_side_encryption_by_default: { sse_algorithm: 'AES256' } },
  ]);
  expect(of('aws_s3_bucket_lifecycle_configuration', LOGS)['rule']).toContainEqual(
    expect.objectContaining({ id: 'expiry', expiration: [{ days: 30 }] }),
  );
  expect(platform.names('aws_s3_bucket_logging')).not.toContain(LOGS);
});

test('EventBridge hears of what lands, and of nothing else', () => {
  expect(platform.all('aws_s3_bucket_notification')).toEqual([
    { bucket: 'trackman-landing-dev-111111111111', eventbridge: true },
  ]);
});

test('the change log moves to cheaper storage, below its own prefix', () => {
  expect(of('aws_s3_bucket_lifecycle_configuration', 'trackman-lake-dev-111111111111')['rule']).toContainEqual({
    id: 'infrequent-access',
    status: 'Enabled',
    filter: [{ prefix: 'raw/' }],
    transition: [{ days: 30, storage_class: 'STANDARD_IA' }],
  });
});

test('lake, landing zone, artifacts and logs keep versions for the environment’s days, results expire', () => {
  expect(platform.names('aws_s3_bucket_versioning')).toEqual([
    'trackman-artifacts-dev-111111111111',
    'trackman-lake-dev-111111111111',
    'trackman-landing-dev-111111111111',
    LOGS,
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
      parameter: expect.arrayContaining([{ name: 'rds.force_ssl', value: '1' }]),
    });
  });

  test('is in the three private subnets, and reached by the jobs only', () => {
    expect(platform.one('aws_db_subnet_group')['subnet_ids']).toHaveLength(3);
    const instance = platform.one('aws_db_instance');
    expect(instance).toMatchObject({
      db_subnet_group_name: 'dataengineering-db',
      vpc_security_group_ids: ['<aws_security_group trackman-serving-db id>'],
    });
    const rules = platform
      .all('aws_vpc_security_group_ingress_rule')
      .filter((rule) => rule['security_group_id'] === '<aws_security_group trackman-serving-db id>');
    expect(rules).toMatchObject([
      { from_port: 5432, to_port: 5432, referenced_security_group_id: '<aws_security_group trackman-glue id>' },
    ]);
  });

  test('encrypts storage, master secret and insights with the key, and takes IAM authentication', () => {
    expect(platform.one('aws_db_instance')).toMatchObject({
      kms_key_id: KEY,
      master_user_secret_kms_key_id: KEY,
      performance_insights_kms_key_id: KEY,
      iam_database_authentication_enabled: true,
    });
  });

  test('logs connections and slow statements, never a parameter’s value', () => {
    const parameters = platform.one('aws_db_parameter_group')['parameter'] as { name: string; value: string }[];
    expect(Object.fromEntries(parameters.map(({ name, value }) => [name, value]))).toEqual({
      'rds.force_ssl': '1',
      log_connections: '1',
      log_disconnections: '1',
      log_lock_waits: '1',
      log_min_duration_statement: '1000',
      log_min_error_statement: 'panic',
      log_parameter_max_length: '0',
      log_parameter_max_length_on_error: '0',
    });
    expect(platform.one('aws_db_instance')['enabled_cloudwatch_logs_exports']).toEqual(['postgresql', 'upgrade']);
  });

  test('in prod has a standby, a month of backups and a year of insights', () => {
    expect(synthesize(prod).one('aws_db_instance')).toMatchObject({
      multi_az: true,
      backup_retention_period: 35,
      monitoring_interval: 15,
      monitoring_role_arn: '<aws_iam_role trackman-database-monitoring arn>',
      database_insights_mode: 'advanced',
      performance_insights_retention_period: 465,
      deletion_protection: true,
      final_snapshot_identifier: 'dataengineering-db-final',
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
    const careless = { ...dev, servingDb: { ...dev.servingDb, backupDays: 0 } };
    expect(() => synthesize(careless)).toThrow(
      'backupDays of dataengineering-db is 0: expected from 1 to 35 days: 0 switches backups off',
    );
  });
});

test('what is not said is not made: a bucket without versions or expiry', () => {
  const stack = emptyStack();
  new Bucket(stack, 'bucket', { name: 'plain', deletionProtection: true });
  const plain = new Synthesized(stack);
  expect(plain.types()).not.toContain('aws_s3_bucket_versioning');
  expect(plain.one('aws_s3_bucket_lifecycle_configuration')['rule']).toHaveLength(1);
});
