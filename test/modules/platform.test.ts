import { dev } from '../../envs/dev';
import { defineEnvironment } from '../../envs/environment';
import { synthesize } from './synthesized';

const platform = synthesize(dev);

describe('the dev stack', () => {
  test('keeps its state under a pinned key, encrypted and locked', () => {
    expect(platform.terraform['backend']).toEqual({
      s3: {
        bucket: 'trackman-state-dev-111111111111',
        key: 'trackman-dev/terraform.tfstate',
        region: 'eu-central-1',
        encrypt: true,
        use_lockfile: true,
        allowed_account_ids: ['111111111111'],
      },
    });
  });

  test('is deployed to its own account and region only, by settings that hold on AWS', () => {
    expect(platform.provider['aws']).toEqual([
      {
        region: 'eu-central-1',
        allowed_account_ids: ['111111111111'],
        default_tags: [{ tags: { platform: 'trackman', environment: 'dev', owner: 'data-engineering' } }],
      },
    ]);
  });

  // A name that changes replaces the resource, and with it what it holds.
  test.each([
    [
      'aws_s3_bucket',
      ['trackman-artifacts-dev-111111111111', 'trackman-lake-dev-111111111111', 'trackman-results-dev-111111111111'],
    ],
    ['aws_glue_catalog_database', ['trackman_backend', 'trackman_lake', 'trackman_marts', 'trackman_raw']],
    ['aws_glue_connection', ['trackman-backend']],
    ['aws_glue_crawler', ['sources']],
    ['aws_glue_job', ['ingest', 'migrate', 'publish']],
    ['aws_glue_workflow', ['pipeline']],
    ['aws_glue_trigger', ['pipeline-publish', 'pipeline-schedule']],
    ['aws_db_instance', ['dataengineering-db']],
    [
      'aws_secretsmanager_secret',
      ['trackman/dev/pii-pepper', 'trackman/dev/serving/application', 'trackman/dev/serving/loader'],
    ],
    ['aws_athena_workgroup', ['analysts']],
    ['aws_athena_named_query', ['busiest_hours', 'club_distances', 'longest_drives']],
    [
      'aws_iam_role',
      ['trackman-analyst', 'trackman-crawler', 'trackman-ingest', 'trackman-migrate', 'trackman-publish'],
    ],
  ])('%s names are pinned', (type, names) => {
    expect(platform.names(type)).toEqual(names);
  });

  test('no secret has a value in the configuration', () => {
    expect(platform.types()).not.toContain('aws_secretsmanager_secret_version');
    expect(platform.one('aws_db_instance')).toMatchObject({ manage_master_user_password: true });
    expect(platform.one('aws_db_instance')).not.toHaveProperty('password');
  });
});

describe('a further environment', () => {
  const staging = synthesize(
    defineEnvironment({ name: 'staging', account: '222222222222', region: 'eu-west-1', tags: { costCentre: '42' } }),
  );

  test('has its own state, account and global names', () => {
    expect(staging.terraform['backend']).toMatchObject({
      s3: {
        bucket: 'trackman-state-staging-222222222222',
        key: 'trackman-staging/terraform.tfstate',
        region: 'eu-west-1',
      },
    });
    expect(staging.provider['aws']).toMatchObject([
      {
        region: 'eu-west-1',
        allowed_account_ids: ['222222222222'],
        default_tags: [{ tags: { environment: 'staging', owner: 'data-engineering', costCentre: '42' } }],
      },
    ]);
    expect(staging.names('aws_s3_bucket')).toEqual([
      'trackman-artifacts-staging-222222222222',
      'trackman-lake-staging-222222222222',
      'trackman-results-staging-222222222222',
    ]);
  });

  test('has the same names of everything that is the account’s own', () => {
    for (const type of [
      'aws_glue_catalog_database',
      'aws_glue_job',
      'aws_athena_workgroup',
      'aws_iam_role',
      'aws_db_instance',
    ]) {
      expect(staging.names(type)).toEqual(platform.names(type));
    }
  });

  test('names nothing of another', () => {
    expect(JSON.stringify(staging)).not.toMatch(/111111111111|trackman-dev|trackman\/dev|eu-central-1/);
  });

  test('resists deletion unless it says otherwise', () => {
    expect(staging.one('aws_db_instance')).toMatchObject({
      deletion_protection: true,
      skip_final_snapshot: false,
      final_snapshot_identifier: 'dataengineering-db-final',
    });
    expect(staging.all('aws_s3_bucket').map((bucket) => bucket['force_destroy'] as boolean)).toEqual([
      false,
      false,
      false,
    ]);
    expect(
      new Set(staging.all('aws_secretsmanager_secret').map((secret) => secret['recovery_window_in_days'] as number)),
    ).toEqual(new Set([30]));
    expect(platform.one('aws_db_instance')).toMatchObject({ deletion_protection: false, skip_final_snapshot: true });
    expect(platform.all('aws_s3_bucket').map((bucket) => bucket['force_destroy'] as boolean)).toEqual([
      true,
      true,
      true,
    ]);
  });
});
