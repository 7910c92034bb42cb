import { SecretsmanagerSecret } from '@cdktf/provider-aws/lib/secretsmanager-secret';
import { Construct } from 'constructs';
import { secretArn, type Location } from './naming';
import type { Role } from './role';

export interface SecretProps {
  readonly name: string;
  readonly description: string;
  readonly location: Location;
  /** Whether it can be restored for 30 days after its deletion. */
  readonly deletionProtection: boolean;
}

/** A secret without a value: whoever generates the value writes it, and it is never in a plan or a state. */
export class Secret extends Construct {
  readonly name: string;
  private readonly arn: string;

  constructor(scope: Construct, id: string, { name, description, location, deletionProtection }: SecretProps) {
    super(scope, id);
    const recoveryWindowInDays = deletionProtection ? 30 : 0;
    this.name = new SecretsmanagerSecret(this, 'secret', { name, description, recoveryWindowInDays }).name;
    this.arn = secretArn(location, name);
  }

  grantRead(role: Role): void {
    role.allow({ actions: ['secretsmanager:GetSecretValue'], resources: [this.arn] });
  }

  /** Allows to read and to write the value, and to see that it has none yet. */
  grantReadWrite(role: Role): void {
    this.grantRead(role);
    role.allow({
      actions: ['secretsmanager:DescribeSecret', 'secretsmanager:PutSecretValue'],
      resources: [this.arn],
    });
  }
}
