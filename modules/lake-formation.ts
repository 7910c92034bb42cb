import { LakeformationDataLakeSettings } from '@cdktf/provider-aws/lib/lakeformation-data-lake-settings';
import { LakeformationPermissions } from '@cdktf/provider-aws/lib/lakeformation-permissions';
import { Construct } from 'constructs';
import type { Database } from './catalog';
import type { Role } from './role';
import { check } from './validation';

export interface LakeFormationProps {
  /** Who decides on tables: IAM policies alone, or Lake Formation's grants beside them. */
  readonly mode: 'iam' | 'grants';
  /** ARNs of who may grant; with `grants` at least the role that deploys. */
  readonly admins: readonly string[];
}

/** Everybody whose IAM policies allow it: the name by which Lake Formation stays out of the way. */
const BY_IAM = [{ principal: 'IAM_ALLOWED_PRINCIPALS', permissions: ['ALL'] }];

const DATABASE = { read: ['DESCRIBE'], write: ['DESCRIBE', 'CREATE_TABLE'] };
const TABLES = { read: ['DESCRIBE', 'SELECT'], write: ['DESCRIBE', 'SELECT', 'INSERT', 'DELETE', 'ALTER'] };

/** Says who decides on databases and tables that are made from now on: accounts differ in what they begin with. */
export class LakeFormation extends Construct {
  /** What databases have to wait for. */
  readonly settings: LakeformationDataLakeSettings;
  private readonly mode: LakeFormationProps['mode'];

  constructor(scope: Construct, id: string, { mode, admins }: LakeFormationProps) {
    super(scope, id);
    check(mode === 'iam' || admins.length > 0, {
      name: 'admins of Lake Formation',
      value: admins,
      expected: 'at least the role that deploys: with grants, nobody else may grant',
      remedy: "pass the role's ARN",
    });
    this.mode = mode;
    const byIam = mode === 'iam' ? BY_IAM : [];
    this.settings = new LakeformationDataLakeSettings(this, 'settings', {
      admins: [...admins],
      createDatabaseDefaultPermissions: byIam,
      createTableDefaultPermissions: byIam,
    });
  }

  /** Grants what IAM policies allow a role on a database and its tables; nothing where IAM decides alone. */
  grant(role: Role, database: Database, access: 'read' | 'write'): void {
    if (this.mode === 'iam') return;
    const to = { principal: role.arn, dependsOn: [this.settings] };
    const id = `${role.node.path}-${database.node.id}`.replaceAll('/', '-');
    new LakeformationPermissions(this, `${id}-database`, {
      ...to,
      permissions: DATABASE[access],
      database: { name: database.name },
    });
    new LakeformationPermissions(this, `${id}-tables`, {
      ...to,
      permissions: TABLES[access],
      table: { databaseName: database.name, wildcard: true },
    });
  }
}
