import { dev } from '../../envs/dev';
import { Role } from '../../modules/role';
import { emptyStack } from './stack';
import { Synthesized, synthesize, type Statement } from './synthesized';

const platform = synthesize(dev);
const JOBS = ['ingest', 'ingest-files', 'maintain', 'migrate', 'publish', 'snapshot'].map((job) => `trackman-${job}`);
const ROLES = [...JOBS, 'trackman-analyst', 'trackman-crawler', 'trackman-landing-events'];

const OWN_STATEMENTS = { StringEquals: { 'redshift-data:statement-owner-iam-userid': '$${aws:userid}' } };
/** Actions for which the service knows no resource, and the condition that narrows them instead. */
const UNSCOPED: Record<string, Statement['Condition']> = {
  'cloudwatch:PutMetricData': { StringEquals: { 'cloudwatch:namespace': expect.stringMatching(/^(Glue|Trackman)$/) } },
  'redshift-data:DescribeStatement': OWN_STATEMENTS,
  'redshift-data:GetStatementResult': OWN_STATEMENTS,
  'redshift-data:CancelStatement': OWN_STATEMENTS,
  ...Object.fromEntries(
    ['NetworkInterfaces', 'RouteTables', 'SecurityGroups', 'Subnets', 'VpcAttribute', 'VpcEndpoints'].map((things) => [
      `ec2:Describe${things}`,
      { StringEquals: { 'aws:RequestedRegion': 'eu-central-1' } },
    ]),
  ),
};

/** What a role may do with resources whose ARN contains `part`. */
function actionsOn(role: string, part: string): string[] {
  const statements = platform.permissions(role).filter(({ Resource }) => Resource.some((arn) => arn.includes(part)));
  return [...new Set(statements.flatMap(({ Action }) => Action))].sort();
}

/** The resources on which a role may do something. */
function resourcesOf(role: string, action: string): string[] {
  return platform
    .permissions(role)
    .filter(({ Action }) => Action.includes(action))
    .flatMap(({ Resource }) => Resource);
}

describe.each(ROLES)('%s', (role) => {
  test('names every action and scopes every resource', () => {
    for (const { Effect, Action, Resource, Condition } of platform.permissions(role)) {
      expect(Effect).toBe('Allow');
      for (const action of Action) expect(action).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
      for (const resource of Resource) {
        if (resource === '*') for (const action of Action) expect(Condition).toEqual(UNSCOPED[action]);
        else
          expect(resource).toMatch(
            /^arn:aws:(s3:::trackman-\w+-dev-111111111111|\w+:eu-central-1:111111111111:\w)|^<aws_/,
          );
      }
    }
  });

  test('reaches no state, and no IAM', () => {
    expect(actionsOn(role, 'trackman-state')).toEqual([]);
    expect(
      platform
        .permissions(role)
        .flatMap(({ Action }) => Action)
        .filter((action) => /^(iam|sts):/.test(action)),
    ).toEqual([]);
  });
});

test('jobs and crawler are trusted to Glue, what notifies to EventBridge, the analysts’ role to the account', () => {
  const trusted = (role: string): unknown =>
    (JSON.parse(platform.one('aws_iam_role', role)['assume_role_policy'] as string) as { Statement: unknown[] })
      .Statement;
  const glue = [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'glue.amazonaws.com' } }];
  for (const role of [...JOBS, 'trackman-crawler']) expect(trusted(role)).toEqual(glue);
  expect(trusted('trackman-landing-events')).toEqual([
    { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'events.amazonaws.com' } },
  ]);
  expect(trusted('trackman-analyst')).toEqual([
    { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: 'arn:aws:iam::111111111111:root' } },
  ]);
});

test('ingest reads the sources’ secrets and the pepper, and writes raw and lake only', () => {
  expect(resourcesOf('trackman-ingest', 'secretsmanager:GetSecretValue')).toEqual([
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/clubs-??????',
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/backend-??????',
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/pii-pepper-??????',
  ]);
  expect(resourcesOf('trackman-ingest', 'ssm:GetParameter')).toEqual([
    'arn:aws:ssm:eu-central-1:111111111111:parameter/trackman/dev/clubs/url',
    'arn:aws:ssm:eu-central-1:111111111111:parameter/trackman/dev/clubs/ca',
    'arn:aws:ssm:eu-central-1:111111111111:parameter/trackman/dev/backend/url',
    'arn:aws:ssm:eu-central-1:111111111111:parameter/trackman/dev/backend/ca',
  ]);
  for (const action of ['s3:PutObject', 's3:DeleteObject']) {
    expect(resourcesOf('trackman-ingest', action)).toEqual([
      'arn:aws:s3:::trackman-lake-dev-111111111111/raw/*',
      'arn:aws:s3:::trackman-lake-dev-111111111111/lake/*',
    ]);
  }
  expect(actionsOn('trackman-ingest', 'table/trackman_lake/')).toContain('glue:UpdateTable');
  expect(actionsOn('trackman-ingest', 'table/trackman_backend/')).toEqual(['glue:GetTables']);
});

