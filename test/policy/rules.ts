/* eslint-disable @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-member-access -- a configuration holds any value */
/** What holds in every environment, whatever its values are: rules over what a stack synthesizes to. */
import type { Blocks, Configuration } from '../modules/synthesized';

export interface Rule {
  readonly name: string;
  /** What breaks it: "type name: what is wrong", nothing when all is well. */
  readonly violations: (resources: Blocks) => string[];
  /** Whether it holds only where data is protected. @default everywhere */
  readonly whereProtected?: true;
}

interface Statement {
  readonly Effect: string;
  readonly Principal?: unknown;
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Record<string, Record<string, unknown>>;
}

interface Found {
  readonly title: string;
  readonly resource: Configuration;
}

/** Actions for which the service knows no resource; each is narrowed by a condition instead. */
const UNSCOPED = Object.entries({
  cloudwatch: ['PutMetricData'],
  ec2: [
    ...['DescribeAddresses', 'DescribeAddressesAttribute', 'DescribeFlowLogs'],
    ...['DescribeInternetGateways', 'DescribeNatGateways', 'DescribeNetworkAcls', 'DescribeNetworkInterfaces'],
    ...['DescribePrefixLists', 'DescribeRouteTables', 'DescribeSecurityGroupRules', 'DescribeSecurityGroups'],
    ...['DescribeSubnets', 'DescribeVpcAttribute', 'DescribeVpcEndpoints', 'DescribeVpcPeeringConnections'],
    'DescribeVpcs',
  ],
  glue: [
    ...['CreateClassifier', 'DeleteClassifier', 'GetClassifier', 'UpdateClassifier'],
    ...['CreateSecurityConfiguration', 'DeleteSecurityConfiguration', 'GetSecurityConfiguration'],
  ],
  kms: ['CreateKey', 'ListAliases', 'TagResource'], // a key that is being created has no ARN yet
  lakeformation: ['GetDataLakeSettings', 'PutDataLakeSettings'],
  logs: ['CreateLogDelivery', 'DeleteLogDelivery'],
  'redshift-data': ['CancelStatement', 'DescribeStatement', 'GetStatementResult'],
  'redshift-serverless': ['CreateUsageLimit', 'DeleteUsageLimit', 'GetUsageLimit', 'UpdateUsageLimit'],
}).flatMap(([service, operations]) => operations.map((operation) => `${service}:${operation}`));

/** Where a resource says with what it is encrypted. */
const ENCRYPTED: Record<string, (resource: Configuration) => unknown> = {
  aws_athena_workgroup: (it) =>
    (it['configuration'] as Configuration)['result_configuration']?.encryption_configuration?.encryption_option,
  aws_cloudwatch_log_group: (it) => it['kms_key_id'],
  aws_db_instance: (it) => it['storage_encrypted'] === true && it['kms_key_id'],
  aws_glue_crawler: (it) => it['security_configuration'],
  aws_glue_job: (it) => it['security_configuration'],
  aws_redshiftserverless_namespace: (it) => it['kms_key_id'],
  aws_secretsmanager_secret: (it) => it['kms_key_id'],
  aws_sns_topic: (it) => it['kms_master_key_id'],
};

/** What shows that a resource cannot be removed by accident. */
const PROTECTED: Record<string, (resource: Configuration) => boolean> = {
  aws_s3_bucket: (it) => it['force_destroy'] === false,
  aws_db_instance: (it) =>
    it['deletion_protection'] === true &&
    it['skip_final_snapshot'] === false &&
    Boolean(it['final_snapshot_identifier']),
  aws_glue_catalog_database: () => true,
  aws_kms_key: (it) => it['deletion_window_in_days'] === 30,
  aws_redshiftserverless_namespace: () => true,
  aws_secretsmanager_secret: (it) => it['recovery_window_in_days'] === 30,
};

