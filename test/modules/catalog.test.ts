/** The catalog: databases, their encryption, classifiers, and who decides on tables. */
import { dev } from '../../envs/dev';
import { Catalog, Database } from '../../modules/catalog';
import { Key } from '../../modules/key';
import { LakeFormation } from '../../modules/lake-formation';
import { Role } from '../../modules/role';
import { emptyStack } from './stack';
import { Synthesized, synthesize } from './synthesized';

const platform = synthesize(dev);

test.each([
  ['trackman_raw', 's3://trackman-lake-dev-111111111111/raw/'],
  ['trackman_lake', 's3://trackman-lake-dev-111111111111/lake/'],
  ['trackman_marts', 's3://trackman-lake-dev-111111111111/marts/'],
  ['trackman_backend', undefined],
])('tables of %s are at %s', (name, location) => {
  expect(platform.one('aws_glue_catalog_database', name)['location_uri']).toBe(location);
});

/** A catalog of its own, whose databases a role is granted. */
function catalogOf(
  options: { managedBy?: 'customer' | 'aws'; mode?: 'iam' | 'grants'; admins?: string[] },
  grant: (catalog: Catalog, role: Role) => void = () => undefined,
): Synthesized {
  const { managedBy = 'customer', mode = 'iam', admins = [] } = options;
  const stack = emptyStack();
  const { account } = dev;
  const key = new Key(stack, 'key', { name: 'k', location: dev, managedBy, deletionProtection: true });
  const lakeFormation = new LakeFormation(stack, 'lake-formation', { mode, admins });
  const uri = (prefix: string): string => `s3://lake/${prefix}`;
  const catalog = new Catalog(stack, 'catalog', { location: dev, uri, key, lakeFormation, deletionProtection: true });
  grant(catalog, new Role(stack, 'role', { name: 'r', description: 'd', trusts: { account } }));
  return new Synthesized(stack);
}

test('a database name that engines would have to quote is refused', () => {
  const stack = emptyStack();
  const props = {
    name: 'trackman-raw',
    description: '',
    location: dev,
    key: new Key(stack, 'key', { name: 'k', location: dev, managedBy: 'aws', deletionProtection: true }),
    lakeFormation: new LakeFormation(stack, 'lake-formation', { mode: 'iam', admins: [] }),
    deletionProtection: true,
  };
  expect(() => new Database(stack, 'database', props)).toThrow('database name is "trackman-raw"');
});

describe('encryption of the catalog', () => {
  const settings = (managedBy: 'customer' | 'aws'): unknown =>
    catalogOf({ managedBy }).all('aws_glue_data_catalog_encryption_settings')[0]!['data_catalog_encryption_settings'];

  test('is by the key, connections’ passwords included', () => {
    expect(settings('customer')).toEqual({
      encryption_at_rest: {
        catalog_encryption_mode: 'SSE-KMS',
        sse_aws_kms_key_id: expect.stringContaining('aws_kms_key'),
      },
      connection_password_encryption: {
        return_connection_password_encrypted: true,
        aws_kms_key_id: expect.stringContaining('aws_kms_key'),
      },
    });
  });

  test('is by the key that AWS manages where there is no other', () => {
    expect(settings('aws')).toEqual({
      encryption_at_rest: { catalog_encryption_mode: 'SSE-KMS' },
      connection_password_encryption: { return_connection_password_encrypted: false },
    });
  });

  test('comes before what it encrypts, and with the right to the key', () => {
    const made = catalogOf({}, (catalog, role) => catalog.lake.grantRead(role));
    for (const database of made.all('aws_glue_catalog_database')) {
      expect(database['depends_on']).toEqual([
        expect.stringContaining('aws_lakeformation_data_lake_settings'),
        expect.stringContaining('aws_glue_data_catalog_encryption_settings'),
      ]);
    }
    expect(made.permissions('r').flatMap(({ Action }) => Action)).toEqual([
      'glue:GetDatabase',
      'glue:GetTable',
      'kms:Decrypt',
    ]);
  });
});

test('telemetry is recognized by classifiers where Glue’s own would guess', () => {
  expect(platform.one('aws_glue_classifier', 'telemetry-json')['json_classifier']).toEqual({ json_path: '$[*]' });
  expect(platform.one('aws_glue_classifier', 'telemetry-csv')['csv_classifier']).toEqual({
    contains_header: 'PRESENT',
    delimiter: ',',
    quote_symbol: '"',
  });
});

describe('Lake Formation', () => {
  const everybodyByIam = [{ principal: 'IAM_ALLOWED_PRINCIPALS', permissions: ['ALL'] }];

  test('stays out of the way where IAM decides', () => {
    expect(platform.all('aws_lakeformation_data_lake_settings')).toEqual([
      expect.objectContaining({
        create_database_default_permissions: everybodyByIam,
        create_table_default_permissions: everybodyByIam,
      }),
    ]);
    expect(platform.types()).not.toContain('aws_lakeformation_permissions');
  });

  test('grants a role what its policy allows, where its grants count', () => {
    const admins = ['arn:aws:iam::111111111111:role/deployer'];
    const made = catalogOf({ mode: 'grants', admins }, (catalog, role) => {
      catalog.lake.grantRead(role);
      catalog.raw.grantReadWrite(role);
    });
    expect(made.all('aws_lakeformation_data_lake_settings')).toEqual([
      expect.objectContaining({
        admins,
        create_database_default_permissions: [],
        create_table_default_permissions: [],
      }),
    ]);
    const grants = made.all('aws_lakeformation_permissions');
    expect(
      grants.map(({ principal, permissions, database, table }) => ({ principal, permissions, database, table })),
    ).toEqual([
      { principal: '<aws_iam_role r arn>', permissions: ['DESCRIBE'], database: { name: 'trackman_lake' } },
      {
        principal: '<aws_iam_role r arn>',
        permissions: ['DESCRIBE', 'SELECT'],
        table: { database_name: 'trackman_lake', wildcard: true },
      },
      {
        principal: '<aws_iam_role r arn>',
        permissions: ['DESCRIBE', 'CREATE_TABLE'],
        database: { name: 'trackman_raw' },
      },
      {
        principal: '<aws_iam_role r arn>',
        permissions: ['DESCRIBE', 'SELECT', 'INSERT', 'DELETE', 'ALTER'],
        table: { database_name: 'trackman_raw', wildcard: true },
      },
    ]);
  });

  test('with grants needs somebody who may grant', () => {
    expect(() => catalogOf({ mode: 'grants' })).toThrow(
      'admins of Lake Formation is []: expected at least the role that deploys',
    );
  });
});
