import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { names } from '../../modules/naming';
import { projectRoot } from '../../modules/project';
import { Key } from '../../modules/key';
import { AlertTopic } from '../../modules/monitoring/topics';
import { location, monitoredStack } from './monitored-stack';
import { emptyStack } from './stack';
import { Synthesized, type Configuration } from './synthesized';

const stack = new Synthesized(monitoredStack());
const PAGE = '<aws_sns_topic trackman-page arn>';
const TICKET = '<aws_sns_topic trackman-ticket arn>';

interface PolicyStatement {
  readonly Effect: string;
  readonly Principal: unknown;
  readonly Action: unknown;
  readonly Resource: string;
  readonly Condition?: unknown;
}

const statements = (policy: unknown): PolicyStatement[] =>
  (JSON.parse(policy as string) as { Statement: PolicyStatement[] }).Statement;
const alarms = stack.all('aws_cloudwatch_metric_alarm');
const nameOf = (alarm: Configuration): string => alarm['alarm_name'] as string;
const alarm = (name: string): Configuration => alarms.find((each) => nameOf(each) === name)!;

test.each(['page', 'ticket'])('topic %s lets alarms, rules and budgets of this account publish, over TLS', (kind) => {
  const arn = `arn:aws:sns:eu-central-1:111111111111:trackman-${kind}`;
  const policies = stack.all('aws_sns_topic_policy').map(({ policy }) => statements(policy));
  const ofThisAccount = { StringEquals: { 'aws:SourceAccount': '111111111111' } };
  const allow = { Effect: 'Allow', Action: 'sns:Publish', Resource: arn };
  expect(policies.find(([first]) => first!.Resource === arn)).toEqual([
    { ...allow, Principal: { Service: 'cloudwatch.amazonaws.com' }, Condition: ofThisAccount },
    { ...allow, Principal: { Service: 'budgets.amazonaws.com' }, Condition: ofThisAccount },
    { ...allow, Principal: { Service: 'events.amazonaws.com' } }, // a condition would keep every rule out
    {
      Effect: 'Deny',
      Principal: '*',
      Action: 'sns:Publish',
      Resource: arn,
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  ]);
});

test('topics are encrypted, and the key lets the publishers use it for these topics only', () => {
  for (const topic of stack.all('aws_sns_topic')) {
    expect(topic['kms_master_key_id']).toMatch(/^<aws_kms_key .* arn>$/);
  }
  const services = statements(stack.one('aws_kms_key')['policy']).filter(({ Condition }) =>
    JSON.stringify(Condition ?? {}).includes(':sns:'),
  );
  expect(services).toHaveLength(6);
  for (const kind of ['page', 'ticket']) {
    for (const service of ['cloudwatch', 'budgets', 'events']) {
      expect(services).toContainEqual({
        Effect: 'Allow',
        Principal: { Service: `${service}.amazonaws.com` },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '*',
        Condition: {
          StringEquals: {
            'kms:EncryptionContext:aws:sns:topicArn': `arn:aws:sns:eu-central-1:111111111111:trackman-${kind}`,
          },
        },
      });
    }
  }
});

test('without a key of ours a topic has none: AWS’s own for SNS would let nobody publish', () => {
  const plain = emptyStack();
  const key = new Key(plain, 'key', { name: 'k', location, managedBy: 'aws', deletionProtection: false });
  new AlertTopic(plain, 'topic', { name: 't', displayName: 'T', location, key, subscribers: [] });
  expect(new Synthesized(plain).one('aws_sns_topic')).not.toHaveProperty('kms_master_key_id');
});

test('subscribers are told by mail or by https', () => {
  const subscriptions = stack.all('aws_sns_topic_subscription');
  expect(subscriptions.map((each): unknown[] => [each['topic_arn'], each['protocol'], each['endpoint']])).toEqual([
    [PAGE, 'https', 'https://pager.example.com/trackman'],
    [PAGE, 'email', 'oncall@example.com'],
    [TICKET, 'email', 'data@example.com'],
  ]);
});

test.each(['http://pager.example.com', 'nobody', 'a@b@c'])('a subscriber %s is refused', (endpoint) => {
  expect(() => monitoredStack({ subscribers: { page: [endpoint], ticket: [] } })).toThrow(
    `subscriber of topic trackman-page is "${endpoint}": expected an e-mail address or a URL that begins with https://`,
  );
});

describe('alarms', () => {
  test('tell the topic that fits how bad it is, of their end as well', () => {
    const told = new Map(alarms.map((each) => [nameOf(each), each['alarm_actions'] as unknown]));
    expect(Object.fromEntries(told)).toEqual({
      'trackman-lake-late': [TICKET],
      'trackman-lake-promise-broken': [PAGE],
      'trackman-dataengineering-db-late': [TICKET],
      'trackman-dataengineering-db-promise-broken': [PAGE],
      'trackman-slot-restart-lag-high-backend': [TICKET],
      'trackman-slot-restart-lag-critical-backend': [PAGE],
      'trackman-slot-confirmed-lag-high-backend': [TICKET],
      'trackman-slot-confirmed-lag-critical-backend': [PAGE],
      'trackman-dataengineering-db-storage-low': [PAGE],
      'trackman-dataengineering-db-cpu-high': [TICKET],
    });
    for (const each of alarms) {
      expect(each).toMatchObject({ actions_enabled: true, ok_actions: each['alarm_actions'] });
    }
  });

  test.each([
    ['trackman-lake-late', 'lake', 45 * 60],
    ['trackman-lake-promise-broken', 'lake', 60 * 60],
    ['trackman-dataengineering-db-late', 'dataengineering-db', 52 * 60],
    ['trackman-dataengineering-db-promise-broken', 'dataengineering-db', 60 * 60],
  ])('%s goes off at the first sample that is too late, or after three that are missing', (name, target, threshold) => {
    expect(alarm(name)).toMatchObject({
      namespace: 'Trackman',
      metric_name: 'Freshness',
      dimensions: { Target: target },
      statistic: 'Maximum',
      comparison_operator: 'GreaterThanThreshold',
      threshold,
      period: 300,
      evaluation_periods: 3,
      datapoints_to_alarm: 1,
      treat_missing_data: 'breaching',
    });
  });

  test.each([
    ['trackman-slot-restart-lag-high-backend', 'SlotRestartLagBytes', 2 ** 30],
    ['trackman-slot-restart-lag-critical-backend', 'SlotRestartLagBytes', 4 * 2 ** 30],
    ['trackman-slot-confirmed-lag-high-backend', 'SlotConfirmedLagBytes', 2 ** 30],
    ['trackman-slot-confirmed-lag-critical-backend', 'SlotConfirmedLagBytes', 4 * 2 ** 30],
  ])('%s looks at each run’s measurement, and stays as it is without one', (name, metric, threshold) => {
    expect(alarm(name)).toMatchObject({
      namespace: 'Trackman',
      metric_name: metric,
      dimensions: { Source: 'backend' },
      statistic: 'Maximum',
      threshold,
      period: 1800,
      evaluation_periods: 1,
      treat_missing_data: 'ignore',
    });
  });

  test('of dataengineering-db look at what RDS measures of that instance', () => {
    expect(alarm('trackman-dataengineering-db-storage-low')).toMatchObject({
      namespace: 'AWS/RDS',
      metric_name: 'FreeStorageSpace',
      dimensions: { DBInstanceIdentifier: 'dataengineering-db' },
      comparison_operator: 'LessThanThreshold',
      threshold: 2 ** 30,
    });
    expect(alarm('trackman-dataengineering-db-cpu-high')).toMatchObject({
      metric_name: 'CPUUtilization',
      statistic: 'Average',
      comparison_operator: 'GreaterThanThreshold',
      threshold: 80,
      period: 300,
      evaluation_periods: 3,
      datapoints_to_alarm: 3,
    });
  });
});

describe('event rules', () => {
  const rule = (name: string): unknown =>
    JSON.parse(stack.one('aws_cloudwatch_event_rule', name)['event_pattern'] as string);
  const target = (name: string): Configuration =>
    stack.all('aws_cloudwatch_event_target').find((each) => each['rule'] === name)!;

  test('tell of every run that did not succeed, by how bad that is', () => {
    const failed = (...jobName: string[]): object => ({
      source: ['aws.glue'],
      'detail-type': ['Glue Job State Change'],
      detail: { jobName, state: [{ 'anything-but': ['SUCCEEDED'] }] },
    });
    expect(rule('trackman-job-failed')).toEqual(failed('ingest', 'publish'));
    expect(target('trackman-job-failed')['arn']).toBe(PAGE);
    expect(rule('trackman-background-job-failed')).toEqual(failed('maintain', 'freshness'));
    expect(target('trackman-background-job-failed')['arn']).toBe(TICKET);
  });

  test('tell of runs that take too long, and of crawls', () => {
    expect(rule('trackman-job-late')).toEqual({
      source: ['aws.glue'],
      'detail-type': ['Glue Job Run Status'],
      detail: { jobName: ['ingest', 'publish', 'maintain'] },
    });
    expect(rule('trackman-crawler-failed')).toEqual({
      source: ['aws.glue'],
      $or: [
        { 'detail-type': ['Glue Crawler State Change'], detail: { crawlerName: ['sources'], state: ['Failed'] } },
        { 'detail-type': ['Glue Scheduled Crawler Invocation Failure'], detail: { crawlerName: ['sources'] } },
      ],
    });
    for (const name of ['trackman-job-late', 'trackman-crawler-failed']) expect(target(name)['arn']).toBe(TICKET);
  });

  test('send JSON with what it means and the whole event', () => {
    const { input_template: template } = target('trackman-job-failed')['input_transformer'] as {
      input_template: string;
    };
    const filled = template.replace('<aws.events.event.json>', '{"detail": 1}');
    expect(JSON.parse(filled)).toEqual({
      alert: 'trackman-job-failed',
      meaning: 'A run of a job on which the promise hangs did not succeed.',
      runbook: 'docs/runbooks/alarms.md',
      event: { detail: 1 },
    });
  });

  test('without jobs there is nothing to watch', () => {
    expect(() => monitoredStack({ jobs: [] })).toThrow('jobs of an event rule is []: expected at least one job');
  });
});

describe('the freshness job', () => {
  test('runs every five minutes on a schedule of its own', () => {
    expect(stack.one('aws_glue_trigger')).toMatchObject({
      name: 'freshness-schedule',
      type: 'SCHEDULED',
      schedule: 'cron(0,5,10,15,20,25,30,35,40,45,50,55 * * * ? *)',
      start_on_creation: true,
      actions: [{ job_name: 'freshness' }],
    });
    expect(stack.one('aws_glue_trigger')).not.toHaveProperty('workflow_name');
  });

  test('is a Python shell job that ends before its next run, and is told where to look', () => {
    expect(stack.one('aws_glue_job', 'freshness')).toMatchObject({
      command: { name: 'pythonshell', python_version: '3.9' },
      max_capacity: 0.0625,
      timeout: 3,
      default_arguments: {
        '--lake-database': 'trackman_lake',
        '--serving-frontiers': 's3://trackman-lake-test-111111111111/_trackman/frontiers/dataengineering-db.json',
      },
    });
  });

  test('reads the lake’s definitions and metadata, and publishes in one namespace', () => {
    const allowed = stack.permissions('trackman-freshness');
    const resources = (action: string): string[] =>
      allowed.filter(({ Action }) => Action.includes(action)).flatMap(({ Resource }) => Resource);
    expect(resources('glue:GetTables')).toContain('arn:aws:glue:eu-central-1:111111111111:table/trackman_lake/*');
    expect(resources('s3:GetObject')).toEqual([
      'arn:aws:s3:::trackman-artifacts-test-111111111111/jobs/*',
      'arn:aws:s3:::trackman-lake-test-111111111111/lake/*',
      'arn:aws:s3:::trackman-lake-test-111111111111/_trackman/frontiers/*',
    ]);
    expect(resources('s3:PutObject')).toEqual([]);
    expect(allowed.filter(({ Resource }) => Resource.includes('*'))).toEqual([
      {
        Effect: 'Allow',
        Action: ['cloudwatch:PutMetricData'],
        Resource: ['*'],
        Condition: { StringEquals: { 'cloudwatch:namespace': 'Trackman' } },
      },
    ]);
  });
});

test('the budget tells on the way to its end', () => {
  const budget = stack.one('aws_budgets_budget');
  expect(budget).toMatchObject({ limit_amount: '800', limit_unit: 'USD', time_unit: 'MONTHLY', budget_type: 'COST' });
  const notification = (notification_type: string, threshold: number, topic: string): object => ({
    notification_type,
    threshold,
    threshold_type: 'PERCENTAGE',
    comparison_operator: 'GREATER_THAN',
    subscriber_sns_topic_arns: [topic],
  });
  expect(budget['notification']).toEqual([
    notification('ACTUAL', 80, TICKET),
    notification('FORECASTED', 100, TICKET),
    notification('ACTUAL', 100, PAGE),
  ]);
});

describe('the dashboard', () => {
  interface Widget {
    readonly type: string;
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly properties: Configuration;
  }
  const { widgets } = JSON.parse(stack.one('aws_cloudwatch_dashboard')['dashboard_body'] as string) as {
    widgets: Widget[];
  };
  const titled = (title: string): Widget => widgets.find(({ properties }) => properties['title'] === title)!;

  test('begins with how to read it and the state of every alarm', () => {
    expect(widgets[0]).toMatchObject({ type: 'text', x: 0, y: 0, width: 24 });
    expect(titled('Alarms').properties['alarms']).toHaveLength(alarms.length);
  });

  test('shows freshness against the promise', () => {
    const { properties } = titled('Freshness (seconds behind the sources)');
    expect(properties['metrics']).toEqual([
      ['Trackman', 'Freshness', 'Target', 'lake', { stat: 'Maximum' }],
      ['Trackman', 'Freshness', 'Target', 'dataengineering-db', { stat: 'Maximum' }],
    ]);
    expect(properties['annotations']).toEqual({
      horizontal: [
        { label: 'promise', value: 3600 },
        { label: 'lake is late', value: 2700 },
        { label: 'dataengineering-db is late', value: 3120 },
      ],
    });
  });

  test('shows every metric that an alarm looks at', () => {
    const shown = widgets.flatMap(({ properties }) => (properties['metrics'] ?? []) as unknown[][]);
    for (const each of alarms) {
      const dimensions = Object.entries(each['dimensions'] as Record<string, string>).flat();
      expect(shown).toContainEqual([each['namespace'], each['metric_name'], ...dimensions, expect.anything()]);
    }
  });

  test('places no two widgets upon each other', () => {
    const cells = widgets.flatMap(({ x, y, width, height }) =>
      Array.from({ length: width * height }, (_, n) => `${x + (n % width)},${y + Math.floor(n / width)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24);
  });
});

test('metrics have the names by which the jobs publish them', () => {
  const job = (path: string): string => readFileSync(join(projectRoot, 'glue-jobs', path), 'utf8');
  const { namespace, freshness, lakeTarget, restartLag, confirmedLag } = names.metrics;
  expect(job('freshness.py')).toContain(`METRIC = "${freshness}"`);
  expect(job('freshness.py')).toContain(`LAKE, SERVING = "${lakeTarget}", "${names.serving.identifier}"`);
  for (const path of ['freshness.py', 'trackman/metrics.py']) expect(job(path)).toContain(`NAMESPACE = "${namespace}"`);
  expect(job('trackman/source.py')).toContain(`RESTART_LAG = "${restartLag}"`);
  expect(job('trackman/source.py')).toContain(`CONFIRMED_LAG = "${confirmedLag}"`);
  expect(job('publish.py')).toContain(`"${names.prefixes.frontiers}${names.serving.identifier}.json"`);
});

test('the runbook has a row for every alarm and every rule, and for nothing else', () => {
  const runbook = readFileSync(join(projectRoot, 'docs', 'runbooks', 'alarms.md'), 'utf8');
  const rows = [...runbook.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name!);
  // A row stands for the alarms of every source.
  const explained = rows.map((name) => name.replace('<source>', 'backend'));
  const watched = [...alarms.map(nameOf), ...stack.names('aws_cloudwatch_event_rule')];
  expect(explained.sort()).toEqual(watched.sort());
});
