import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  byActionAndByResource,
  document,
  endpoints,
  findings,
  readGrants,
  readUses,
  review,
  type Grant,
  type Use,
} from './permissions';
import { documentFile, permissionsDocument } from './permissions-document';

let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'permissions-'))));
afterAll(() => rmSync(directory, { recursive: true }));

function written(content: string): string {
  const file = join(directory, 'file');
  writeFileSync(file, content);
  return file;
}

/** A stack with one role and the statements of its inline policy. */
function stack(statements: readonly object[], others: object = {}): string {
  return written(
    JSON.stringify({
      resource: {
        aws_iam_role: { reader_role_1: { name: 'reader' } },
        aws_iam_role_policy: {
          permissions: {
            role: '${aws_iam_role.reader_role_1.name}',
            policy: JSON.stringify({ Statement: statements }),
          },
        },
        ...others,
      },
    }),
  );
}

const allow = (Action: string | string[], Resource: string | string[]) => ({ Effect: 'Allow', Action, Resource });
const use = (action: string, resource: string, more: Partial<Use> = {}): Use => ({
  role: 'reader',
  action,
  resource,
  allowed: true,
  via: null,
  ...more,
});

describe('what a stack grants', () => {
  test('every action on every resource, each once, with its conditions', () => {
    const Condition = { StringLike: { 's3:prefix': 'raw/*' } };
    const file = stack([
      allow(['s3:GetObject', 's3:PutObject'], ['arn:aws:s3:::lake/a', 'arn:aws:s3:::lake/b']),
      allow('s3:GetObject', 'arn:aws:s3:::lake/a'),
      { ...allow('s3:ListBucket', 'arn:aws:s3:::lake'), Condition },
      { Effect: 'Deny', Action: 's3:*', Resource: '*' },
    ]);
    expect(readGrants(file)).toEqual([
      { role: 'reader', action: 's3:GetObject', resource: 'arn:aws:s3:::lake/a' },
      { role: 'reader', action: 's3:GetObject', resource: 'arn:aws:s3:::lake/b' },
      { role: 'reader', action: 's3:PutObject', resource: 'arn:aws:s3:::lake/a' },
      { role: 'reader', action: 's3:PutObject', resource: 'arn:aws:s3:::lake/b' },
      { role: 'reader', action: 's3:ListBucket', resource: 'arn:aws:s3:::lake', conditions: Condition },
    ]);
  });

  test('managed policies of the stack are read, those of AWS are named', () => {
    const role = '${aws_iam_role.reader_role_1.name}';
    const managed = 'arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole';
    const file = stack([], {
      aws_iam_policy: { own: { policy: JSON.stringify({ Statement: [allow('s3:GetObject', 'arn:aws:s3:::b/*')] }) } },
      aws_iam_role_policy_attachment: {
        one: { role, policy_arn: '${aws_iam_policy.own.arn}' },
        two: { role, policy_arn: managed },
      },
    });
    expect(readGrants(file)).toEqual([
      { role: 'reader', action: 's3:GetObject', resource: 'arn:aws:s3:::b/*' },
      { role: 'reader', action: 'policy', resource: managed },
    ]);
  });

  test('what is known after apply becomes a pattern; an unknown reference is an error that names it', () => {
    const workflow = { aws_glue_workflow: { landing_1: { name: 'landing' } } };
    const resources = [
      '${aws_kms_key.key_key_1.arn}',
      '${aws_glue_workflow.landing_1.arn}',
      'arn:aws:ec2:eu-central-1:1:subnet/${aws_subnet.network_private-a_1.id}',
    ];
    expect(readGrants(stack([allow('x:Y', resources)], workflow)).map(({ resource }) => resource)).toEqual([
      'arn:aws:kms:*:*:key/*',
      'arn:aws:glue:*:*:workflow/landing',
      'arn:aws:ec2:eu-central-1:1:subnet/subnet-*',
    ]);
    expect(() => readGrants(stack([allow('sqs:SendMessage', '${aws_sqs_queue.q.arn}')]))).toThrow(
      'a policy names ${aws_sqs_queue.q.arn}: add to KNOWN_AFTER_APPLY what stands for aws_sqs_queue.arn',
    );
  });

  test('actions on databases are not granted on tables', () => {
    const resources = ['database/lake', 'table/lake/*'].map((each) => `arn:aws:glue:eu-central-1:1:${each}`);
    const granted = readGrants(stack([allow(['glue:GetDatabase', 'glue:GetTable'], resources)]));
    expect(granted.map(({ action, resource }) => `${action} ${resource.split(':')[5]}`)).toEqual([
      'glue:GetDatabase database/lake',
      'glue:GetTable database/lake',
      'glue:GetTable table/lake/*',
    ]);
  });
});

