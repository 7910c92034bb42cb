import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import project from '../../cdktf.json';
import { environments } from '../../envs';
import { dev } from '../../envs/dev';
import type { Environment } from '../../envs/environment';
import { prod } from '../../envs/prod';
import { staging } from '../../envs/staging';
import { projectRoot } from '../../modules/project';
import { synthesize, type Configuration } from './synthesized';

/** Pinned here, not computed: a state key or a name that changes loses or replaces what it stands for. */
const STATES = {
  dev: { bucket: 'trackman-state-dev-111111111111', key: 'trackman-dev/terraform.tfstate', account: '111111111111' },
  staging: {
    bucket: 'trackman-state-staging-222222222222',
    key: 'trackman-staging/terraform.tfstate',
    account: '222222222222',
  },
  prod: { bucket: 'trackman-state-prod-333333333333', key: 'trackman-prod/terraform.tfstate', account: '333333333333' },
};

/** Below /aws-glue/: where Glue logs to, for each job's role. */
function logsOf(writer: string, jobs: readonly string[]): string[] {
  return jobs.flatMap((job) => ['error', 'output'].map((part) => `${writer}/trackman-role/trackman-${job}/${part}`));
}

describe.each(environments)('the stack of $name', (environment) => {
  const platform = synthesize(environment);
  const { name } = environment;
  const state = STATES[name as keyof typeof STATES];
  const bucket = (purpose: string): string => `trackman-${purpose}-${name}-${state.account}`;

  test('keeps its state under a pinned key, encrypted and locked', () => {
    expect(platform.terraform['backend']).toEqual({
      s3: {
        bucket: state.bucket,
        key: state.key,
        region: 'eu-central-1',
        encrypt: true,
        use_lockfile: true,
        allowed_account_ids: [state.account],
      },
    });
  });

  test('is deployed to its own account and region only, by settings that hold on AWS', () => {
    expect(platform.provider['aws']).toEqual([
      {
        region: 'eu-central-1',
        allowed_account_ids: [state.account],
        default_tags: [
          {
            tags: {
              platform: 'trackman',
              environment: name,
              owner: 'data-engineering',
              costCentre: 'golf-data',
              dataClassification: 'confidential',
              commit: 'uncommitted',
            },
          },
        ],
      },
    ]);
  });

  test.each([
    ['aws_s3_bucket', ['artifacts', 'lake', 'landing', 'logs', 'results'].map(bucket)],
    ['aws_glue_catalog_database', ['trackman_backend', 'trackman_lake', 'trackman_marts', 'trackman_raw']],
    ['aws_glue_connection', ['club-memberships', 'trackman-backend', 'trackman-network']],
    ['aws_glue_crawler', ['sources']],
    ['aws_glue_classifier', ['telemetry-csv', 'telemetry-json']],
    ['aws_glue_security_configuration', ['trackman']],
    ['aws_glue_job', ['freshness', 'ingest', 'ingest-files', 'maintain', 'migrate', 'publish', 'snapshot']],
    ['aws_glue_workflow', ['landing', 'pipeline']],
    [
      'aws_glue_trigger',
      ['freshness-schedule', 'landing-event', 'maintain-schedule', 'pipeline-publish', 'pipeline-schedule'],
    ],
    [
      'aws_cloudwatch_event_rule',
      [
        'trackman-background-job-failed',
        'trackman-crawler-failed',
        'trackman-job-failed',
        'trackman-job-late',
        'trackman-landing-objects',
        'trackman-landing-schedule',
      ],
    ],
    ['aws_db_instance', ['dataengineering-db']],
    [
      'aws_secretsmanager_secret',
      [`trackman/${name}/pii-pepper`, `trackman/${name}/serving/application`, `trackman/${name}/serving/loader`],
    ],
    ['aws_athena_workgroup', ['analysts', 'pipeline']],
    ['aws_athena_named_query', ['busiest_hours', 'club_distances', 'longest_drives']],
    ['aws_iam_policy', ['trackman-analysts']],
    ['aws_kms_alias', ['alias/trackman']],
    ['aws_vpc', ['trackman']],
    ['aws_security_group', ['endpoints', 'glue', 'serving-db', 'warehouse'].map((each) => `trackman-${each}`)],
    ['aws_db_subnet_group', ['dataengineering-db']],
    ['aws_db_parameter_group', ['dataengineering-db']],
    ['aws_redshiftserverless_namespace', ['trackman']],
    ['aws_redshiftserverless_workgroup', ['trackman']],
    ['aws_sns_topic', ['trackman-page', 'trackman-ticket']],
    ['aws_cloudwatch_dashboard', ['trackman']],
    ['aws_budgets_budget', ['trackman']],
    [
      'aws_cloudwatch_metric_alarm',
      [
        'dataengineering-db-cpu-high',
        'dataengineering-db-late',
        'dataengineering-db-promise-broken',
        'dataengineering-db-storage-low',
        'lake-late',
        'lake-promise-broken',
        'slot-confirmed-lag-critical-trackman-backend',
        'slot-confirmed-lag-high-trackman-backend',
        'slot-restart-lag-critical-trackman-backend',
        'slot-restart-lag-high-trackman-backend',
      ].map((each) => `trackman-${each}`),
    ],
    [
      'aws_iam_role',
      [
        'analyst',
        'crawler',
        ...(name === 'dev' ? [] : ['database-monitoring']), // dev has no metrics of the operating system
        'freshness',
        'ingest',
        'ingest-files',
        'landing-events',
        'maintain',
        'migrate',
        'publish',
        'snapshot',
        'spectrum',
      ].map((each) => `trackman-${each}`),
    ],
    [
      'aws_cloudwatch_log_group',
      [
        ...[
          'crawlers-role/trackman-crawler-trackman',
          ...logsOf('jobs', ['ingest', 'ingest-files', 'maintain', 'publish', 'snapshot']),
        ],
        ...logsOf('python-jobs', ['freshness', 'migrate']),
      ]
        .map((each) => `/aws-glue/${each}`)
        .concat(
          ['postgresql', 'upgrade'].map((each) => `/aws/rds/instance/dataengineering-db/${each}`),
          ['connectionlog', 'useractivitylog', 'userlog'].map((each) => `/aws/redshift/trackman/${each}`),
        )
        .sort(),
    ],
  ])('%s names are pinned', (type, names) => {
    expect(platform.names(type)).toEqual(names);
  });

  test('no secret has a value in the configuration', () => {
    expect(platform.types()).not.toContain('aws_secretsmanager_secret_version');
    expect(platform.one('aws_db_instance')).toMatchObject({ manage_master_user_password: true });
    expect(platform.one('aws_db_instance')).not.toHaveProperty('password');
  });

  test('names nothing of another', () => {
    const others = environments.filter((other) => other !== environment);
    const traces = others.flatMap((other) => [other.account, `trackman-${other.name}`, `trackman/${other.name}`]);
    expect(JSON.stringify(platform)).not.toMatch(new RegExp(traces.join('|')));
  });
});

