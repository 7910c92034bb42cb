import { SecretsmanagerSecret } from '@cdktf/provider-aws/lib/secretsmanager-secret';
import { Construct } from 'constructs';
import type { Grantee } from './grantee';
import type { Key } from './key';
import { secretRule } from './limits';
import { secretArn, type Location } from './naming';
import { checkRules } from './validation';

export interface SecretProps {
  readonly name: string;
  readonly description: string;
  readonly location: Location;
  readonly key: Key;
  /** Whether it can be restored for 30 days after its deletion. */
  readonly deletionProtection: boolean;
}

/** A secret without a value: whoever generates the value writes it, and it is never in a plan or a state. */
export class Secret extends Construct {
  readonly name: string;
  private readonly arn: string;
  private readonly key: Key;

  constructor(scope: Construct, id: string, { name, description, location, key, deletionProtection }: SecretProps) {
    super(scope, id);
    checkRules('a secret', [secretRule('name', name)], 'correct it in modules/naming.ts');
    this.name = new SecretsmanagerSecret(this, 'secret', {
      name,
      description,
      kmsKeyId: key.arn,
      recoveryWindowInDays: deletionProtection ? 30 : 0,
      lifecycle: { preventDestroy: deletionProtection },
    }).name;
    this.arn = secretArn(location, name);
    this.key = key;
  }

  grantRead(grantee: Grantee): void {
    grantee.allow({ actions: ['secretsmanager:GetSecretValue'], resources: [this.arn] });
    this.key.grantDecrypt(grantee);
  }

  /** Allows to read and to write the value, and to see that it has none yet. */
  grantReadWrite(grantee: Grantee): void {
    this.grantRead(grantee);
    grantee.allow({
      actions: ['secretsmanager:DescribeSecret', 'secretsmanager:PutSecretValue'],
      resources: [this.arn],
    });
    this.key.grantUse(grantee);
  }
}