describe('what the request log tells', () => {
  const record = (role: string | null, ...permissions: object[]): string =>
    JSON.stringify({ role, via: null, permissions });

  test('the distinct decisions on calls of roles', () => {
    const permission = { action: 's3:GetObject', resource: 'arn:aws:s3:::lake/a', allowed: true };
    const role = 'arn:aws:iam::111111111111:role/path/reader';
    const lines = [
      record(role, permission, { ...permission, action: 's3:PutObject', allowed: false }),
      record(role, permission),
      record(null, permission),
      record('arn:aws:iam::222222222222:role/reader', { ...permission, action: 's3:DeleteObject' }),
      JSON.stringify({ role, via: 's3.amazonaws.com', permissions: null }),
    ];
    expect(readUses(written(lines.join('\n') + '\n'), '111111111111')).toEqual([
      use('s3:GetObject', 'arn:aws:s3:::lake/a'),
      use('s3:PutObject', 'arn:aws:s3:::lake/a', { allowed: false }),
    ]);
  });

  test('the endpoints that a role itself calls', () => {
    const called = endpoints([
      use('glue:GetTable', '*'),
      use('cloudwatch:PutMetricData', '*'),
      use('kms:Decrypt', 'arn:aws:kms:eu-central-1:1:key/1', { via: 's3.amazonaws.com' }),
      use('s3:GetObject', 'arn:aws:s3:::lake/a', { role: 'writer' }),
    ]);
    expect(called).toEqual(
      new Map([
        ['reader', new Set(['glue', 'monitoring'])],
        ['writer', new Set(['s3'])],
      ]),
    );
  });
});

describe('findings', () => {
  const grant = (action: string, resource: string): Grant => ({ role: 'reader', action, resource });

  test.each([
    ['the same', use('s3:GetObject', 'arn:aws:s3:::lake/raw/a'), true],
    ['a service in its name', use('s3:GetObject', 'arn:aws:s3:::lake/raw/a', { via: 'athena.amazonaws.com' }), true],
    ['another action', use('s3:PutObject', 'arn:aws:s3:::lake/raw/a'), false],
    ['another resource', use('s3:GetObject', 'arn:aws:s3:::lake/other'), false],
    ['another role', use('s3:GetObject', 'arn:aws:s3:::lake/raw/a', { role: 'writer' }), false],
    ['a refused call', use('s3:GetObject', 'arn:aws:s3:::lake/raw/a', { allowed: false }), false],
  ])('a grant is used by %s: %j → %s', (_, call, used) => {
    const granted = grant('s3:GetObject', 'arn:aws:s3:::lake/raw/*');
    expect(findings([granted], [call]).unused).toEqual(used ? [] : [granted]);
  });

  test('by action and by resource, what one pair of them needs is enough', () => {
    const granted = [
      grant('s3:GetObject', 'arn:aws:s3:::lake/raw/*'),
      grant('s3:PutObject', 'arn:aws:s3:::lake/raw/*'),
      grant('s3:GetObject', 'arn:aws:s3:::lake/marts/*'),
      grant('s3:ListAllMyBuckets', '*'),
    ];
    const uses = [use('s3:GetObject', 'arn:aws:s3:::lake/raw/a')];
    expect(findings(byActionAndByResource(granted), uses).unused).toEqual([
      grant('s3:PutObject', '*'),
      grant('s3:ListAllMyBuckets', '*'),
      grant('*', 'arn:aws:s3:::lake/marts/*'),
    ]);
  });

  test('question marks and dots in patterns', () => {
    const secret = grant('secretsmanager:GetSecretValue', 'arn:aws:secretsmanager:x:1:secret:a.b-??????');
    const called = (name: string): Use =>
      use('secretsmanager:GetSecretValue', `arn:aws:secretsmanager:x:1:secret:${name}`);
    expect(findings([secret], [called('a.b-abcdef')]).unused).toEqual([]);
    expect(findings([secret], [called('aXb-abcdef'), called('a.b-abcdefg')]).unused).toEqual([secret]);
  });

  test('what was refused is a finding, whoever else may do it', () => {
    const refused = use('s3:DeleteObject', 'arn:aws:s3:::lake/raw/a', { allowed: false });
    expect(findings([], [refused, use('s3:GetObject', 'arn:aws:s3:::lake/raw/a')]).refused).toEqual([refused]);
  });

  test('exceptions explain, and are stale when they explain nothing', () => {
    const unused = [grant('s3:DeleteObject', 'arn:aws:s3:::lake/raw/*'), grant('s3:PutObject', 'arn:aws:s3:::lake/*')];
    const deletes = { role: '*', action: 's3:DeleteObject', resource: '*', reason: 'only after a failed commit' };
    const lists = { ...deletes, action: 's3:ListBucket' };
    expect(review(unused, [deletes, lists])).toEqual({ unexplained: [unused[1]], stale: [lists] });
  });
});

