import { KmsAlias } from '@cdktf/provider-aws/lib/kms-alias';
import { KmsKey } from '@cdktf/provider-aws/lib/kms-key';
import { Lazy } from 'cdktf';
import { Construct } from 'constructs';
import type { Grantee } from './grantee';
import { arn, type Location } from './naming';
import { policyDocument, type Conditions, type Statement } from './policy';
import { check } from './validation';

export interface KeyProps {
  /** Name by which people find it: the alias is `alias/<name>`. */
  readonly name: string;
  readonly location: Location;
  /**
   * Who manages it: `customer` makes a key of the account's own, rotated every year, whose policy says who uses it;
   * `aws` leaves each service to its own key.
   */
  readonly managedBy: 'customer' | 'aws';
  /** Whether Terraform refuses to remove it: with it goes everything that it encrypts. */
  readonly deletionProtection: boolean;
}

/** What an AWS service may do with the key in its own name. */
export interface ServiceUse {
  /** Service principal, for example "cloudwatch.amazonaws.com". */
  readonly service: string;
  readonly conditions: Conditions;
}

const DECRYPT = 'kms:Decrypt';
const ENCRYPT = 'kms:GenerateDataKey';
/** Until a key that was scheduled for deletion is gone, in days: the longest that KMS offers. */
const DELETION_WINDOW_DAYS = 30;

/** The key that encrypts what the platform stores. */
export class Key extends Construct {
  /** Undefined: every service encrypts with the key that AWS manages for it. */
  readonly arn: string | undefined;
  private readonly services: ServiceUse[] = [];

  constructor(scope: Construct, id: string, { name, location, managedBy, deletionProtection }: KeyProps) {
    super(scope, id);
    check(/^(?!aws\/)[\w/-]{1,250}$/.test(name), {
      name: 'name of a key',
      value: name,
      expected: 'at most 250 letters, digits, slashes, hyphens and underscores, not below aws/, which is AWS’s own',
      remedy: 'correct it in modules/naming.ts',
    });
    if (managedBy === 'aws') return;
    const key = new KmsKey(this, 'key', {
      description: `Encrypts what ${name} stores`,
      enableKeyRotation: true,
      deletionWindowInDays: DELETION_WINDOW_DAYS,
      policy: Lazy.stringValue({ produce: () => this.policy(location) }), // at synth, when every module has asked
      lifecycle: { preventDestroy: deletionProtection },
    });
    new KmsAlias(this, 'alias', { name: `alias/${name}`, targetKeyId: key.keyId });
    this.arn = key.arn;
  }

  /** Allows to read what is encrypted with it. */
  grantDecrypt(grantee: Grantee): void {
    if (this.arn !== undefined) grantee.allow({ actions: [DECRYPT], resources: [this.arn] });
  }

  /** Allows to write what is encrypted with it; in parts, which takes reading, too. */
  grantUse(grantee: Grantee): void {
    this.grantDecrypt(grantee);
    if (this.arn !== undefined) grantee.allow({ actions: [ENCRYPT], resources: [this.arn] });
  }

  /** Allows an AWS service to encrypt and decrypt in its own name, narrowed by conditions. */
  allowService(use: ServiceUse): void {
    this.services.push(use);
  }

  /** In a key's policy the resource "*" is the key itself. */
  private policy({ account, region }: Location): string {
    const allow = (
      Principal: Statement['Principal'],
      Action: Statement['Action'],
      Condition?: Conditions,
    ): Statement => ({
      Effect: 'Allow',
      Principal,
      Action,
      Resource: '*',
      ...(Condition && { Condition }),
    });
    return policyDocument([
      // What roles may do is up to their own policies. Without this statement nobody could change the key any more.
      allow({ AWS: `arn:aws:iam::${account}:root` }, 'kms:*'),
      // What CloudWatch Logs asks for before it takes a key.
      allow(
        { Service: `logs.${region}.amazonaws.com` },
        ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': arn('logs', { account, region }, 'log-group:*') } },
      ),
      ...this.services.map(({ service, conditions }) => allow({ Service: service }, [DECRYPT, ENCRYPT], conditions)),
    ]);
  }
}
