/** The way to the sources: connection, crawler, schedule. */
import { dev } from '../../envs/dev';
import { Database } from '../../modules/catalog';
import { Crawler } from '../../modules/crawler';
import { cronExpression, isRegular } from '../../modules/schedule';
import { SourceConnection } from '../../modules/source-connection';
import { emptyStack } from './stack';
import { Synthesized, synthesize } from './synthesized';

const platform = synthesize(dev);

test('the connection goes to where the owners say that the source is, over verified TLS', () => {
  expect(platform.dataSource('aws_ssm_parameter', '/trackman/dev/backend/url')).toBeDefined();
  expect(platform.one('aws_glue_connection')).toMatchObject({
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

test('the crawler looks at the contract’s schemas, on a schedule of its own', () => {
  expect(platform.one('aws_glue_crawler')).toMatchObject({
    name: 'sources',
    database_name: 'trackman_backend',
    schedule: 'cron(0,30 * * * ? *)',
    jdbc_target: [
      {
        connection_name: 'trackman-backend',
        path: expect.stringMatching(
          /^\$\{element\(split\("\/", data\.aws_ssm_parameter\.[\w-]+\.insecure_value\), 3\)\}\/public\/%$/,
        ),
        enable_additional_metadata: ['COMMENTS', 'RAWTYPES'],
      },
    ],
    schema_change_policy: { update_behavior: 'UPDATE_IN_DATABASE', delete_behavior: 'DEPRECATE_IN_DATABASE' },
    recrawl_policy: { recrawl_behavior: 'CRAWL_EVERYTHING' },
  });
});

describe('a crawler', () => {
  function crawl(includes: string[][]): Synthesized {
    const stack = emptyStack();
    const database = new Database(stack, 'database', { name: 'found', description: '', location: dev });
    const targets = includes.map((include, index) => {
      const name = `source${index}`;
      const paths = { urlParameter: `/${name}/url`, caParameter: `/${name}/ca`, secret: `${name}/secret` };
      return { connection: new SourceConnection(stack, name, { name, location: dev, ...paths }), include };
    });
    const schedule = { everyMinutes: 30, offsetMinutes: 0 };
    new Crawler(stack, 'crawler', { name: 'c', roleName: 'crawler', location: dev, database, targets, schedule });
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

  test('without a source is refused', () => {
    expect(() => crawl([])).toThrow(
      'targets of crawler c is []: expected at least one source; add a contract to sources/index.ts',
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
