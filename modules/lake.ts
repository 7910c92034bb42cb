import { Construct } from 'constructs';
import { Bucket } from './bucket';
import type { Key } from './key';
import type { Location } from './naming';

export interface LakeProps {
  readonly location: Location;
  /** Names of the buckets. */
  readonly lakeBucket: string;
  readonly landingBucket: string;
  readonly artifactsBucket: string;
  readonly resultsBucket: string;
  readonly logsBucket: string;
  /** Key prefix of the change log in the lake bucket. */
  readonly rawPrefix: string;
  /** Encrypts everything but the logs. */
  readonly key: Key;
  /** For how many days a replaced or deleted object of the lake, an old artifact or a log can be restored. */
  readonly versionDays: number;
  /** After how many days files of the change log move to storage for infrequent access. */
  readonly rawInfrequentDays: number;
  /** After how many days files in the landing zone are deleted. */
  readonly landingDays: number;
  /** After how many days query results are deleted. */
  readonly resultDays: number;
  /** After how many days access logs, and logs of the network's flows, are deleted. */
  readonly accessLogDays: number;
  /** Whether a bucket resists its removal. */
  readonly deletionProtection: boolean;
}

/** Where files live: the lake's tables, what lands, the jobs' artifacts, the results of queries, logs of who did what. */
export class Lake extends Construct {
  /** Who read and wrote what in the other buckets, and the network's flows. */
  readonly logs: Bucket;
  /** Iceberg tables, below a prefix for each database. */
  readonly tables: Bucket;
  /** Files that others put here to be ingested. */
  readonly landing: Bucket;
  /** What jobs run: scripts, libraries, contracts. */
  readonly artifacts: Bucket;
  /** What Athena answered. */
  readonly results: Bucket;

  constructor(scope: Construct, id: string, props: LakeProps) {
    super(scope, id);
    const { key, versionDays, deletionProtection } = props;
    // The services that deliver logs cannot use our key, and a log of the log would never end.
    this.logs = new Bucket(this, 'logs', {
      name: props.logsBucket,
      versionDays, // a trace of who did what is not removed at once
      expireDays: props.accessLogDays,
      deletionProtection,
    });
    this.takeFlowLogs(props.location);

    const common = { key, accessLogs: this.logs, deletionProtection };
    this.tables = new Bucket(this, 'tables', {
      ...common,
      name: props.lakeBucket,
      versionDays,
      infrequentAccess: { prefix: props.rawPrefix, days: props.rawInfrequentDays },
    });
    this.landing = new Bucket(this, 'landing', {
      ...common,
      name: props.landingBucket,
      versionDays,
      expireDays: props.landingDays,
      announceObjects: true,
    });
    this.artifacts = new Bucket(this, 'artifacts', { ...common, name: props.artifactsBucket, versionDays });
    // No versions: a query can be run again.
    this.results = new Bucket(this, 'results', { ...common, name: props.resultsBucket, expireDays: props.resultDays });
  }

  private takeFlowLogs({ account, region }: Location): void {
    this.logs.allowService({
      service: 'delivery.logs.amazonaws.com',
      prefix: 'vpc-flows/',
      conditions: {
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: { 'aws:SourceArn': `arn:aws:logs:${region}:${account}:*` },
      },
    });
  }
}