export const rules: readonly Rule[] = [
  {
    name: 'what is stored is encrypted',
    violations: (resources) => [
      ...unless(resources, ENCRYPTED, 'says nothing of encryption'),
      ...withoutCompanion(resources, 'aws_s3_bucket_server_side_encryption_configuration', ({ rule }) =>
        ['aws:kms', 'AES256'].includes(
          (rule as Configuration[])[0]?.apply_server_side_encryption_by_default?.sse_algorithm as string,
        ),
      ),
    ],
  },
  {
    name: 'nothing is public',
    violations: (resources) => [
      ...withoutCompanion(resources, 'aws_s3_bucket_public_access_block', (it) =>
        ['block_public_acls', 'block_public_policy', 'ignore_public_acls', 'restrict_public_buckets'].every(
          (each) => it[each] === true,
        ),
      ),
      ...unless(
        resources,
        {
          aws_db_instance: (it) => it['publicly_accessible'] === false,
          aws_redshiftserverless_workgroup: (it) => it['publicly_accessible'] === false,
          aws_subnet: (it) => it['map_public_ip_on_launch'] === false,
          aws_vpc_security_group_ingress_rule: (it) => !/^(0\.0\.0\.0\/0|::\/0)$/.test(String(it['cidr_ipv4'])),
        },
        'is public',
      ),
    ],
  },
  {
    name: 'nobody is everybody',
    violations: (resources) =>
      offending(resources, ({ Principal }) => JSON.stringify(Principal ?? '').includes('"*"'), 'trusts everybody'),
  },
  {
    name: 'no permission is all of a service',
    violations: (resources) =>
      offending(
        resources,
        ({ Action, Principal }, type) =>
          list(Action).some((action) => action.includes('*')) &&
          // In a key's policy: the account's own root, without which nobody could change it, and CloudWatch Logs.
          !(type === 'aws_kms_key' && /:root"|"logs\./.test(JSON.stringify(Principal))),
        'allows a wildcard of actions',
      ),
  },
  {
    name: 'no permission is on everything',
    violations: (resources) =>
      offending(
        resources,
        ({ Action, Resource, Condition }, type) =>
          type !== 'aws_kms_key' && // where "*" is the key itself
          list(Resource).includes('*') &&
          !(Condition && list(Action).every((action) => UNSCOPED.includes(action))),
        'allows it on every resource',
      ),
  },
  {
    name: 'everything is reached by TLS only',
    violations: (resources) => [
      ...withoutCompanion(resources, 'aws_s3_bucket_policy', refusesPlainHttp),
      ...unless(
        resources,
        {
          aws_db_parameter_group: (it) => sets(it['parameter'], 'name', 'rds.force_ssl', 'value', '1'),
          aws_redshiftserverless_workgroup: (it) =>
            sets(it['config_parameter'], 'parameter_key', 'require_ssl', 'parameter_value', 'true'),
          aws_glue_connection: (it) =>
            it['connection_type'] !== 'JDBC' ||
            (it['connection_properties'] as Configuration)['JDBC_ENFORCE_SSL'] === 'true',
          aws_sns_topic_policy: refusesPlainHttp,
        },
        'takes what is not encrypted',
      ),
    ],
  },
  {
    name: 'what holds data cannot be removed by accident',
    whereProtected: true,
    violations: (resources) =>
      unless(
        resources,
        Object.fromEntries(
          Object.entries(PROTECTED).map(([type, isProtected]) => [
            type,
            (it) => it['lifecycle']?.prevent_destroy === true && isProtected(it),
          ]),
        ),
        'can be removed',
      ),
  },
  {
    name: 'logs are kept for a time that was chosen',
    violations: (resources) =>
      unless(resources, { aws_cloudwatch_log_group: (it) => it['retention_in_days'] > 0 }, 'is kept for ever'),
  },
  {
    name: 'every job ends, tells when it is late, and runs once at a time',
    violations: (resources) =>
      unless(
        resources,
        {
          aws_glue_job: (it) =>
            it['timeout'] > 0 &&
            it['timeout'] <= 480 &&
            it['notification_property']?.notify_delay_after > 0 &&
            it['execution_property']?.max_concurrent_runs === 1,
          aws_glue_workflow: (it) => it['max_concurrent_runs'] === 1,
        },
        'has no such limit',
      ),
  },
  {
    name: 'Terraform defines no Iceberg table: Spark owns them, in format version 2',
    violations: (resources) => unless(resources, { aws_glue_catalog_table: () => false }, 'is defined by Terraform'),
  },
  {
    name: 'nothing waits for a crawler',
    violations: (resources) =>
      unless(
        resources,
        { aws_glue_trigger: (it) => !/"(crawler_name|crawl_state)"/.test(JSON.stringify(it)) },
        'is bound to a crawl',
      ),
  },
  {
    name: 'prepared statements have names that Athena takes',
    violations: (resources) =>
      unless(
        resources,
        { aws_athena_prepared_statement: (it) => /^[a-zA-Z_][a-zA-Z0-9_@:]{1,256}$/.test(it['name'] as string) },
        'is no name for Athena',
      ),
  },
];

function all(resources: Blocks, type: string): Found[] {
  return Object.entries(resources[type] ?? {}).map(([id, resource]) => ({ title: `${type} ${id}`, resource }));
}

/** The resources of these types that do not hold what they should. */
function unless(
  resources: Blocks,
  holds: Record<string, (resource: Configuration) => unknown>,
  problem: string,
): string[] {
  return Object.entries(holds).flatMap(([type, isGood]) =>
    all(resources, type)
      .filter(({ resource }) => !isGood(resource))
      .map(({ title }) => `${title}: ${problem}`),
  );
}

/** The buckets that have no resource of this type, or one that does not hold what it should. */
function withoutCompanion(resources: Blocks, type: string, isGood: (resource: Configuration) => boolean): string[] {
  const good = all(resources, type).filter(({ resource }) => isGood(resource));
  const buckets = new Set(good.map(({ resource }) => resource['bucket'] as string));
  return all(resources, 'aws_s3_bucket')
    .filter(({ resource }) => !buckets.has(resource['bucket'] as string))
    .map(({ title }) => `${title}: has no good ${type}`);
}

/** The statements, in any policy of the stack, that allow what they should not. */
function offending(
  resources: Blocks,
  isBad: (statement: Statement, type: string) => boolean,
  problem: string,
): string[] {
  return Object.keys(resources).flatMap((type) =>
    all(resources, type).flatMap(({ title, resource }) =>
      statements(resource)
        .filter((statement) => statement.Effect === 'Allow' && isBad(statement, type))
        .map((statement) => `${title}: ${problem}: ${JSON.stringify(statement)}`),
    ),
  );
}

function statements(resource: Configuration): Statement[] {
  return ['policy', 'assume_role_policy']
    .map((attribute) => resource[attribute] as unknown)
    .filter((value): value is string => typeof value === 'string')
    .flatMap((policy) => (JSON.parse(policy) as { Statement: Statement[] }).Statement);
}

function refusesPlainHttp(resource: Configuration): boolean {
  return statements(resource).some(
    ({ Effect, Condition }) => Effect === 'Deny' && Condition?.['Bool']?.['aws:SecureTransport'] === 'false',
  );
}

function sets(list: unknown, key: string, name: string, valueKey: string, value: string): boolean {
  return (list as Configuration[] | undefined)?.some((each) => each[key] === name && each[valueKey] === value) ?? false;
}

function list(value: string | string[]): string[] {
  return Array.isArray(value) ? value : [value];
}
