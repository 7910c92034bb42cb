import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dev } from '../../envs/dev';
import { defineEnvironment } from '../../envs/environment';
import { Bucket } from '../../modules/bucket';
import { GlueSecurity } from '../../modules/glue-security';
import { Key } from '../../modules/key';
import { artifactFiles, JobArtifacts } from '../../modules/pipeline/artifacts';
import { loadMarts } from '../../modules/pipeline/marts';
import { GlueJob, type GlueJobProps } from '../../modules/pipeline/glue-job';
import { resolveContracts } from '../../sources/contract';
import { emptyStack } from './stack';
import { Synthesized, synthesize } from './synthesized';

const platform = synthesize(dev);
const job = (name: string) => platform.one('aws_glue_job', name);
const argumentsOf = (name: string) => job(name)['default_arguments'] as Record<string, string>;
const ARTIFACTS = 's3://trackman-artifacts-dev-111111111111';

test('ingest-files is told where files land', () => {
  expect(argumentsOf('ingest-files')['--landing-bucket']).toBe('trackman-landing-dev-111111111111');
});

describe.each(['ingest', 'snapshot', 'publish', 'ingest-files', 'maintain'])('Spark job %s', (name) => {
  test('runs on the pinned Glue version, one run at a time', () => {
    expect(job(name)).toMatchObject({
      command: { name: 'glueetl', python_version: '3' },
      glue_version: '5.1',
      execution_class: 'STANDARD',
      worker_type: 'G.1X',
      number_of_workers: 2,
      execution_property: { max_concurrent_runs: 1 },
      role_arn: `<aws_iam_role trackman-${name} arn>`,
    });
  });

  test('takes as many workers as there is work for, is measured, and keeps no bookmarks of Glue', () => {
    expect(argumentsOf(name)).toMatchObject({
      '--enable-auto-scaling': 'true',
      '--enable-metrics': 'true',
      '--enable-observability-metrics': 'true',
      '--enable-spark-ui': 'false',
      '--job-bookmark-option': 'job-bookmark-disable',
    });
  });

  test('is given libraries by the hashes of their content, and fetches nothing else', () => {
    expect(job(name)['command']).toMatchObject({
      script_location: expect.stringMatching(new RegExp(`^${ARTIFACTS}/jobs/${name}-[0-9a-f]{16}\\.py$`)),
    });
    expect(argumentsOf(name)).toMatchObject({
      '--extra-py-files': expect.stringMatching(
        new RegExp(`^${ARTIFACTS}/jobs/trackman-[0-9a-f]{16}\\.zip,${ARTIFACTS}/jobs/pg8000-[0-9a-f]{16}\\.zip$`),
      ),
      '--additional-python-modules': expect.stringMatching(
        new RegExp(`^${ARTIFACTS}/jobs/trackman-[0-9a-f]{16}\\.gluewheels\\.zip$`),
      ),
      '--python-modules-installer-option': '--no-index',
    });
  });

  test('has the Iceberg catalog, in one argument', () => {
    expect(argumentsOf(name)['--datalake-formats']).toBe('iceberg');
    expect(argumentsOf(name)['--conf']!.split(' --conf ')).toEqual([
      'spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions',
      'spark.sql.catalog.glue_catalog=org.apache.iceberg.spark.SparkCatalog',
      'spark.sql.catalog.glue_catalog.catalog-impl=org.apache.iceberg.aws.glue.GlueCatalog',
      'spark.sql.catalog.glue_catalog.io-impl=org.apache.iceberg.aws.s3.S3FileIO',
      'spark.sql.catalog.glue_catalog.warehouse=s3://trackman-lake-dev-111111111111/',
      'spark.sql.session.timeZone=UTC',
    ]);
  });

  test('is told where the contracts and the lake are', () => {
    expect(argumentsOf(name)).toMatchObject({
      '--contracts': expect.stringMatching(new RegExp(`^${ARTIFACTS}/contracts/[0-9a-f]{16}\\.json$`)),
      '--lake': 's3://trackman-lake-dev-111111111111',
      '--raw-database': 'trackman_raw',
      '--lake-database': 'trackman_lake',
    });
  });
});

test.each([
  ['ingest', 8, 24, 1],
  ['publish', 8, 24, 1],
  ['ingest-files', 8, 24, 0],
  ['snapshot', 160, 480, 0],
  ['maintain', 60, 180, 0],
  ['migrate', 5, 15, 0],
])('%s is late after %i minutes, ended after %i and repeated %i times', (name, late, end, retries) => {
  expect(job(name)).toMatchObject({
    notification_property: { notify_delay_after: late },
    timeout: end,
    max_retries: retries,
  });
});

