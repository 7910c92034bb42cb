import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group';
import { GlueSecurityConfiguration } from '@cdktf/provider-aws/lib/glue-security-configuration';
import { Construct } from 'constructs';
import type { Key } from './key';
import { nameRule, retentionRule } from './limits';
import { arn, type Location } from './naming';
import type { Role } from './role';
import { checkRules } from './validation';

export interface GlueSecurityProps {
  /** Name of the security configuration. */
  readonly name: string;
  readonly location: Location;
  readonly key: Key;
  /** For how many days logs are kept; one of what CloudWatch Logs offers. */
  readonly retentionDays: number;
}

/** What writes logs: Glue names their groups after it. */
export type LogWriter = 'jobs' | 'python-jobs' | 'crawlers';

/** How Glue keeps what it writes beside the data: logs for a time, and all of it under the key. */
export class GlueSecurity extends Construct {
  /** Name of the security configuration of jobs and crawlers; undefined where AWS manages the key. */
  readonly configuration: string | undefined;
  private readonly groups = new Map<string, CloudwatchLogGroup>();

  constructor(
    scope: Construct,
    id: string,
    private readonly props: GlueSecurityProps,
  ) {
    super(scope, id);
    const { name, key, retentionDays } = props;
    checkRules(
      `security configuration ${name}`,
      [nameRule('name', name, 255), retentionRule(retentionDays)],
      'correct logs.retentionDays in the environment, or the name in modules/naming.ts',
    );
    if (key.arn === undefined) return;
    this.configuration = new GlueSecurityConfiguration(this, 'configuration', {
      name,
      encryptionConfiguration: {
        cloudwatchEncryption: { cloudwatchEncryptionMode: 'SSE-KMS', kmsKeyArn: key.arn },
        jobBookmarksEncryption: { jobBookmarksEncryptionMode: 'CSE-KMS', kmsKeyArn: key.arn },
        s3Encryption: { s3EncryptionMode: 'SSE-KMS', kmsKeyArn: key.arn },
      },
    }).name;
  }

  /**
   * Makes the log groups of whoever acts as the role, and allows to write there. What is logged before they are there
   * goes to groups that Glue makes and that keep it for ever: what writes depends on what this returns.
   */
  keepLogs(writer: LogWriter, role: Role, roleName: string): CloudwatchLogGroup[] {
    const groups = this.groupNames(writer, roleName);
    role.allow({
      actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents', 'logs:AssociateKmsKey'],
      resources: groups.map((name) => arn('logs', this.props.location, `log-group:${name}:*`)),
    });
    return groups.map((name) => this.group(name));
  }

  /** Where Glue logs to: with a security configuration to groups of each role's own, else to common ones. */
  private groupNames(writer: LogWriter, role: string): string[] {
    const base = `/aws-glue/${writer}`;
    const own = this.configuration && this.props.name;
    if (writer === 'crawlers') return [own === undefined ? base : `${base}-role/${role}-${own}`];
    return ['output', 'error'].map((part) =>
      own === undefined ? `${base}/${part}` : `${base}/${own}-role/${role}/${part}`,
    );
  }

  private group(name: string): CloudwatchLogGroup {
    const { key, retentionDays } = this.props;
    const known = this.groups.get(name);
    if (known) return known;
    const id = name.slice(1).replaceAll('/', '-');
    const group = new CloudwatchLogGroup(this, id, { name, kmsKeyId: key.arn, retentionInDays: retentionDays });
    this.groups.set(name, group);
    return group;
  }
}
