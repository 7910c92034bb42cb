import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group';
import { DbInstance } from '@cdktf/provider-aws/lib/db-instance';
import { DbParameterGroup } from '@cdktf/provider-aws/lib/db-parameter-group';
import { DbSubnetGroup } from '@cdktf/provider-aws/lib/db-subnet-group';
import { Token } from 'cdktf';
import { Construct } from 'constructs';
import type { Grantee } from './grantee';
import type { Key } from './key';
import { BOUNDS, isWhole, retentionRule, storageRule } from './limits';
import { arn, parameterArn, rdsLogGroup, type Location } from './naming';
import type { Network } from './network';
import { Role } from './role';
import { Secret } from './secret';
import { checkRules } from './validation';

export interface ServingDbProps {
  readonly identifier: string;
  /** Name of the database in the instance. */
  readonly database: string;
  readonly masterUser: string;
  /** The role by which RDS sends the operating system's metrics. */
  readonly monitoringRoleName: string;
  readonly location: Location;
  readonly network: Network;
  readonly key: Key;
  /** RDS instance class, for example db.t4g.medium. */
  readonly instanceClass: string;
  /** Storage at first, in GiB. */
  readonly storageGiB: number;
  /** Up to where storage grows by itself, in GiB. */
  readonly maxStorageGiB: number;
  /** For how many days it can be restored to any moment; 0 is refused. */
  readonly backupDays: number;
  /** Whether a second instance in another zone takes over when the first fails. */
  readonly multiAz: boolean;
  /** Time between two samples of the operating system's metrics, in seconds; 0 takes none. */
  readonly monitoringSeconds: number;
  /** CloudWatch Database Insights: `standard` keeps a week, `advanced` 15 months. */
  readonly insights: 'standard' | 'advanced';
  /** For how many days its logs are kept: a period that CloudWatch Logs offers. */
  readonly retentionDays: number;
  /** Address ranges from which the application connects. */
  readonly clientCidrs: readonly string[];
  /** Whether Terraform and RDS refuse to delete it; it leaves a last snapshot when it is deleted after all. */
  readonly deletionProtection: boolean;
  /** Names of the secrets with the users' credentials. */
  readonly secrets: { readonly loader: string; readonly application: string };
  /** SSM parameter with the authorities that sign its certificate (PEM). */
  readonly caParameter: string;
}

/** Statements that take longer are logged, in milliseconds. */
const SLOW_STATEMENT_MS = 1000;
const LOGS = ['postgresql', 'upgrade'];
/** How long Database Insights keeps its samples, in days. */
const INSIGHT_DAYS = { standard: 7, advanced: 465 } as const;

/** Never the values that were bound to a statement: they are data. Nor the text of one that fails, which may hold some. */
const PARAMETERS = {
  'rds.force_ssl': '1',
  log_connections: '1',
  log_disconnections: '1',
  log_lock_waits: '1',
  log_min_duration_statement: String(SLOW_STATEMENT_MS),
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
};

/** dataengineering-db: the Postgres behind the internal application. Its schema and users are made by `migrate`. */
export class ServingDb extends Construct {
  readonly identifier: string;
  readonly database: string;
  /** Host name, known at apply. */
  readonly host: string;
  /** As text, known at apply. */
  readonly port: string;
  readonly storageGiB: number;
  readonly caParameter: string;
  /** Secret in which RDS keeps the master user's password, and changes it every 7 days. */
  readonly masterSecretArn: string;
  /** Credentials of the user by which `publish` loads. */
  readonly loader: Secret;
  /** Credentials of the application's user. */
  readonly application: Secret;
  private readonly location: Location;
  private readonly key: Key;

