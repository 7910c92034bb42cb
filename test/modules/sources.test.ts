/** The way to the sources: connection, crawler, schedule. */
import { dev } from '../../envs/dev';
import { Bucket } from '../../modules/bucket';
import { Database } from '../../modules/catalog';
import { Crawler } from '../../modules/crawler';
import { GlueConnection } from '../../modules/glue-connection';
import { GlueSecurity } from '../../modules/glue-security';
import { Key } from '../../modules/key';
import { LakeFormation } from '../../modules/lake-formation';
import { cronExpression, isRegular } from '../../modules/schedule';
import { SourceConnection } from '../../modules/source-connection';
import { emptyStack } from './stack';
import { Synthesized, synthesize } from './synthesized';

const platform = synthesize(dev);
const placement = { subnetId: 'subnet-1', availabilityZone: 'eu-central-1a', securityGroupIds: ['sg-1'] };

test('the connection goes to where the owners say that the source is, over verified TLS', () => {
  expect(platform.dataSource('aws_ssm_parameter', '/trackman/dev/backend/url')).toBeDefined();
  expect(platform.one('aws_glue_connection', 'trackman-backend')).toMatchObject({
    connection_type: 'JDBC',
    connection_properties: {
      JDBC_CONNECTION_URL: expect.stringMatching(/^jdbc:\$\{data\.aws_ssm_parameter\.[\w-]+\.insecure_value\}$/),
      JDBC_ENFORCE_SSL: 'true',
      SECRET_ID: 'trackman/dev/backend',
    },
  });
});

