import { loadPackagedQueries } from '../../athena-queries/packaged-query';
import { dev } from '../../envs/dev';
import { defineEnvironment } from '../../envs/environment';
import { synthesize } from './synthesized';

const platform = synthesize(dev);

test.each(['analysts', 'pipeline'])('the settings of workgroup %s hold whatever a client asks', (name) => {
  expect(platform.one('aws_athena_workgroup', name)).toMatchObject({
    name,
    configuration: {
      enforce_workgroup_configuration: true,
      bytes_scanned_cutoff_per_query: 10_000_000_000,
      engine_version: { selected_engine_version: 'Athena engine version 3' },
      result_configuration: {
        output_location: `s3://trackman-results-dev-111111111111/${name}/`,
        encryption_configuration: { encryption_option: 'SSE_KMS', kms_key_arn: expect.stringContaining('aws_kms_key') },
        expected_bucket_owner: '111111111111',
      },
    },
  });
});

test.each(loadPackagedQueries())('$name is a named query of the workgroup', ({ name, sql, description }) => {
  expect(platform.one('aws_athena_named_query', name)).toMatchObject({
    workgroup: 'analysts',
    database: 'trackman_lake',
    query: sql,
    description,
  });
});

test.each(loadPackagedQueries())(
  '$name is a prepared statement when it has parameters',
  ({ name, sql, parameters }) => {
    const statements = platform.all('aws_athena_prepared_statement').filter((each) => each['name'] === name);
    expect(statements).toEqual(
      parameters.length === 0 ? [] : [expect.objectContaining({ workgroup: 'analysts', query_statement: sql })],
    );
  },
);

test('analysts get a policy that administrators can attach, and a role that has it', () => {
  expect(platform.one('aws_iam_role_policy_attachment')).toMatchObject({
    role: 'trackman-analyst',
    policy_arn: '<aws_iam_policy trackman-analysts arn>',
  });
});

test('a query that may scan more than its workgroup lets it is refused', () => {
  const small = defineEnvironment({
    name: 'small',
    account: '333333333333',
    network: { cidr: '10.53.0.0/16' },
    alarms: { page: ['on-call@example.com'] },
    analytics: { maxScannedBytes: 50_000_000 },
  });
  expect(() => synthesize(small)).toThrow(
    'byteLimit of query busiest_hours is 100000000: expected at most the 50000000 bytes that the workgroup allows a query to scan; ' +
      'lower it in athena-queries/busiest_hours.sql or raise analytics.maxScannedBytes of the environment',
  );
});
