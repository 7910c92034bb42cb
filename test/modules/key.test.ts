import { dev } from '../../envs/dev';
import { Key } from '../../modules/key';
import { Role } from '../../modules/role';
import { emptyStack } from './stack';
import { Synthesized, synthesize } from './synthesized';

function withKey(managedBy: 'customer' | 'aws', use: (key: Key, role: Role) => void): Synthesized {
  const stack = emptyStack();
  const role = new Role(stack, 'role', { name: 'writer', description: 'd', trusts: { account: dev.account } });
  use(new Key(stack, 'key', { name: 'k', location: dev, managedBy, deletionProtection: true }), role);
  return new Synthesized(stack);
}

describe('a customer-managed key', () => {
  const made = withKey('customer', (key, role) => {
    key.grantUse(role);
    key.allowService({
      service: 'sns.amazonaws.com',
      conditions: { StringEquals: { 'aws:SourceAccount': dev.account } },
    });
  });

  test('is rotated, found by its alias, and kept', () => {
    expect(made.one('aws_kms_key')).toMatchObject({
      enable_key_rotation: true,
      deletion_window_in_days: 30,
      lifecycle: { prevent_destroy: true },
    });
    expect(made.one('aws_kms_alias')['name']).toBe('alias/k');
  });

  test('leaves roles to their policies, and names the services that use it', () => {
    const { Statement } = JSON.parse(made.one('aws_kms_key')['policy'] as string) as { Statement: object[] };
    expect(Statement).toEqual([
      { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::111111111111:root' }, Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Allow',
        Principal: { Service: 'logs.eu-central-1.amazonaws.com' },
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        Resource: '*',
        Condition: {
          ArnLike: { 'kms:EncryptionContext:aws:logs:arn': 'arn:aws:logs:eu-central-1:111111111111:log-group:*' },
        },
      },
      {
        Effect: 'Allow',
        Principal: { Service: 'sns.amazonaws.com' },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '*',
        Condition: { StringEquals: { 'aws:SourceAccount': '111111111111' } },
      },
    ]);
    expect(made.permissions('writer')).toEqual([
      {
        Effect: 'Allow',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: [expect.stringContaining('aws_kms_key')],
      },
    ]);
  });
});

test('left to AWS, there is no key, and nothing to allow', () => {
  const made = withKey('aws', (key, role) => {
    key.grantUse(role);
    expect(key.arn).toBeUndefined();
  });
  expect(made.types()).toEqual(['aws_iam_role']);
});

test('an environment that leaves keys to AWS encrypts all the same', () => {
  const platform = synthesize({ ...dev, encryptionKey: 'aws' });
  expect(platform.types()).not.toContain('aws_kms_key');
  for (const { rule } of platform.all('aws_s3_bucket_server_side_encryption_configuration')) {
    expect(rule).toEqual([{ apply_server_side_encryption_by_default: { sse_algorithm: 'AES256' } }]);
  }
  expect(platform.one('aws_db_instance')).toMatchObject({ storage_encrypted: true });
  for (const { configuration } of platform.all('aws_athena_workgroup')) {
    expect(configuration).toMatchObject({
      result_configuration: { encryption_configuration: { encryption_option: 'SSE_S3' } },
    });
  }
});
