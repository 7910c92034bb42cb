import { environments } from '../../envs';
import { dev } from '../../envs/dev';
import { defineEnvironment, type Environment } from '../../envs/environment';
import { prod } from '../../envs/prod';
import { staging } from '../../envs/staging';
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
    ['aws_glue_connection', ['trackman-backend', 'trackman-network']],
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

test('a fourth environment is one file, and one line in envs/index.ts', () => {
  const qa = defineEnvironment({
    name: 'qa',
    account: '444444444444',
    region: 'eu-west-1',
    network: { cidr: '10.44.0.0/16' },
  });
  const platform = synthesize(qa);
  expect(platform.terraform['backend']).toMatchObject({
    s3: {
      bucket: 'trackman-state-qa-444444444444',
      key: 'trackman-qa/terraform.tfstate',
      region: 'eu-west-1',
      allowed_account_ids: ['444444444444'],
    },
  });
  const types = synthesize({ ...staging, alarms: qa.alarms }).types(); // nobody subscribes until it is said who
  expect(platform.types()).toEqual(types);
  for (const type of ['aws_glue_catalog_database', 'aws_glue_job', 'aws_athena_workgroup', 'aws_iam_role']) {
    expect(platform.names(type)).toEqual(synthesize(staging).names(type));
  }
  expect(JSON.stringify(platform)).not.toMatch(/333333333333|222222222222|111111111111|eu-central-1/);
});
