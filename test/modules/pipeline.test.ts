import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dev } from '../../envs/dev';
import { defineEnvironment } from '../../envs/environment';
import { Bucket } from '../../modules/bucket';
import { artifactFiles, JobArtifacts } from '../../modules/pipeline/artifacts';
import { GlueJob, type GlueJobProps } from '../../modules/pipeline/glue-job';
import { resolveContracts } from '../../sources/contract';
import { emptyStack } from './stack';
import { Synthesized, synthesize } from './synthesized';

const platform = synthesize(dev);
const job = (name: string) => platform.one('aws_glue_job', name);
const argumentsOf = (name: string) => job(name)['default_arguments'] as Record<string, string>;
const ARTIFACTS = 's3://trackman-artifacts-dev-111111111111';

describe.each(['ingest', 'publish'])('Spark job %s', (name) => {
  test('runs on the pinned Glue version, one run at a time', () => {
    expect(job(name)).toMatchObject({
      command: { name: 'glueetl', python_version: '3' },
      glue_version: '5.1',
      execution_class: 'STANDARD',
      worker_type: 'G.1X',
      number_of_workers: 2,
      execution_property: { max_concurrent_runs: 1 },
      max_retries: 1,
      role_arn: `<aws_iam_role trackman-${name} arn>`,
    });
  });

  test('is late after its budget and ended after three times that', () => {
    expect(job(name)).toMatchObject({ notification_property: { notify_delay_after: 8 }, timeout: 24 });
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
  expect(platform.one('aws_glue_workflow')).toMatchObject({ name: 'pipeline', max_concurrent_runs: 1 });
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

test('sizes, budgets and schedules are the environment’s', () => {
  const other = synthesize(
    defineEnvironment({
      name: 'other',
      account: '333333333333',
      network: { cidr: '10.53.0.0/16' },
      latency: { promiseMinutes: 120, ingestMinutes: 20 },
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
  const props: GlueJobProps = {
    name: 'j',
    description: '',
    roleName: 'r',
    location: dev,
    engine: { kind: 'python-shell' },
    script: 's3://b/j.py',
    arguments: { host: 'h' },
    budgetMinutes: 5,
  };
  expect(() => new GlueJob(emptyStack(), 'job', props)).toThrow(
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
    new JobArtifacts(stack, 'artifacts', { bucket, files: artifactFiles(root), scripts: ['ingest'], contracts });
    return new Synthesized(stack).all('aws_s3_object').map((object) => object['key'] as string);
  }

  test('are named by their content', () => {
    expect(keys()).toEqual([
      'contracts/4f53cda18c2baa0c.json', // sha256 of "[]"
      'jobs/ingest-d287bb7f9d15abdc.py', // of "print(1)"
      'jobs/pg8000-01cfc309bfc026dd.zip', // of "libraries"
      expect.stringMatching(/^jobs\/trackman-[0-9a-f]{16}\.zip$/),
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

  test('the contracts are those of the environment', () => {
    const contracts = platform
      .all('aws_s3_object')
      .find((object) => (object['key'] as string).startsWith('contracts/'))!;
    expect(JSON.parse(contracts['content'] as string)).toEqual(resolveContracts(dev));
  });
});