test('the document is the same for every environment', () => {
  const granted = (environment: string, account: string): Grant[] => [
    { role: 'reader', action: 's3:PutObject', resource: `arn:aws:s3:::lake-${environment}-${account}/raw/*` },
    { role: 'reader', action: 's3:GetObject', resource: `arn:aws:s3:::lake-${environment}-${account}/raw/*` },
    { role: 'reader', action: 's3:ListObjects', resource: `arn:aws:s3:::lake-${environment}-${account}/raw/*` },
    { role: 'reader', action: 's3:GetObject', resource: `arn:aws:s3:::states/lake-${environment}/state` },
    { role: 'reader', action: 's3:ListObjects', resource: `arn:aws:s3:::states/lake-${environment}/state` },
    {
      role: 'reader',
      action: 'ssm:GetParameter',
      resource: `arn:aws:ssm:eu-central-1:${account}:parameter/lake/${environment}/url`,
      conditions: { StringEquals: { 'aws:PrincipalAccount': account } },
    },
  ];
  const descriptions = new Map([['reader', 'Reads']]);
  const exceptions = [{ role: 'r*', action: 's3:PutObject', resource: '*', reason: 'once a year' }];
  const dev = { environment: 'dev', account: '111111111111', region: 'eu-central-1' };
  const text = document(granted('dev', '111111111111'), descriptions, exceptions, dev);
  expect(text.split('\n')).toEqual([
    '## reader',
    '',
    'Reads.',
    '',
    '| may | on | if | not seen in the run, because |',
    '|---|---|---|---|',
    '| `s3:GetObject`, `s3:ListObjects` | `arn:aws:s3:::lake-<env>-<account>/raw/*`<br>`arn:aws:s3:::states/lake-<env>/state` |  |  |',
    '| `s3:PutObject` | `arn:aws:s3:::lake-<env>-<account>/raw/*` |  | once a year |',
    '| `ssm:GetParameter` | `arn:aws:ssm:<region>:<account>:parameter/lake/<env>/url` | `{"StringEquals":{"aws:PrincipalAccount":"<account>"}}` |  |',
    '',
  ]);
  const prod = { environment: 'prod', account: '333333333333', region: 'eu-central-1' };
  expect(document(granted('prod', '333333333333'), descriptions, exceptions, prod)).toBe(text);
});

test('docs/permissions.md is up to date; if not: npm run docs:permissions', () => {
  expect(readFileSync(documentFile, 'utf8')).toBe(permissionsDocument());
});
