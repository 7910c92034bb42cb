/** Redshift Serverless beside Athena: namespace, workgroup, the role that reads, what runs in the database. */
import { Database } from '../../modules/catalog';
import { Key } from '../../modules/key';
import { LakeFormation } from '../../modules/lake-formation';
import { names } from '../../modules/naming';
import { Role } from '../../modules/role';
import { Warehouse, type WarehouseProps } from '../../modules/warehouse';
import { emptyStack } from './stack';
import { Synthesized } from './synthesized';

const location = { account: '111111111111', region: 'eu-central-1' };

function synthesize(changes: Partial<WarehouseProps> = {}, managedBy: 'customer' | 'aws' = 'customer'): Synthesized {
  const stack = emptyStack();
  const key = new Key(stack, 'key', { name: 'trackman', location, managedBy, deletionProtection: false });
  const lakeFormation = new LakeFormation(stack, 'lake-formation', { mode: 'iam', admins: [] });
  const schema = (id: string, name: string): Database =>
    new Database(stack, id, { name, description: '', location, key, lakeFormation, deletionProtection: false });
  const warehouse = new Warehouse(stack, 'warehouse', {
    ...names.warehouse,
    location,
    key,
    subnetIds: ['subnet-a', 'subnet-b', 'subnet-c'],
    securityGroupIds: ['sg-warehouse'],
    baseCapacityRpu: 8,
    maxCapacityRpu: 32,
    dailyRpuHours: 10,
    retentionDays: 90,
    schemas: [schema('lake', 'trackman_lake'), schema('marts', 'trackman_marts')],
    deletionProtection: true,
    ...changes,
  });
  const analyst = new Role(stack, 'analyst', {
    name: 'trackman-analyst',
    description: '',
    trusts: { account: location.account },
  });
  warehouse.grantQuery(analyst);
  return new Synthesized(stack);
}

const warehouse = synthesize();
const namespace = warehouse.one('aws_redshiftserverless_namespace');
const workgroup = warehouse.one('aws_redshiftserverless_workgroup');
const keyArn = namespace['kms_key_id'] as string;

test('sizes are explicit, and a day’s compute is bounded', () => {
  expect(workgroup).toMatchObject({ workgroup_name: 'trackman', base_capacity: 8, max_capacity: 32 });
  expect(warehouse.one('aws_redshiftserverless_usage_limit')).toMatchObject({
    usage_type: 'serverless-compute',
    period: 'daily',
    amount: 10,
    breach_action: 'deactivate',
  });
});

test('it is private: three zones of the VPC, TLS only, its own traffic by the VPC as well', () => {
  expect(workgroup).toMatchObject({
    publicly_accessible: false,
    enhanced_vpc_routing: true,
    subnet_ids: ['subnet-a', 'subnet-b', 'subnet-c'],
    security_group_ids: ['sg-warehouse'],
  });
  expect(workgroup['config_parameter']).toContainEqual({ parameter_key: 'require_ssl', parameter_value: 'true' });
});

test('what AWS adds to the parameters by itself is no change', () => {
  expect(workgroup['lifecycle']).toMatchObject({ ignore_changes: ['config_parameter'] });
});

test('a parameter that somebody changed by hand is told, and who takes it back, and how', () => {
  const { postcondition } = workgroup['lifecycle'] as { postcondition: { condition: string; error_message: string }[] };
  expect(postcondition).toEqual([
    {
      condition: '${contains(self.config_parameter, { parameter_key = "require_ssl", parameter_value = "true" })}',
      error_message:
        'require_ssl of workgroup trackman was changed by hand: expected true; an administrator runs ' +
        'aws redshift-serverless update-workgroup --workgroup-name trackman ' +
        '--config-parameters parameterKey=require_ssl,parameterValue=true',
    },
    expect.objectContaining({ condition: expect.stringContaining('enable_user_activity_logging') }),
  ]);
});

test('nobody knows the administrator’s password: Redshift generates it and keeps it', () => {
  expect(namespace).toMatchObject({ admin_username: 'admin', manage_admin_password: true });
  expect(Object.keys(namespace).filter((name) => name.includes('admin_user_password'))).toEqual([]);
});

test('data, password and logs are encrypted with the environment’s key', () => {
  expect(keyArn).toMatch(/^<aws_kms_key .* arn>$/);
  expect(namespace['admin_password_secret_kms_key_id']).toBe(keyArn);
  for (const group of warehouse.all('aws_cloudwatch_log_group')) expect(group['kms_key_id']).toBe(keyArn);
});

test('without a key of the account’s own, services use theirs', () => {
  const plain = synthesize({}, 'aws').one('aws_redshiftserverless_namespace');
  expect(plain).not.toHaveProperty('kms_key_id');
  expect(plain).not.toHaveProperty('admin_password_secret_kms_key_id');
});

test('connections, users and statements are logged, in groups that are kept as long as was said', () => {
  expect(namespace['log_exports']).toEqual(['connectionlog', 'useractivitylog', 'userlog']);
  expect(namespace['depends_on']).toHaveLength(3); // or Redshift would make them itself
  for (const log of ['connectionlog', 'useractivitylog', 'userlog']) {
    const group = warehouse.one('aws_cloudwatch_log_group', `/aws/redshift/trackman/${log}`);
    expect(group['retention_in_days']).toBe(90);
  }
});

test.each([true, false])(
  'whether Terraform refuses to remove the namespace is up to the environment (%s)',
  (deletionProtection) => {
    const { lifecycle } = synthesize({ deletionProtection }).one('aws_redshiftserverless_namespace');
    expect(lifecycle).toEqual({ prevent_destroy: deletionProtection });
  },
);