test('an address of another form is refused at plan, without showing it', () => {
  const { lifecycle } = platform.dataSource('aws_ssm_parameter', '/trackman/dev/backend/url') as {
    lifecycle: { postcondition: [{ condition: string; error_message: string }] };
  };
  const [{ condition, error_message: message }] = lifecycle.postcondition;
  const pattern = new RegExp(/regex\("(.*)", self/.exec(condition)![1]!);
  expect('postgresql://db.example.com:5432/trackman').toMatch(pattern);
  for (const wrong of [
    'jdbc:postgresql://db.example.com:5432/trackman',
    'postgresql://db.example.com/trackman',
    'postgresql://user:secret@db.example.com:5432/trackman',
    'postgresql://db.example.com:5432/trackman?sslmode=disable',
    'postgresql://db.example.com:5432/',
  ]) {
    expect(wrong).not.toMatch(pattern);
  }
  expect(message).toContain(
    'SSM parameter /trackman/dev/backend/url of source trackman-backend: expected postgresql://host:port/database',
  );
});

test('the crawler looks at the schemas of each contract with a database, on a schedule of its own', () => {
  expect(platform.one('aws_glue_crawler')).toMatchObject({
    name: 'sources',
    database_name: 'trackman_backend',
    schedule: 'cron(0,30 * * * ? *)',
    jdbc_target: [
      { connection_name: 'club-memberships', path: expect.stringMatching(/\/membership\/%$/) },
      {
        connection_name: 'trackman-backend',
        path: expect.stringMatching(
          /^\$\{element\(split\("\/", data\.aws_ssm_parameter\.[\w-]+\.insecure_value\), 3\)\}\/public\/%$/,
        ),
        enable_additional_metadata: ['COMMENTS', 'RAWTYPES'],
      },
    ],
    s3_target: [{ path: 's3://trackman-landing-dev-111111111111/telemetry/', sample_size: 10 }],
    classifiers: ['telemetry-json', 'telemetry-csv'],
    security_configuration: 'trackman',
    schema_change_policy: { update_behavior: 'UPDATE_IN_DATABASE', delete_behavior: 'DEPRECATE_IN_DATABASE' },
    recrawl_policy: { recrawl_behavior: 'CRAWL_EVERYTHING' },
  });
});

describe('a crawler', () => {
  function crawl(includes: string[][], prefixes: string[] = []): Synthesized {
    const stack = emptyStack();
    const key = new Key(stack, 'key', { name: 'k', location: dev, managedBy: 'customer', deletionProtection: true });
    const lakeFormation = new LakeFormation(stack, 'lake-formation', { mode: 'iam', admins: [] });
    const common = { key, lakeFormation, deletionProtection: true };
    const database = new Database(stack, 'database', { name: 'found', description: '', location: dev, ...common });
    const sources = includes.map((include, index) => {
      const name = `source${index}`;
      const paths = { urlParameter: `/${name}/url`, caParameter: `/${name}/ca`, secret: `${name}/secret` };
      return { connection: new SourceConnection(stack, name, { name, location: dev, placement, ...paths }), include };
    });
    new Crawler(stack, 'crawler', {
      name: 'c',
      roleName: 'crawler',
      database,
      sources,
      landing: { bucket: new Bucket(stack, 'landing', { name: 'landing', deletionProtection: true }), prefixes },
      classifiers: ['first', 'second'],
      security: new GlueSecurity(stack, 'security', { name: 'secured', location: dev, key, retentionDays: 30 }),
      schedule: { everyMinutes: 30, offsetMinutes: 0 },
    });
    return new Synthesized(stack);
  }

  test('has a target for each schema of each source, and may use the connections', () => {
    const crawled = crawl([['public.*', 'public.shots', 'radar.*'], ['public.*']]);
    const targets = crawled.one('aws_glue_crawler')['jdbc_target'] as { connection_name: string; path: string }[];
    expect(targets.map(({ connection_name: connection, path }) => [connection, path.split('}')[1]])).toEqual([
      ['source0', '/public/%'],
      ['source0', '/radar/%'],
      ['source1', '/public/%'],
    ]);
    const connections = crawled.permissions('crawler').filter(({ Action }) => Action.includes('glue:GetConnection'));
    expect(connections.map(({ Resource }) => Resource[1])).toEqual([
      'arn:aws:glue:eu-central-1:111111111111:connection/source0',
      'arn:aws:glue:eu-central-1:111111111111:connection/source1',
    ]);
  });

  test('looks at sources and folders in one run, with its classifiers', () => {
    const crawler = crawl([['public.*']], ['bays/', 'radars/eu/']).one('aws_glue_crawler');
    expect(crawler['jdbc_target']).toHaveLength(1);
    expect(crawler['s3_target']).toEqual([
      { path: 's3://landing/bays/', sample_size: 10 },
      { path: 's3://landing/radars/eu/', sample_size: 10 },
    ]);
    expect(crawler['classifiers']).toEqual(['first', 'second']);
    expect(JSON.parse(crawler['configuration'] as string)).toEqual({
      Version: 1,
      CrawlerOutput: { Partitions: { AddOrUpdateBehavior: 'InheritFromTable' } },
    });
  });

  test('keeps partitions, and drops no table', () => {
    const actions = crawl([], ['bays/'])
      .permissions('crawler')
      .flatMap(({ Action }) => Action);
    expect(actions).toEqual(expect.arrayContaining(['glue:BatchCreatePartition', 'glue:BatchDeletePartition']));
    expect(actions).not.toContain('glue:DeleteTable');
  });

  test('is logged under the key, to a group that is there before it', () => {
    const crawled = crawl([['public.*']]);
    const group = '/aws-glue/crawlers-role/crawler-secured';
    expect(crawled.one('aws_cloudwatch_log_group')).toMatchObject({
      name: group,
      retention_in_days: 30,
      kms_key_id: expect.stringContaining('aws_kms_key'),
    });
    expect(crawled.one('aws_glue_crawler')).toMatchObject({
      security_configuration: 'secured',
      depends_on: [expect.stringContaining('aws_cloudwatch_log_group')],
    });
    expect(crawled.permissions('crawler')).toContainEqual({
      Effect: 'Allow',
      Action: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents', 'logs:AssociateKmsKey'],
      Resource: [`arn:aws:logs:eu-central-1:111111111111:log-group:${group}:*`],
    });
  });

  test('without a source or folder is refused', () => {
    expect(() => crawl([])).toThrow(
      'targets of crawler c is []: expected at least one source or folder; add a contract to sources/',
    );
  });

  test.each(['bays', 's3://landing/bays/', '*/'])('takes no folder %s', (prefix) => {
    expect(() => crawl([], [prefix])).toThrow(
      `folder of crawler c is "${prefix}": expected a path that ends in a slash`,
    );
  });
});

describe('a connection', () => {
  test('leads into the network', () => {
    expect(platform.one('aws_glue_connection', 'trackman-network')).toMatchObject({
      connection_type: 'NETWORK',
      physical_connection_requirements: {
        subnet_id: expect.stringContaining('aws_subnet'),
        availability_zone: 'eu-central-1a',
        security_group_id_list: ['<aws_security_group trackman-glue id>'],
      },
    });
    const { physical_connection_requirements: requirements } = platform.one('aws_glue_connection', 'trackman-backend');
    expect(requirements).toEqual(
      platform.one('aws_glue_connection', 'trackman-network')['physical_connection_requirements'],
    );
  });

  test('without a security group is refused', () => {
    const props = { name: 'n', description: '', location: dev, placement: { ...placement, securityGroupIds: [] } };
    expect(() => new GlueConnection(emptyStack(), 'connection', props)).toThrow(
      'securityGroupIds of connection n is []: expected at least one security group',
    );
  });
});

describe('schedules', () => {
  test.each([
    [{ everyMinutes: 30, offsetMinutes: 0 }, 'cron(0,30 * * * ? *)'],
    [{ everyMinutes: 30, offsetMinutes: 10 }, 'cron(10,40 * * * ? *)'],
    [{ everyMinutes: 15, offsetMinutes: 5 }, 'cron(5,20,35,50 * * * ? *)'],
    [{ everyMinutes: 60, offsetMinutes: 0 }, 'cron(0 * * * ? *)'],
    [{ everyMinutes: 480, offsetMinutes: 130 }, 'cron(10 2,10,18 * * ? *)'],
    [{ everyMinutes: 1440, offsetMinutes: 195 }, 'cron(15 3 * * ? *)'],
  ])('%j is %s', (schedule, expression) => {
    expect(isRegular(schedule)).toBe(true);
    expect(cronExpression(schedule)).toBe(expression);
  });

  test.each([
    { everyMinutes: 45, offsetMinutes: 0 },
    { everyMinutes: 90, offsetMinutes: 0 },
    { everyMinutes: 300, offsetMinutes: 0 },
    { everyMinutes: 30, offsetMinutes: 30 },
  ])('%j is none that cron can say', (schedule) => {
    expect(isRegular(schedule)).toBe(false);
  });
});