test('publish is told where the marts are, and maintain', () => {
  expect(argumentsOf('publish')).toMatchObject({
    '--marts': expect.stringMatching(new RegExp(`^${ARTIFACTS}/marts/[0-9a-f]{16}\\.json$`)),
    '--marts-database': 'trackman_marts',
  });
  expect(argumentsOf('maintain')).toMatchObject({ '--marts-database': 'trackman_marts' });
});

test('publish is told where dataengineering-db is, and no password', () => {
  expect(argumentsOf('publish')).toMatchObject({
    '--serving-host': '<aws_db_instance dataengineering-db address>',
    '--serving-port': '<aws_db_instance dataengineering-db port>',
    '--serving-database': 'dataengineering',
    '--serving-secret': 'trackman/dev/serving/loader',
    '--serving-ca-parameter': '/trackman/dev/serving/ca',
  });
});

test('migrate is a Python shell job with pure Python only', () => {
  expect(job('migrate')).toMatchObject({
    command: { name: 'pythonshell', python_version: '3.9' },
    max_capacity: 0.0625,
    max_retries: 0,
    timeout: 15,
    execution_property: { max_concurrent_runs: 1 },
  });
  expect(argumentsOf('migrate')).toEqual({
    '--extra-py-files': expect.stringMatching(new RegExp(`^${ARTIFACTS}/jobs/pg8000-[0-9a-f]{16}\\.zip$`)),
    '--host': '<aws_db_instance dataengineering-db address>',
    '--port': '<aws_db_instance dataengineering-db port>',
    '--database': 'dataengineering',
    '--ca-parameter': '/trackman/dev/serving/ca',
    '--master-secret': '<aws_db_instance dataengineering-db master_user_secret[0].secret_arn>',
    '--loader-secret': 'trackman/dev/serving/loader',
    '--application-secret': 'trackman/dev/serving/application',
    '--pepper-secret': 'trackman/dev/pii-pepper',
  });
});

test('the workflow starts ingest on its schedule and publish after it, and nothing waits for the crawler', () => {
  expect(platform.one('aws_glue_workflow', 'pipeline')).toMatchObject({ max_concurrent_runs: 1 });
  expect(platform.one('aws_glue_trigger', 'pipeline-schedule')).toMatchObject({
    workflow_name: 'pipeline',
    type: 'SCHEDULED',
    schedule: 'cron(10,40 * * * ? *)',
    actions: [{ job_name: 'ingest' }],
  });
  expect(platform.one('aws_glue_trigger', 'pipeline-publish')).toMatchObject({
    workflow_name: 'pipeline',
    type: 'CONDITIONAL',
    predicate: { conditions: [{ job_name: 'ingest', state: 'SUCCEEDED' }] },
    actions: [{ job_name: 'publish' }],
  });
  expect(JSON.stringify(platform.all('aws_glue_trigger'))).not.toContain('crawl');
});

describe('what lands', () => {
  test('starts ingest-files by the one trigger of a workflow that has one run at a time', () => {
    expect(platform.one('aws_glue_workflow', 'landing')).toMatchObject({ max_concurrent_runs: 1 });
    expect(platform.one('aws_glue_trigger', 'landing-event')).toMatchObject({
      workflow_name: 'landing',
      type: 'EVENT',
      event_batching_condition: [{ batch_size: 100, batch_window: 300 }],
      actions: [{ job_name: 'ingest-files' }],
    });
    const starters = platform.all('aws_glue_trigger').filter((each) => JSON.stringify(each).includes('"ingest-files"'));
    expect(starters).toHaveLength(1);
  });

  test('is announced, and looked for on a schedule, in the same way', () => {
    expect(
      JSON.parse(platform.one('aws_cloudwatch_event_rule', 'trackman-landing-objects')['event_pattern'] as string),
    ).toEqual({
      source: ['aws.s3'],
      'detail-type': ['Object Created'],
      detail: {
        bucket: { name: ['trackman-landing-dev-111111111111'] },
        object: { key: [{ prefix: 'telemetry/' }] },
      },
    });
    expect(platform.one('aws_cloudwatch_event_rule', 'trackman-landing-schedule')).toMatchObject({
      schedule_expression: 'cron(5 0,6,12,18 * * ? *)',
    });
    const target = {
      arn: '<aws_glue_workflow landing arn>',
      role_arn: '<aws_iam_role trackman-landing-events arn>',
      target_id: 'landing',
    };
    const targets = platform.all('aws_cloudwatch_event_target');
    expect(targets.filter(({ rule }) => (rule as string).startsWith('trackman-landing'))).toEqual([
      expect.objectContaining({ ...target, rule: 'trackman-landing-objects' }),
      expect.objectContaining({ ...target, rule: 'trackman-landing-schedule' }),
    ]);
  });

  test('is not tried again by Glue, which could overlap with the next start', () => {
    expect(job('ingest-files')).toMatchObject({ max_retries: 0, execution_property: { max_concurrent_runs: 1 } });
  });
});

