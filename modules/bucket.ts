import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket';
import {
  S3BucketLifecycleConfiguration,
  type S3BucketLifecycleConfigurationRule as LifecycleRule,
} from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration';
import { S3BucketOwnershipControls } from '@cdktf/provider-aws/lib/s3-bucket-ownership-controls';
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy';
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block';
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration';
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning';
import { Construct } from 'constructs';
import type { Role } from './role';
import { check } from './validation';

export interface BucketProps {
  readonly name: string;
  /** Whether it must be emptied before it can be deleted. */
  readonly deletionProtection: boolean;
  /** For how many days a replaced or deleted object can be restored. @default objects have no versions */
  readonly versionDays?: number;
  /** After how many days objects are deleted. @default never */
  readonly expireDays?: number;
}

/** A private bucket: encrypted, over TLS only, its objects owned by its account, an abandoned upload removed in a week. */
export class Bucket extends Construct {
  readonly name: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, props: BucketProps) {
    super(scope, id);
    check(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(props.name), {
      name: 'bucket name',
      value: props.name,
      expected: '3 to 63 lower-case letters, digits and hyphens',
      remedy: "shorten the environment's name",
    });
    const forceDestroy = !props.deletionProtection;
    this.name = new S3Bucket(this, 'bucket', { bucket: props.name, forceDestroy }).bucket;
    this.arn = `arn:aws:s3:::${props.name}`;
    this.keepPrivate();
    this.keepFor(props);
  }

  /** Address of the bucket, or of what is below `prefix`, for Glue, Spark and Athena. */
  uri(prefix = ''): string {
    return `s3://${this.name}/${prefix}`;
  }

  /** Allows to list and read the objects below the prefixes ("raw/"). */
  grantRead(role: Role, ...prefixes: string[]): void {
    role.allow({
      actions: ['s3:ListBucket'],
      resources: [this.arn],
      conditions: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } },
    });
    role.allow({ actions: ['s3:GetObject'], resources: this.objects(prefixes) });
  }

  /** Allows to write objects below the prefixes and to replace them, large ones in parts. */
  grantWrite(role: Role, ...prefixes: string[]): void {
    role.allow({
      actions: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      resources: this.objects(prefixes),
    });
  }

  /** Allows to read, write and delete the objects below the prefixes. */
  grantReadWrite(role: Role, ...prefixes: string[]): void {
    this.grantRead(role, ...prefixes);
    this.grantWrite(role, ...prefixes);
    role.allow({ actions: ['s3:DeleteObject'], resources: this.objects(prefixes) });
  }

  private objects(prefixes: readonly string[]): string[] {
    return prefixes.map((prefix) => `${this.arn}/${prefix}*`);
  }

  private keepPrivate(): void {
    const bucket = this.name;
    new S3BucketServerSideEncryptionConfigurationA(this, 'encryption', {
      bucket,
      rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }],
    });
    const block = new S3BucketPublicAccessBlock(this, 'public-access-block', {
      bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, 'ownership', { bucket, rule: { objectOwnership: 'BucketOwnerEnforced' } });
    new S3BucketPolicy(this, 'tls-only', {
      bucket,
      policy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Deny',
            Principal: '*',
            Action: 's3:*',
            Resource: [this.arn, `${this.arn}/*`],
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          },
        ],
      }),
      dependsOn: [block], // S3 refuses two changes of a bucket's access at once
    });
  }

  private keepFor({ versionDays, expireDays }: BucketProps): void {
    const bucket = this.name;
    const rules = [rule('abandoned-uploads', { abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }] })];
    if (expireDays !== undefined) rules.push(rule('expiry', { expiration: [{ days: expireDays }] }));
    const dependsOn = [];
    if (versionDays !== undefined) {
      rules.push(rule('old-versions', { noncurrentVersionExpiration: [{ noncurrentDays: versionDays }] }));
      const versioningConfiguration = { status: 'Enabled' };
      dependsOn.push(new S3BucketVersioningA(this, 'versioning', { bucket, versioningConfiguration }));
    }
    new S3BucketLifecycleConfiguration(this, 'lifecycle', { bucket, rule: rules, dependsOn });
  }
}

/** A rule for every object of the bucket. */
function rule(id: string, action: Partial<LifecycleRule>): LifecycleRule {
  return { id, status: 'Enabled', filter: [{}], ...action };
}