test('publish reads raw and lake, and writes nothing but marts and frontiers', () => {
  expect(resourcesOf('trackman-publish', 's3:PutObject')).toEqual([
    'arn:aws:s3:::trackman-lake-dev-111111111111/marts/*',
    'arn:aws:s3:::trackman-lake-dev-111111111111/_trackman/frontiers/*',
  ]);
  expect(resourcesOf('trackman-publish', 's3:DeleteObject')).toEqual([
    'arn:aws:s3:::trackman-lake-dev-111111111111/marts/*',
  ]);
  expect(actionsOn('trackman-publish', 'table/trackman_marts/')).toContain('glue:UpdateTable');
  expect(actionsOn('trackman-publish', 'table/trackman_lake/')).toEqual([
    'glue:GetDatabase',
    'glue:GetTable',
    'glue:GetTables',
  ]);
  expect(resourcesOf('trackman-publish', 'secretsmanager:GetSecretValue')).toEqual([
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/serving/loader-??????',
  ]);
});

test('migrate alone reads the master secret and writes secrets', () => {
  const readers = ROLES.filter((role) =>
    resourcesOf(role, 'secretsmanager:GetSecretValue').some((resource) => resource.includes('master_user_secret')),
  );
  const writers = ROLES.filter((role) => resourcesOf(role, 'secretsmanager:PutSecretValue').length > 0);
  expect({ readers, writers }).toEqual({ readers: ['trackman-migrate'], writers: ['trackman-migrate'] });
  expect(resourcesOf('trackman-migrate', 'secretsmanager:PutSecretValue')).toEqual([
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/serving/loader-??????',
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/serving/application-??????',
    'arn:aws:secretsmanager:eu-central-1:111111111111:secret:trackman/dev/pii-pepper-??????',
  ]);
});

test('the crawler describes tables in its own database only', () => {
  expect(resourcesOf('trackman-crawler', 'glue:UpdateTable')).toEqual([
    'arn:aws:glue:eu-central-1:111111111111:catalog',
    'arn:aws:glue:eu-central-1:111111111111:database/trackman_backend',
    'arn:aws:glue:eu-central-1:111111111111:table/trackman_backend/*',
  ]);
});

test('the crawler reads what lands, and writes no file', () => {
  expect(resourcesOf('trackman-crawler', 's3:GetObject')).toEqual([
    'arn:aws:s3:::trackman-landing-dev-111111111111/telemetry/*',
  ]);
  expect(resourcesOf('trackman-crawler', 's3:PutObject')).toEqual([]);
});

test('who runs in the network makes interfaces in Glue’s subnet only, and takes away interfaces only', () => {
  for (const role of ['trackman-ingest', 'trackman-publish', 'trackman-migrate', 'trackman-crawler']) {
    expect(resourcesOf(role, 'ec2:CreateNetworkInterface')).toEqual([
      expect.stringMatching(/:subnet\/<aws_subnet .*>$/),
      expect.stringMatching(/:security-group\/<aws_security_group trackman-glue id>$/),
      'arn:aws:ec2:eu-central-1:111111111111:network-interface/*',
    ]);
    expect(resourcesOf(role, 'ec2:DeleteNetworkInterface')).toEqual([
      'arn:aws:ec2:eu-central-1:111111111111:network-interface/*',
    ]);
  }
  for (const role of ['trackman-ingest-files', 'trackman-maintain', 'trackman-analyst']) {
    expect(actionsOn(role, ':ec2:')).toEqual([]);
  }
});

test('each writes to log groups of its own', () => {
  expect(resourcesOf('trackman-ingest', 'logs:PutLogEvents')).toEqual([
    'arn:aws:logs:eu-central-1:111111111111:log-group:/aws-glue/jobs/trackman-role/trackman-ingest/output:*',
    'arn:aws:logs:eu-central-1:111111111111:log-group:/aws-glue/jobs/trackman-role/trackman-ingest/error:*',
  ]);
  expect(resourcesOf('trackman-migrate', 'logs:PutLogEvents')[0]).toMatch(
    /:\/aws-glue\/python-jobs\/trackman-role\/trackman-migrate\/output:\*$/,
  );
  expect(resourcesOf('trackman-crawler', 'logs:PutLogEvents')).toEqual([
    'arn:aws:logs:eu-central-1:111111111111:log-group:/aws-glue/crawlers-role/trackman-crawler-trackman:*',
  ]);
});