/** What holds data, and how it says that it cannot be removed. */
const PROTECTED: Record<string, (resource: Configuration) => object> = {
  aws_s3_bucket: ({ force_destroy }) => ({ force_destroy: force_destroy as boolean }),
  aws_db_instance: ({ deletion_protection, skip_final_snapshot }) => ({ deletion_protection, skip_final_snapshot }),
  aws_secretsmanager_secret: ({ recovery_window_in_days }) => ({ recovery_window_in_days }),
  aws_kms_key: () => ({}),
  aws_glue_catalog_database: () => ({}),
};

describe('what holds data', () => {
  const describeProtection = (environment: Environment, type: string): unknown[] =>
    synthesize(environment)
      .all(type)
      .map((resource) => ({ ...(resource['lifecycle'] as object), ...PROTECTED[type]!(resource) }));

  test.each([staging, prod])('cannot be removed by accident in $name', (environment) => {
    const all = (type: string): Set<string> =>
      new Set(describeProtection(environment, type).map((each) => JSON.stringify(each)));
    expect(all('aws_s3_bucket')).toEqual(new Set(['{"prevent_destroy":true,"force_destroy":false}']));
    expect(all('aws_db_instance')).toEqual(
      new Set(['{"prevent_destroy":true,"deletion_protection":true,"skip_final_snapshot":false}']),
    );
    expect(all('aws_secretsmanager_secret')).toEqual(
      new Set(['{"prevent_destroy":true,"recovery_window_in_days":30}']),
    );
    expect(all('aws_kms_key')).toEqual(new Set(['{"prevent_destroy":true}']));
    expect(all('aws_glue_catalog_database')).toEqual(new Set(['{"prevent_destroy":true}']));
  });

  test('can be removed in dev, where both keys are turned', () => {
    expect(describeProtection(dev, 'aws_db_instance')).toEqual([
      { prevent_destroy: false, deletion_protection: false, skip_final_snapshot: true },
    ]);
    expect(describeProtection(dev, 'aws_kms_key')).toEqual([{ prevent_destroy: false }]);
  });

  test('is not let go by one key: neither by the environment nor by the list alone', () => {
    expect(() => synthesize({ ...prod, deletionProtection: false })).toThrow(
      'deletionProtection of environment prod is false: expected true, for prod is not one of the destroyable ' +
        'environments: dev; set it in envs/prod.ts; if its data may really be lost, add prod to destroyable in cdktf.json',
    );
    const listed = synthesize(prod, { destroyable: ['dev', 'prod'] });
    expect(listed.one('aws_db_instance')).toMatchObject({ deletion_protection: true });
  });
});