test('maintain starts once a day, outside of any workflow', () => {
  expect(platform.one('aws_glue_trigger', 'maintain-schedule')).toMatchObject({
    type: 'SCHEDULED',
    schedule: 'cron(25 2 * * ? *)',
    actions: [{ job_name: 'maintain' }],
  });
  expect(platform.one('aws_glue_trigger', 'maintain-schedule')).not.toHaveProperty('workflow_name');
  expect(argumentsOf('maintain')['--snapshot-days']).toBe('7');
  expect(argumentsOf('maintain')['--serving-frontiers']).toMatch(/\/_trackman\/frontiers\/dataengineering-db\.json$/);
});

test.each([
  ['ingest', ['club-memberships', 'trackman-backend']],
  ['publish', ['trackman-network']],
  ['migrate', ['trackman-network']],
  ['ingest-files', []],
  ['maintain', []],
])('%s runs through %j', (name, connections) => {
  expect(job(name)['connections'] ?? []).toEqual(connections);
});

describe.each(['ingest', 'snapshot', 'publish', 'ingest-files', 'maintain', 'migrate'])('logs of %s', (name) => {
  const groups = platform
    .all('aws_cloudwatch_log_group')
    .filter((group) => (group['name'] as string).includes(`/trackman-${name}/`));

  test('are kept for a time, under the key, in groups that are there before', () => {
    expect(groups.map((group) => (group['name'] as string).split('/').at(-1))).toEqual(['error', 'output']);
    for (const group of groups) {
      expect(group).toMatchObject({ retention_in_days: 14, kms_key_id: expect.stringContaining('aws_kms_key') });
    }
    expect(job(name)['depends_on']).toHaveLength(2);
    expect(job(name)['security_configuration']).toBe('trackman');
  });
});

test('Glue encrypts logs, bookmarks and what it writes to S3', () => {
  const key = expect.stringContaining('aws_kms_key');
  expect(platform.one('aws_glue_security_configuration')['encryption_configuration']).toEqual({
    cloudwatch_encryption: { cloudwatch_encryption_mode: 'SSE-KMS', kms_key_arn: key },
    job_bookmarks_encryption: { job_bookmarks_encryption_mode: 'CSE-KMS', kms_key_arn: key },
    s3_encryption: { s3_encryption_mode: 'SSE-KMS', kms_key_arn: key },
  });
});

test('where AWS manages the key, there is no configuration, and all write to Glue’s common groups', () => {
  const other = synthesize({ ...dev, encryptionKey: 'aws' });
  expect(other.types()).not.toContain('aws_glue_security_configuration');
  expect(other.names('aws_cloudwatch_log_group').filter((name) => name.startsWith('/aws-glue/'))).toEqual([
    '/aws-glue/crawlers',
    '/aws-glue/jobs/error',
    '/aws-glue/jobs/output',
    '/aws-glue/python-jobs/error',
    '/aws-glue/python-jobs/output',
  ]);
  expect(other.one('aws_glue_job', 'ingest')).not.toHaveProperty('security_configuration');
});

test('sizes, budgets and schedules are the environment’s', () => {
  const other = synthesize(
    defineEnvironment({
      name: 'other',
      account: '333333333333',
      network: { cidr: '10.53.0.0/16' },
      alarms: { page: ['on-call@example.com'] },
      latency: { promiseMinutes: 120, lakeWarnMinutes: 90, servingWarnMinutes: 100, ingestMinutes: 20 },
      schedules: { pipeline: { everyMinutes: 60, offsetMinutes: 5 }, crawl: { everyMinutes: 360, offsetMinutes: 90 } },
      sparkJobs: { workerType: 'G.2X', workers: 5 },
    }),
  );
  expect(other.one('aws_glue_job', 'ingest')).toMatchObject({
    worker_type: 'G.2X',
    number_of_workers: 5,
    notification_property: { notify_delay_after: 20 },
    timeout: 60,
  });
  expect(other.one('aws_glue_trigger', 'pipeline-schedule')).toMatchObject({ schedule: 'cron(5 * * * ? *)' });
  expect(other.one('aws_glue_crawler')).toMatchObject({ schedule: 'cron(30 1,7,13,19 * * ? *)' });
});

