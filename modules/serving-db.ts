import { DbInstance } from '@cdktf/provider-aws/lib/db-instance';
import { DbParameterGroup } from '@cdktf/provider-aws/lib/db-parameter-group';
import { Token } from 'cdktf';
import { Construct } from 'constructs';
import { parameterArn, type Location } from './naming';
import type { Role } from './role';
import { Secret } from './secret';
import { check } from './validation';

export interface ServingDbProps {
  readonly identifier: string;
  /** Name of the database in the instance. */
  readonly database: string;
  readonly masterUser: string;
  readonly location: Location;
  /** RDS instance class, for example db.t4g.medium. */
  readonly instanceClass: string;
  /** Storage at first, in GiB. */
  readonly storageGiB: number;
  /** Up to where storage grows by itself, in GiB. */
  readonly maxStorageGiB: number;
  /** For how many days it can be restored to any moment; 0 is refused. */
  readonly backupDays: number;
  /** Whether RDS refuses to delete it, and keeps a last snapshot when it is deleted after all. */
  readonly deletionProtection: boolean;
  /** Names of the secrets with the users' credentials. */
  readonly secrets: { readonly loader: string; readonly application: string };
  /** SSM parameter with the authorities that sign its certificate (PEM). */
  readonly caParameter: string;
}

/** dataengineering-db: the Postgres behind the internal application. Its schema and users are made by `migrate`. */
export class ServingDb extends Construct {
  readonly database: string;
  /** Host name, known at apply. */
  readonly host: string;
  /** As text, known at apply. */
  readonly port: string;
  readonly caParameter: string;
  /** Secret in which RDS keeps the master user's password, and changes it every 7 days. */
  readonly masterSecretArn: string;
  /** Credentials of the user by which `publish` loads. */
  readonly loader: Secret;
  /** Credentials of the application's user. */
  readonly application: Secret;
  private readonly location: Location;

  constructor(scope: Construct, id: string, props: ServingDbProps) {
    super(scope, id);
    const { identifier, database, location, deletionProtection } = props;
    check(props.backupDays >= 1, {
      name: `backupDays of ${identifier}`,
      value: props.backupDays,
      expected: 'at least 1 day: 0 switches backups off',
      remedy: 'set servingDb.backupDays in the environment',
    });
    const parameters = new DbParameterGroup(this, 'parameters', {
      name: identifier,
      family: 'postgres16',
      description: `Settings of ${identifier}`,
      parameter: [{ name: 'rds.force_ssl', value: '1' }],
    });
    const instance = new DbInstance(this, 'instance', {
      identifier,
      engine: 'postgres',
      engineVersion: '16',
      engineLifecycleSupport: 'open-source-rds-extended-support-disabled',
      instanceClass: props.instanceClass,
      storageType: 'gp3',
      allocatedStorage: props.storageGiB,
      maxAllocatedStorage: props.maxStorageGiB,
      storageEncrypted: true,
      dbName: database,
      username: props.masterUser,
      manageMasterUserPassword: true,
      parameterGroupName: parameters.name,
      publiclyAccessible: false,
      backupRetentionPeriod: props.backupDays,
      copyTagsToSnapshot: true,
      deletionProtection,
      skipFinalSnapshot: !deletionProtection,
      finalSnapshotIdentifier: deletionProtection ? `${identifier}-final` : undefined,
      // Subnet group and security group come with the network; until then it is in the default VPC.
    });
    const secret = (purpose: string, name: string, description: string): Secret =>
      new Secret(this, purpose, { name, description, location, deletionProtection });
    this.loader = secret('loader', props.secrets.loader, `Credentials by which ${identifier} is loaded`);
    this.application = secret('application', props.secrets.application, `Credentials of ${identifier}'s application`);
    this.database = database;
    this.host = instance.address;
    this.port = Token.asString(instance.port);
    this.caParameter = props.caParameter;
    this.masterSecretArn = instance.masterUserSecret.get(0).secretArn;
    this.location = location;
  }

  /** Allows to connect as the loader. */
  grantLoad(role: Role): void {
    this.loader.grantRead(role);
    this.grantReadCa(role);
  }

  /** Allows to connect as the master user and to set the other users' passwords. */
  grantAdminister(role: Role): void {
    role.allow({ actions: ['secretsmanager:GetSecretValue'], resources: [this.masterSecretArn] });
    this.loader.grantReadWrite(role);
    this.application.grantReadWrite(role);
    this.grantReadCa(role);
  }

  private grantReadCa(role: Role): void {
    role.allow({ actions: ['ssm:GetParameter'], resources: [parameterArn(this.location, this.caParameter)] });
  }
}
