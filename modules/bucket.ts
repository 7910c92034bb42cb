import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket';
import {
  S3BucketLifecycleConfiguration,
  type S3BucketLifecycleConfigurationRule as LifecycleRule,
} from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration';
import { S3BucketLoggingA } from '@cdktf/provider-aws/lib/s3-bucket-logging';
import { S3BucketNotification } from '@cdktf/provider-aws/lib/s3-bucket-notification';
import { S3BucketOwnershipControls } from '@cdktf/provider-aws/lib/s3-bucket-ownership-controls';
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy';
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block';
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration';
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning';
import { Lazy, type ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import type { Grantee } from './grantee';
import type { Key } from './key';
import { policyDocument, tlsOnly, type Conditions, type Statement } from './policy';
import { check } from './validation';

export interface BucketProps {
  readonly name: string;
  /** Encrypts its objects. @default S3's own key: what log delivery asks for */
  readonly key?: Key;
  /** Where it is logged who read and wrote its objects. @default nowhere */
  readonly accessLogs?: Bucket;
  /** For how many days a replaced or deleted object can be restored. @default objects have no versions */
  readonly versionDays?: number;
  /** After how many days objects are deleted. @default never */
  readonly expireDays?: number;
  /** What moves to storage for infrequent access: after how many days, below which prefix ("raw/"). @default nothing */
  readonly infrequentAccess?: { readonly prefix: string; readonly days: number };
  /** Whether EventBridge hears of every object that is created. @default false */
  readonly announceObjects?: boolean;
  /** Whether Terraform refuses to remove it, and S3 unless it is empty. */
  readonly deletionProtection: boolean;
}

/** What an AWS service may write to a bucket in its own name. */
export interface ServiceWrite {
  /** Service principal, for example "logging.s3.amazonaws.com". */
  readonly service: string;
  /** Key prefix, for example "access/". */
  readonly prefix: string;
  readonly conditions: Conditions;
}

/** A private bucket: encrypted, over TLS only, its objects owned by its account, an abandoned upload removed in a week. */
export class Bucket extends Construct {
  readonly name: string;
  readonly arn: string;
  /** What objects of the stack wait for: one that is there before it is not under the key. */
  readonly encryption: ITerraformDependable;
  private readonly key: Key | undefined;
  private readonly resourcePolicy: S3BucketPolicy;
  private readonly serviceWrites: ServiceWrite[] = [];

  constructor(scope: Construct, id: string, props: BucketProps) {
    super(scope, id);
    check(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(props.name), {
      name: 'bucket name',
      value: props.name,
      expected: '3 to 63 lower-case letters, digits and hyphens',
      remedy: "shorten the environment's name",
    });
    const { deletionProtection } = props;
    const bucket = new S3Bucket(this, 'bucket', {
      bucket: props.name,
      forceDestroy: !deletionProtection,
      lifecycle: { preventDestroy: deletionProtection },
    });
    this.name = bucket.bucket;
    this.arn = `arn:aws:s3:::${props.name}`;
    this.key = props.key;
    this.encryption = this.encrypt();
    this.resourcePolicy = this.keepPrivate();
    this.keepFor(props);
    if (props.accessLogs) this.logAccess(props.accessLogs);
    if (props.announceObjects) new S3BucketNotification(this, 'events', { bucket: this.name, eventbridge: true });
  }

  /** Address of the bucket, or of what is below `prefix`, for Glue, Spark and Athena. */
  uri(prefix = ''): string {
    return `s3://${this.name}/${prefix}`;
  }

  /** Allows to list the objects below the prefixes ("raw/"). Who knows the keys, as Iceberg's readers do, need not. */
  grantList(grantee: Grantee, ...prefixes: string[]): void {
    grantee.allow({
      actions: ['s3:ListBucket'],
      resources: [this.arn],
      conditions: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } },
    });
  }

  /** Allows to read the objects below the prefixes. */
  grantRead(grantee: Grantee, ...prefixes: string[]): void {
    grantee.allow({ actions: ['s3:GetObject'], resources: this.objects(prefixes) });
    this.key?.grantDecrypt(grantee);
  }

  /** Allows to write objects below the prefixes and to replace them, large ones in parts. */
  grantWrite(grantee: Grantee, ...prefixes: string[]): void {
    grantee.allow({
      actions: ['s3:PutObject', 's3:AbortMultipartUpload'],
      resources: this.objects(prefixes),
    });
    this.key?.grantUse(grantee);
  }

  /** Allows to read, write and delete the objects below the prefixes. */
  grantReadWrite(grantee: Grantee, ...prefixes: string[]): void {
    this.grantRead(grantee, ...prefixes);
    this.grantWrite(grantee, ...prefixes);
    grantee.allow({ actions: ['s3:DeleteObject'], resources: this.objects(prefixes) });
  }

  /** Allows an AWS service to write objects in its own name. */
  allowService(write: ServiceWrite): void {
    this.serviceWrites.push(write);
  }

  private objects(prefixes: readonly string[]): string[] {
    return prefixes.map((prefix) => `${this.arn}/${prefix}*`);
  }

  private encrypt(): ITerraformDependable {
    const bucket = this.name;
    const kms = { sseAlgorithm: 'aws:kms', kmsMasterKeyId: this.key?.arn };
    return new S3BucketServerSideEncryptionConfigurationA(this, 'encryption', {
      bucket,
      rule: [
        this.key?.arn === undefined
          ? { applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }
          : { applyServerSideEncryptionByDefault: kms, bucketKeyEnabled: true }, // KMS is asked once a bucket, not an object
      ],
    });
  }

  private keepPrivate(): S3BucketPolicy {
    const bucket = this.name;
    const block = new S3BucketPublicAccessBlock(this, 'public-access-block', {
      bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, 'ownership', { bucket, rule: { objectOwnership: 'BucketOwnerEnforced' } });
    return new S3BucketPolicy(this, 'policy', {
      bucket,
      policy: Lazy.stringValue({ produce: () => this.policy() }), // at synth, when every module has asked
      dependsOn: [block], // S3 refuses two changes of a bucket's access at once
    });
  }

  private policy(): string {
    const writes = this.serviceWrites.map(({ service, prefix, conditions }): Statement => ({
      Effect: 'Allow',
      Principal: { Service: service },
      Action: 's3:PutObject',
      Resource: `${this.arn}/${prefix}*`,
      Condition: conditions,
    }));
    return policyDocument([tlsOnly('s3:*', [this.arn, `${this.arn}/*`]), ...writes]);
  }

  private keepFor({ versionDays, expireDays, infrequentAccess }: BucketProps): void {
    const bucket = this.name;
    const rules = [rule('abandoned-uploads', { abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }] })];
    if (expireDays !== undefined) rules.push(rule('expiry', { expiration: [{ days: expireDays }] }));
    if (infrequentAccess) {
      const { prefix, days } = infrequentAccess;
      rules.push(
        rule('infrequent-access', { filter: [{ prefix }], transition: [{ days, storageClass: 'STANDARD_IA' }] }),
      );
    }
    const dependsOn = [];
    if (versionDays !== undefined) {
      rules.push(rule('old-versions', { noncurrentVersionExpiration: [{ noncurrentDays: versionDays }] }));
      const versioningConfiguration = { status: 'Enabled' };
      dependsOn.push(new S3BucketVersioningA(this, 'versioning', { bucket, versioningConfiguration }));
    }
    new S3BucketLifecycleConfiguration(this, 'lifecycle', { bucket, rule: rules, dependsOn });
  }

  private logAccess(logs: Bucket): void {
    const prefix = `access/${this.node.id}/`;
    logs.allowService({
      service: 'logging.s3.amazonaws.com',
      prefix,
      conditions: { ArnEquals: { 'aws:SourceArn': this.arn } },
    });
    new S3BucketLoggingA(this, 'access-log', {
      bucket: this.name,
      targetBucket: logs.name,
      targetPrefix: prefix,
      dependsOn: [logs.resourcePolicy],
    });
  }
}

/** A rule for every object of the bucket, unless it says otherwise. */
function rule(id: string, action: Partial<LifecycleRule>): LifecycleRule {
  return { id, status: 'Enabled', filter: [{}], ...action };
}
