import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group';
import { RedshiftdataStatement } from '@cdktf/provider-aws/lib/redshiftdata-statement';
import { RedshiftserverlessNamespace } from '@cdktf/provider-aws/lib/redshiftserverless-namespace';
import { RedshiftserverlessUsageLimit } from '@cdktf/provider-aws/lib/redshiftserverless-usage-limit';
import { RedshiftserverlessWorkgroup } from '@cdktf/provider-aws/lib/redshiftserverless-workgroup';
import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import type { Database } from './catalog';
import type { Grantee } from './grantee';
import type { Key } from './key';
import { capacityRules, retentionRule } from './limits';
import { redshiftLogGroup, type Location } from './naming';
import { Role } from './role';
import { checkRules, type Rule } from './validation';

export interface WarehouseProps {
  readonly namespace: string;
  readonly workgroup: string;
  /** Name of the database in the namespace. */
  readonly database: string;
  /** The database's superuser; Redshift generates the password and keeps it in a secret. */
  readonly adminUser: string;
  /** As which Redshift reads the catalog and the files. */
  readonly spectrumRole: string;
  readonly location: Location;
  readonly key: Key;
  /** At least three, in three zones. */
  readonly subnetIds: readonly string[];
  /** What they let out is all that the warehouse reaches: Glue and S3 by HTTPS. Nobody needs to come in. */
  readonly securityGroupIds: readonly string[];
  /** Compute that a query begins with, in RPU (16 GB each): 4, or a multiple of 8 from 8 to 512. */
  readonly baseCapacityRpu: number;
  /** Up to where compute grows by itself, in RPU: a multiple of 8. */
  readonly maxCapacityRpu: number;
  /** Compute of a day, in RPU hours: what is asked after that is refused until the next day. */
  readonly dailyRpuHours: number;
  /** For how many days its logs of connections, users and statements are kept: a period that CloudWatch Logs offers. */
  readonly retentionDays: number;
  /** Databases of the catalog that everybody who may query sees, each as an external schema of the same name. */
  readonly schemas: readonly Database[];
  /** Whether Terraform refuses to remove the namespace. */
  readonly deletionProtection: boolean;
}

// AWS asks for both in the trust policy of a role of Redshift Serverless.
const SERVICES = ['redshift.amazonaws.com', 'redshift-serverless.amazonaws.com'];
/** What must hold, whoever connects. */
const PARAMETERS = { require_ssl: 'true', enable_user_activity_logging: 'true' };
const LOGS = ['connectionlog', 'useractivitylog', 'userlog'];

/** Redshift Serverless beside Athena: it reads the lake through external schemas and has no tables of its own. */
export class Warehouse extends Construct {
  readonly workgroup: string;
  /** Reads for everybody who queries: what it may not read, nobody sees. */
  readonly spectrum: Role;
  private readonly workgroupArn: string;

  constructor(scope: Construct, id: string, props: WarehouseProps) {
    super(scope, id);
    checkRules(props.workgroup, rules(props), 'correct warehouse in the environment');
    this.spectrum = new Role(this, 'spectrum', {
      name: props.spectrumRole,
      description: 'Reads the lake for Redshift Spectrum',
      trusts: { service: SERVICES },
    });
    const namespace = this.addNamespace(props);
    const workgroup = new RedshiftserverlessWorkgroup(this, 'workgroup', {
      workgroupName: props.workgroup,
      namespaceName: namespace.namespaceName,
      baseCapacity: props.baseCapacityRpu,
      maxCapacity: props.maxCapacityRpu,
      publiclyAccessible: false,
      enhancedVpcRouting: true, // otherwise it reaches Glue and S3 from AWS's network, past endpoints and groups
      subnetIds: [...props.subnetIds],
      securityGroupIds: [...props.securityGroupIds],
      configParameter: Object.entries(PARAMETERS).map(([parameterKey, parameterValue]) => ({
        parameterKey,
        parameterValue,
      })),
      lifecycle: {
        // AWS tells parameters that nobody set, also such as the provider refuses to write: all or none of them can be
        // listed. So a change by hand is not taken back, but told.
        ignoreChanges: ['config_parameter'],
        postcondition: Object.entries(PARAMETERS).map(([name, value]) => ({
          condition: `\${contains(self.config_parameter, { parameter_key = "${name}", parameter_value = "${value}" })}`,
          errorMessage:
            `${name} of workgroup ${props.workgroup} was changed by hand: expected ${value}; an administrator runs ` +
            `aws redshift-serverless update-workgroup --workgroup-name ${props.workgroup} ` +
            `--config-parameters parameterKey=${name},parameterValue=${value}`,
        })),
      },
    });
    this.workgroup = workgroup.workgroupName;
    this.workgroupArn = workgroup.arn;
    new RedshiftserverlessUsageLimit(this, 'usage-limit', {
      resourceArn: workgroup.arn,
      usageType: 'serverless-compute',
      period: 'daily',
      amount: props.dailyRpuHours,
      breachAction: 'deactivate',
    });
    this.runStatements(namespace, props);
  }