  constructor(scope: Construct, id: string, props: ServingDbProps) {
    super(scope, id);
    const { identifier, database, location, key, deletionProtection } = props;
    const backups = {
      name: 'backupDays',
      value: props.backupDays,
      holds: isWhole(props.backupDays, ...BOUNDS.backupDays),
      expected: `from ${BOUNDS.backupDays.join(' to ')} days: 0 switches backups off`,
    };
    checkRules(
      identifier,
      [backups, storageRule(props), retentionRule(props.retentionDays)],
      'correct servingDb or logs in the environment',
    );
    this.location = location;
    this.key = key;
    const instance = new DbInstance(this, 'instance', {
      identifier,
      engine: 'postgres',
      engineVersion: '16',
      autoMinorVersionUpgrade: true,
      allowMajorVersionUpgrade: false,
      maintenanceWindow: 'sun:03:00-sun:04:00', // UTC, behind the backup
      engineLifecycleSupport: 'open-source-rds-extended-support-disabled',
      instanceClass: props.instanceClass,
      multiAz: props.multiAz,
      storageType: 'gp3',
      allocatedStorage: props.storageGiB,
      maxAllocatedStorage: props.maxStorageGiB,
      storageEncrypted: true,
      kmsKeyId: key.arn,
      dbName: database,
      username: props.masterUser,
      manageMasterUserPassword: true,
      masterUserSecretKmsKeyId: key.arn,
      iamDatabaseAuthenticationEnabled: true,
      ...this.within(props),
      ...this.settings(identifier),
      ...this.observation(props),
      dependsOn: this.keepLogs(props),
      backupRetentionPeriod: props.backupDays,
      backupWindow: '01:30-02:30', // UTC
      copyTagsToSnapshot: true,
      deletionProtection,
      skipFinalSnapshot: !deletionProtection,
      finalSnapshotIdentifier: deletionProtection ? `${identifier}-final` : undefined,
      lifecycle: { preventDestroy: deletionProtection },
    });
    const secret = (purpose: string, name: string, description: string): Secret =>
      new Secret(this, purpose, { name, description, location, key, deletionProtection });
    this.loader = secret('loader', props.secrets.loader, `Credentials by which ${identifier} is loaded`);
    this.application = secret('application', props.secrets.application, `Credentials of ${identifier}'s application`);
    this.identifier = instance.identifier;
    this.database = database;
    this.host = instance.address;
    this.port = Token.asString(instance.port);
    this.storageGiB = props.storageGiB;
    this.caParameter = props.caParameter;
    this.masterSecretArn = instance.masterUserSecret.get(0).secretArn;
  }

  /** Allows to connect as the loader. */
  grantLoad(grantee: Grantee): void {
    this.loader.grantRead(grantee);
    this.grantReadCa(grantee);
  }

  /** Allows to connect as the master user and to set the other users' passwords. */
  grantAdminister(grantee: Grantee): void {
    grantee.allow({ actions: ['secretsmanager:GetSecretValue'], resources: [this.masterSecretArn] });
    this.key.grantDecrypt(grantee);
    this.loader.grantReadWrite(grantee);
    this.application.grantReadWrite(grantee);
    this.grantReadCa(grantee);
  }

  private grantReadCa(grantee: Grantee): void {
    grantee.allow({ actions: ['ssm:GetParameter'], resources: [parameterArn(this.location, this.caParameter)] });
  }

  /** Where it is, and who reaches it: the jobs and the application. */
  private within({ identifier, network, clientCidrs }: ServingDbProps) {
    const subnets = new DbSubnetGroup(this, 'subnets', {
      name: identifier,
      description: `Subnets of ${identifier}`,
      subnetIds: [...network.subnetIds],
    });
    const group = network.securityGroup('serving-db', `Who reaches ${identifier}`);
    const port = 5432; // RDS's default for Postgres
    group.allowFrom(network.glue.securityGroup, { from: port, to: port }, 'Jobs load and migrate it');
    network.glue.securityGroup.allowTo(group, { from: port, to: port }, identifier);
    for (const cidr of clientCidrs) {
      group.allowFromCidr(cidr.replace(/[./]/g, '-'), cidr, port, 'The application');
    }
    return {
      publiclyAccessible: false,
      dbSubnetGroupName: subnets.name,
      vpcSecurityGroupIds: [group.id],
    };
  }

  private settings(identifier: string) {
    const parameters = new DbParameterGroup(this, 'parameters', {
      name: identifier,
      family: 'postgres16',
      description: `Settings of ${identifier}`,
      parameter: Object.entries(PARAMETERS).map(([name, value]) => ({ name, value })),
    });
    return { parameterGroupName: parameters.name };
  }

  /** What of its doings is seen from outside: its log, its load by statement, the operating system's metrics. */
  private observation({ monitoringSeconds, monitoringRoleName, insights, key }: ServingDbProps) {
    return {
      enabledCloudwatchLogsExports: LOGS,
      databaseInsightsMode: insights,
      performanceInsightsEnabled: true,
      performanceInsightsRetentionPeriod: INSIGHT_DAYS[insights],
      performanceInsightsKmsKeyId: key.arn,
      monitoringInterval: monitoringSeconds,
      monitoringRoleArn: monitoringSeconds === 0 ? undefined : this.monitoringRole(monitoringRoleName).arn,
    };
  }

  /** RDS would make the groups itself, to be kept for ever. */
  private keepLogs({ identifier, key, retentionDays }: ServingDbProps): CloudwatchLogGroup[] {
    return LOGS.map(
      (log) =>
        new CloudwatchLogGroup(this, `${log}-log`, {
          name: rdsLogGroup(identifier, log),
          retentionInDays: retentionDays,
          kmsKeyId: key.arn,
        }),
    );
  }

  private monitoringRole(name: string): Role {
    const role = new Role(this, 'monitoring', {
      name,
      description: "Sends the operating system's metrics of the database's host",
      trusts: { service: 'monitoring.rds.amazonaws.com' },
    });
    role.allow({
      actions: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [arn('logs', this.location, 'log-group:RDSOSMetrics*')],
    });
    return role;
  }
}