describe('the role that reads', () => {
  test('is the namespace’s default role, which Redshift may assume', () => {
    const role = warehouse.one('aws_iam_role', 'trackman-spectrum');
    expect(JSON.parse(role['assume_role_policy'] as string)).toMatchObject({
      Statement: [{ Principal: { Service: ['redshift.amazonaws.com', 'redshift-serverless.amazonaws.com'] } }],
    });
    expect(namespace['iam_roles']).toEqual([namespace['default_iam_role_arn']]);
    expect(namespace['default_iam_role_arn']).toContain('trackman-spectrum');
  });

  test('may look at the definitions of the databases behind the schemas, and change nothing', () => {
    const statements = warehouse.permissions('trackman-spectrum');
    expect(new Set(statements.flatMap(({ Action }) => Action))).toEqual(
      new Set(['glue:GetDatabase', 'glue:GetTable', 'glue:GetTables', 'kms:Decrypt']), // the catalog is encrypted
    );
    const definitions = statements.filter(({ Action }) => !Action.includes('kms:Decrypt'));
    expect(new Set(definitions.flatMap(({ Resource }) => Resource))).toEqual(
      new Set(
        [
          'catalog',
          'database/trackman_lake',
          'table/trackman_lake/*',
          'database/trackman_marts',
          'table/trackman_marts/*',
        ].map((resource) => `arn:aws:glue:eu-central-1:111111111111:${resource}`),
      ),
    );
  });
});

describe('statements', () => {
  const statements = warehouse.all('aws_redshiftdata_statement');
  const texts = statements.map(({ sql }) => sql as string);

  test('make an external schema of each database, and open it to who may log in', () => {
    expect(texts.sort()).toEqual([
      "CREATE EXTERNAL SCHEMA IF NOT EXISTS trackman_lake FROM DATA CATALOG DATABASE 'trackman_lake' REGION 'eu-central-1' IAM_ROLE default",
      "CREATE EXTERNAL SCHEMA IF NOT EXISTS trackman_marts FROM DATA CATALOG DATABASE 'trackman_marts' REGION 'eu-central-1' IAM_ROLE default",
      'GRANT USAGE ON SCHEMA trackman_lake TO PUBLIC',
      'GRANT USAGE ON SCHEMA trackman_marts TO PUBLIC',
      'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    ]);
  });

  test('run as the administrator, by the secret', () => {
    for (const statement of statements) {
      expect(statement).toMatchObject({ workgroup_name: 'trackman', database: 'trackman' });
      expect(statement['secret_arn']).toMatch(/admin_password_secret_arn/);
    }
  });

  test('wait for what they need', () => {
    const after = (beginning: string): string[] =>
      statements.find(({ sql }) => (sql as string).startsWith(beginning))!['depends_on'] as string[];
    expect(after('CREATE EXTERNAL SCHEMA')).toEqual([expect.stringMatching(/^aws_iam_role_policy\./)]);
    expect(after('GRANT USAGE ON SCHEMA trackman_lake')).toEqual([
      expect.stringMatching(/^aws_redshiftdata_statement\.warehouse_schema-lake_/),
    ]);
  });

  test('can run again, and name no role', () => {
    for (const text of texts) {
      expect(text).toMatch(/^(CREATE EXTERNAL SCHEMA IF NOT EXISTS|GRANT|REVOKE) /);
      expect(text).not.toContain('arn:');
    }
  });
});

test('who may query logs in to this workgroup, and follows own statements only', () => {
  expect(warehouse.permissions('trackman-analyst')).toEqual([
    {
      Effect: 'Allow',
      Action: ['redshift-data:ExecuteStatement', 'redshift-serverless:GetCredentials'],
      Resource: [expect.stringMatching(/^<aws_redshiftserverless_workgroup .* arn>$/)],
    },
    {
      Effect: 'Allow',
      Action: ['redshift-data:DescribeStatement', 'redshift-data:GetStatementResult', 'redshift-data:CancelStatement'],
      Resource: ['*'],
      Condition: { StringEquals: { 'redshift-data:statement-owner-iam-userid': '$${aws:userid}' } },
    },
  ]);
});

test.each([
  [{ baseCapacityRpu: 5 }, 'baseCapacityRpu of trackman is 5: expected 4, or a multiple of 8 from 8 to 512 RPU'],
  [{ baseCapacityRpu: 0 }, 'baseCapacityRpu of trackman is 0'],
  [{ baseCapacityRpu: 520 }, 'baseCapacityRpu of trackman is 520'],
  [
    { baseCapacityRpu: 64 },
    'maxCapacityRpu of trackman is 32: expected a multiple of 8 from baseCapacityRpu, 64, to 512 RPU',
  ],
  [{ maxCapacityRpu: 12 }, 'maxCapacityRpu of trackman is 12'],
  [{ dailyRpuHours: 0 }, 'dailyRpuHours of trackman is 0: expected a whole number of RPU hours from 1 to 100,000'],
  [{ retentionDays: 10 }, 'retentionDays of trackman is 10: expected one of 1, 3, 5, 7, 14,'],
  [{ dailyRpuHours: 1.5 }, 'dailyRpuHours of trackman is 1.5'],
  [{ subnetIds: ['a', 'b'] }, 'subnetIds of trackman is ["a","b"]: expected at least three subnets, in three zones'],
])('%j is refused', (changes, message) => {
  expect(() => synthesize(changes)).toThrow(message);
});

test.each([4, 8, 512])('a base capacity of %d RPU is taken', (baseCapacityRpu) => {
  const { base_capacity } = synthesize({ baseCapacityRpu, maxCapacityRpu: 512 }).one(
    'aws_redshiftserverless_workgroup',
  );
  expect(base_capacity).toBe(baseCapacityRpu);
});
