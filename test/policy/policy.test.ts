/** The rules hold in every environment, and each is shown to fail on a bad example. */
import { environments } from '../../envs';
import { prod } from '../../envs/prod';
import { synthesize, synthesizeAccess, type Blocks, type Configuration } from '../modules/synthesized';
import { reviewed, type Reviewed } from './reviewed';
import { rules } from './rules';

const ruleNamed = (name: string) => rules.find((rule) => rule.name === name)!;

const excuses = (each: Reviewed, rule: string, violation: string): boolean =>
  each.rule === rule && violation.startsWith(`${each.title}: `);

describe.each(environments)('in $name', (environment) => {
  const stacks = [synthesize(environment).resource, synthesizeAccess(environment).resource];
  const violations = (rule: string): string[] => stacks.flatMap((resource) => ruleNamed(rule).violations(resource));

  test.each(rules.filter((rule) => environment.deletionProtection || !rule.whereProtected))('$name', ({ name }) => {
    const unexcused = violations(name).filter((each) => !reviewed.some((excuse) => excuses(excuse, name, each)));
    expect(unexcused).toEqual([]);
  });

  test('nothing is excused that breaks no rule', () => {
    const idle = reviewed.filter(
      (excuse) => !violations(excuse.rule).some((each) => excuses(excuse, excuse.rule, each)),
    );
    expect(idle).toEqual([]);
  });
});

const bucket = { bucket: 'open', force_destroy: true, lifecycle: { prevent_destroy: true } };
const policy = (statement: object): Configuration => ({
  policy: JSON.stringify({
    Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*', ...statement }],
  }),
});
const job = {
  security_configuration: 's',
  timeout: 10,
  notification_property: { notify_delay_after: 5 },
  execution_property: { max_concurrent_runs: 1 },
};

/** Rule → type → a resource that breaks it. */
const BAD: Record<string, [type: string, resource: Configuration][]> = {
  'what is stored is encrypted': [
    ['aws_s3_bucket', bucket],
    ['aws_db_instance', { storage_encrypted: false, kms_key_id: 'k' }],
    ['aws_db_instance', { storage_encrypted: true }],
    ['aws_cloudwatch_log_group', {}],
    ['aws_secretsmanager_secret', {}],
    ['aws_sns_topic', {}],
    ['aws_redshiftserverless_namespace', {}],
    ['aws_glue_job', {}],
    ['aws_glue_crawler', {}],
    ['aws_athena_workgroup', { configuration: { result_configuration: {} } }],
  ],
  'nothing is public': [
    ['aws_s3_bucket', bucket],
    ['aws_db_instance', { publicly_accessible: true }],
    ['aws_db_instance', {}],
    ['aws_redshiftserverless_workgroup', { publicly_accessible: true }],
    ['aws_subnet', { map_public_ip_on_launch: true }],
    ['aws_vpc_security_group_ingress_rule', { cidr_ipv4: '0.0.0.0/0' }],
  ],
  'nobody is everybody': [
    ['aws_s3_bucket_policy', policy({ Principal: '*' })],
    ['aws_sns_topic_policy', policy({ Principal: { AWS: '*' } })],
    ['aws_kms_key', policy({ Principal: { AWS: ['*'] } })],
    [
      'aws_iam_role',
      {
        assume_role_policy: JSON.stringify({
          Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
        }),
      },
    ],
  ],
  'no permission is all of a service': [
    ['aws_iam_role_policy', policy({ Action: '*' })],
    ['aws_iam_role_policy', policy({ Action: ['s3:*'] })],
    ['aws_iam_policy', policy({ Action: 's3:Get*' })],
    ['aws_kms_key', policy({ Action: 'kms:*', Principal: { AWS: 'arn:aws:iam::111111111111:role/r' } })],
  ],
  'no permission is on everything': [
    ['aws_iam_role_policy', policy({ Resource: '*' })],
    ['aws_iam_role_policy', policy({ Resource: ['arn:aws:s3:::b', '*'], Condition: { Bool: {} } })],
    ['aws_iam_role_policy', policy({ Action: 'cloudwatch:PutMetricData', Resource: '*' })],
  ],
  'everything is reached by TLS only': [
    ['aws_s3_bucket', bucket],
    ['aws_db_parameter_group', { parameter: [{ name: 'rds.force_ssl', value: '0' }] }],
    ['aws_redshiftserverless_workgroup', {}],
    ['aws_glue_connection', { connection_type: 'JDBC', connection_properties: {} }],
    ['aws_sns_topic_policy', policy({ Principal: { Service: 'events.amazonaws.com' } })],
  ],
  'what holds data cannot be removed by accident': [
    ['aws_s3_bucket', bucket],
    ['aws_s3_bucket', { force_destroy: false }],
    ['aws_db_instance', { lifecycle: { prevent_destroy: true }, deletion_protection: true, skip_final_snapshot: true }],
    ['aws_kms_key', { deletion_window_in_days: 30 }],
    ['aws_glue_catalog_database', {}],
    ['aws_redshiftserverless_namespace', { lifecycle: { prevent_destroy: false } }],
    ['aws_secretsmanager_secret', { lifecycle: { prevent_destroy: true }, recovery_window_in_days: 0 }],
  ],
  'logs are kept for a time that was chosen': [['aws_cloudwatch_log_group', { name: 'g' }]],
  'every job ends, tells when it is late, and runs once at a time': [
    ['aws_glue_job', { ...job, timeout: undefined }],
    ['aws_glue_job', { ...job, timeout: 2880 }],
    ['aws_glue_job', { ...job, notification_property: undefined }],
    ['aws_glue_job', { ...job, execution_property: { max_concurrent_runs: 2 } }],
    ['aws_glue_workflow', { name: 'w' }],
  ],
  'Terraform defines no Iceberg table: Spark owns them, in format version 2': [
    ['aws_glue_catalog_table', { name: 't' }],
  ],
  'nothing waits for a crawler': [
    ['aws_glue_trigger', { predicate: { conditions: [{ crawler_name: 'c', crawl_state: 'SUCCEEDED' }] } }],
    ['aws_glue_trigger', { actions: [{ crawler_name: 'c' }] }],
  ],
  'prepared statements have names that Athena takes': [['aws_athena_prepared_statement', { name: 'longest-drives' }]],
};

test('every rule has a bad example', () => {
  expect(Object.keys(BAD)).toEqual(rules.map(({ name }) => name));
});

describe.each(Object.entries(BAD))('"%s" refuses', (name, examples) => {
  const { resource: good } = synthesize(prod);

  test.each(examples)('%s %j', (type, resource) => {
    const spoilt: Blocks = { ...good, [type]: { ...good[type], bad: resource } };
    expect(ruleNamed(name).violations(spoilt)).toEqual([expect.stringContaining(`${type} bad`)]);
  });
});