test('maintain writes raw, lake and marts, and reads no secret', () => {
  expect(resourcesOf('trackman-maintain', 's3:DeleteObject')).toEqual([
    'arn:aws:s3:::trackman-lake-dev-111111111111/raw/*',
    'arn:aws:s3:::trackman-lake-dev-111111111111/lake/*',
    'arn:aws:s3:::trackman-lake-dev-111111111111/marts/*',
  ]);
  expect(resourcesOf('trackman-maintain', 's3:GetObject')).toContain(
    'arn:aws:s3:::trackman-lake-dev-111111111111/_trackman/frontiers/*',
  );
  expect(actionsOn('trackman-maintain', ':secretsmanager:')).toEqual([]);
  expect(actionsOn('trackman-maintain', 'trackman_backend')).toEqual([]);
});

test('EventBridge notifies one workflow, and may do nothing else', () => {
  expect(platform.permissions('trackman-landing-events')).toEqual([
    { Effect: 'Allow', Action: ['glue:NotifyEvent'], Resource: ['<aws_glue_workflow landing arn>'] },
  ]);
});

test('analysts read lake and marts, in their workgroup, and write its results', () => {
  expect(resourcesOf('trackman-analyst', 'athena:StartQueryExecution')).toEqual([
    'arn:aws:athena:eu-central-1:111111111111:workgroup/analysts',
  ]);
  expect(resourcesOf('trackman-analyst', 's3:GetObject').sort()).toEqual([
    'arn:aws:s3:::trackman-lake-dev-111111111111/lake/*',
    'arn:aws:s3:::trackman-lake-dev-111111111111/marts/*',
    'arn:aws:s3:::trackman-results-dev-111111111111/analysts/*',
  ]);
  expect(resourcesOf('trackman-analyst', 's3:PutObject')).toEqual([
    'arn:aws:s3:::trackman-results-dev-111111111111/analysts/*',
  ]);
  expect(actionsOn('trackman-analyst', 'trackman_raw')).toEqual([]);
  expect(actionsOn('trackman-analyst', 'trackman_backend')).toEqual([]);
});

test('listing is allowed to who needs it only, below prefixes', () => {
  const listing = (role: string) =>
    platform
      .permissions(role)
      .filter(({ Action }) => Action.includes('s3:ListBucket'))
      .map(({ Resource, Condition }) => [Resource, Condition]);
  const jobs = [['arn:aws:s3:::trackman-artifacts-dev-111111111111'], { StringLike: { 's3:prefix': ['jobs/*'] } }];
  expect(listing('trackman-publish')).toEqual([jobs]);
  expect(listing('trackman-maintain')).toEqual([
    jobs,
    [
      ['arn:aws:s3:::trackman-lake-dev-111111111111'],
      { StringLike: { 's3:prefix': ['raw/*', 'lake/*', 'marts/*', '_trackman/frontiers/*'] } },
    ],
  ]);
});

describe('a role', () => {
  const role = (): Role =>
    new Role(emptyStack(), 'role', { name: 'r', description: 'd', trusts: { service: 'glue.amazonaws.com' } });

  test.each(['*', 'bucket'])('takes ARNs, not %s', (resource) => {
    expect(() => role().allow({ actions: ['s3:GetObject'], resources: [resource] })).toThrow(
      `resource of role r is "${resource}": expected an ARN`,
    );
  });

  test.each(['s3:*', 's3:Get*', '*', 'GetObject'])('takes single actions, not %s', (action) => {
    const message = `action of role r is "${action}": expected one action such as s3:GetObject`;
    expect(() => role().allow({ actions: [action], resources: ['arn:aws:s3:::b/*'] })).toThrow(message);
    expect(() => role().allowUnscoped([action], {})).toThrow(message);
  });

  test('collects what modules grant it after it was made', () => {
    const stack = emptyStack();
    const reader = new Role(stack, 'role', { name: 'reader', description: 'd', trusts: { account: '111111111111' } });
    reader.allow({ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::a/*'] });
    reader.allow({ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/*'] });
    expect(new Synthesized(stack).permissions('reader')).toEqual([
      { Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::a/*'] },
      { Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::b/*'] },
    ]);
  });
});