  /** Allows to query: everybody who may is a user of the database, and follows statements of the own session only. */
  grantQuery(grantee: Grantee): void {
    grantee.allow({
      actions: ['redshift-data:ExecuteStatement', 'redshift-serverless:GetCredentials'],
      resources: [this.workgroupArn],
    });
    // Of a statement AWS knows no ARN, but whose it is. Terraform reads "$${" as "${".
    grantee.allowUnscoped(
      ['redshift-data:DescribeStatement', 'redshift-data:GetStatementResult', 'redshift-data:CancelStatement'],
      { StringEquals: { 'redshift-data:statement-owner-iam-userid': '$${aws:userid}' } },
    );
  }

  private addNamespace(props: WarehouseProps): RedshiftserverlessNamespace {
    const { key } = props;
    const logGroup = (log: string): string => redshiftLogGroup(props.namespace, log);
    // Redshift would make the groups itself, to be kept for ever.
    const logGroups = LOGS.map(
      (log) =>
        new CloudwatchLogGroup(this, log, {
          name: logGroup(log),
          retentionInDays: props.retentionDays,
          kmsKeyId: key.arn,
        }),
    );
    return new RedshiftserverlessNamespace(this, 'namespace', {
      namespaceName: props.namespace,
      dbName: props.database,
      adminUsername: props.adminUser,
      manageAdminPassword: true,
      adminPasswordSecretKmsKeyId: key.arn,
      kmsKeyId: key.arn,
      iamRoles: [this.spectrum.arn],
      defaultIamRoleArn: this.spectrum.arn,
      logExports: LOGS,
      lifecycle: { preventDestroy: props.deletionProtection },
      dependsOn: logGroups,
    });
  }

  /**
   * Each is run again when AWS forgets, after some days, that it ran: so all of them may run any number of times, and
   * none names a role, whose ARN AWS leaves out when it tells the text.
   */
  private runStatements(namespace: RedshiftserverlessNamespace, { location, schemas }: WarehouseProps): void {
    const statement = (id: string, sql: string, ...after: ITerraformDependable[]): RedshiftdataStatement =>
      new RedshiftdataStatement(this, id, {
        workgroupName: this.workgroup,
        database: namespace.dbName,
        secretArn: namespace.adminPasswordSecretArn,
        sql,
        dependsOn: after,
      });
    statement('no-tables', 'REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    for (const database of schemas) {
      database.grantBrowse(this.spectrum);
      const { name } = database;
      const create = statement(
        `schema-${database.node.id}`,
        `CREATE EXTERNAL SCHEMA IF NOT EXISTS ${name} FROM DATA CATALOG DATABASE '${name}' REGION '${location.region}' IAM_ROLE default`,
        ...this.spectrum.policies,
      );
      // PUBLIC is who may log in, and that is up to IAM. A role of the database could not be created idempotently.
      statement(`usage-${database.node.id}`, `GRANT USAGE ON SCHEMA ${name} TO PUBLIC`, create);
    }
  }
}

function rules(props: WarehouseProps): Rule[] {
  const { subnetIds, retentionDays } = props;
  return [
    ...capacityRules(props),
    retentionRule(retentionDays),
    {
      name: 'subnetIds',
      value: subnetIds,
      holds: subnetIds.length >= 3,
      expected: 'at least three subnets, in three zones',
    },
  ];
}