test('an argument without its hyphens is refused', () => {
  const stack = emptyStack();
  const key = new Key(stack, 'key', { name: 'k', location: dev, managedBy: 'aws', deletionProtection: true });
  const props: GlueJobProps = {
    name: 'j',
    description: '',
    roleName: 'r',
    engine: { kind: 'python-shell' },
    script: 's3://b/j.py',
    arguments: { host: 'h' },
    budgetMinutes: 5,
    retries: 0,
    connections: [],
    security: new GlueSecurity(stack, 'security', { name: 's', location: dev, key, retentionDays: 30 }),
  };
  expect(() => new GlueJob(stack, 'job', props)).toThrow(
    'argument of job j is "host": expected a name that begins with two hyphens',
  );
});

describe('job artifacts', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'artifacts-'));
    const files: Record<string, string> = {
      'glue-jobs/ingest.py': 'print(1)',
      'glue-jobs/trackman/__init__.py': '',
      'dist/jobs/trackman.gluewheels.zip': 'wheels',
      'dist/jobs/pg8000.zip': 'libraries',
    };
    for (const [path, content] of Object.entries(files)) write(path, content);
  });

  afterEach(() => rmSync(root, { recursive: true }));

  function write(path: string, content: string): void {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }

  /** Keys of the objects that are uploaded. */
  function keys(contracts: unknown = []): string[] {
    const stack = emptyStack();
    const bucket = new Bucket(stack, 'bucket', { name: 'artifacts', deletionProtection: true });
    const files = artifactFiles(root);
    new JobArtifacts(stack, 'artifacts', { bucket, files, scripts: ['ingest'], contracts, marts: [] });
    return new Synthesized(stack).all('aws_s3_object').map((object) => object['key'] as string);
  }

  test('are named by their content', () => {
    expect(keys()).toEqual([
      'contracts/4f53cda18c2baa0c.json', // sha256 of "[]"
      'jobs/ingest-d287bb7f9d15abdc.py', // of "print(1)"
      'jobs/pg8000-01cfc309bfc026dd.zip', // of "libraries"
      expect.stringMatching(/^jobs\/trackman-[0-9a-f]{16}\.zip$/),
      'marts/4f53cda18c2baa0c.json',
      expect.stringMatching(/^jobs\/trackman-[0-9a-f]{16}\.gluewheels\.zip$/),
    ]);
  });

  test('keep their names as long as their content is the same, whatever Python compiled meanwhile', () => {
    const before = keys();
    write('glue-jobs/trackman/__pycache__/__init__.cpython-311.pyc', 'compiled');
    expect(keys()).toEqual(before);
  });

  test('change only the name of what changed', () => {
    const before = keys();
    write('glue-jobs/trackman/log/peek.py', 'pass');
    const after = keys();
    expect(after.filter((key) => !before.includes(key))).toEqual([
      expect.stringMatching(/^jobs\/trackman-[0-9a-f]{16}\.zip$/),
    ]);
    expect(keys([{ source: 'x' }]).filter((key) => !after.includes(key))).toEqual([
      expect.stringMatching(/^contracts\/[0-9a-f]{16}\.json$/),
    ]);
  });

  test('that the set-up has not made are named, with what to do', () => {
    rmSync(join(root, 'dist/jobs/pg8000.zip'));
    expect(() => keys()).toThrow(
      `job artifact is "${join(root, 'dist/jobs/pg8000.zip')}": expected a file that the set-up makes ` +
        'or the repository holds; run: node scripts/setup.mjs',
    );
  });

  test('are uploaded when the bucket encrypts under the key', () => {
    for (const object of platform.all('aws_s3_object')) {
      expect(object['depends_on']).toEqual([
        expect.stringMatching(/^aws_s3_bucket_server_side_encryption_configuration\.lake_artifacts_encryption/),
      ]);
    }
  });

  test('the contracts are those of the environment', () => {
    const contracts = platform
      .all('aws_s3_object')
      .find((object) => (object['key'] as string).startsWith('contracts/'))!;
    expect(JSON.parse(contracts['content'] as string)).toEqual(resolveContracts(dev));
  });

  test('the marts are those of the repository', () => {
    const marts = platform.all('aws_s3_object').find((object) => (object['key'] as string).startsWith('marts/'))!;
    expect(JSON.parse(marts['content'] as string)).toEqual(loadMarts());
  });
});