describe('a fourth environment is one file, and its place in envs/index.ts', () => {
  let checkout: string;

  beforeAll(() => {
    checkout = mkdtempSync(join(tmpdir(), 'checkout-'));
    const copied = ['main.ts', 'cdktf.json', 'tsconfig.json', 'envs'];
    for (const entry of readdirSync(projectRoot)) {
      if (!copied.includes(entry)) symlinkSync(join(projectRoot, entry), join(checkout, entry));
    }
    for (const entry of copied) cpSync(join(projectRoot, entry), join(checkout, entry), { recursive: true });
  });

  afterAll(() => rmSync(checkout, { recursive: true }));

  /** What the app of cdktf.json makes of the checkout: stack → configuration. */
  function synthesizeApp(): Map<string, string> {
    const out = join(checkout, 'out');
    const env = { ...process.env, CDKTF_OUTDIR: out, CDKTF_CONTEXT_JSON: JSON.stringify(project.context) };
    execFileSync(process.execPath, project.app.split(' ').slice(1), { cwd: checkout, env, stdio: 'pipe' });
    return new Map(
      readdirSync(join(out, 'stacks')).map((stack) => [
        stack,
        readFileSync(join(out, 'stacks', stack, 'cdk.tf.json'), 'utf8'),
      ]),
    );
  }

  test('its stacks are there, of its own account, and no other has changed', () => {
    const before = synthesizeApp();
    writeFileSync(
      join(checkout, 'envs/qa.ts'),
      `import { defineEnvironment } from './environment';

export const qa = defineEnvironment({
  name: 'qa',
  account: '444444444444',
  region: 'eu-west-1',
  network: { cidr: '10.44.0.0/16' },
  alarms: { page: ['data-engineering@example.com'], ticket: ['data-engineering@example.com'] },
});
`,
    );
    const index = join(checkout, 'envs/index.ts');
    const text = readFileSync(index, 'utf8').replace('[dev, staging,', '[dev, qa, staging,');
    writeFileSync(index, `import { qa } from './qa';\n${text}`);

    const after = synthesizeApp();
    expect([...after.keys()].filter((stack) => !before.has(stack))).toEqual(['trackman-access-qa', 'trackman-qa']);
    for (const [stack, configuration] of before) expect(after.get(stack)).toBe(configuration);
    const qa = after.get('trackman-qa')!;
    const { terraform, resource } = JSON.parse(qa) as Record<string, Configuration>;
    expect(terraform).toMatchObject({
      backend: {
        s3: {
          bucket: 'trackman-state-qa-444444444444',
          key: 'trackman-qa/terraform.tfstate',
          region: 'eu-west-1',
          allowed_account_ids: ['444444444444'],
        },
      },
    });
    expect(Object.keys(resource!).sort()).toEqual(synthesize(staging).types().sort());
    expect(qa + after.get('trackman-access-qa')!).not.toMatch(/333333333333|222222222222|111111111111|eu-central-1/);
  });
});
