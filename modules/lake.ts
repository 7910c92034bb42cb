import { Construct } from 'constructs';
import { Bucket } from './bucket';

export interface LakeProps {
  /** Names of the three buckets. */
  readonly lakeBucket: string;
  readonly artifactsBucket: string;
  readonly resultsBucket: string;
  /** For how many days a replaced or deleted object of the lake, or an old artifact, can be restored. */
  readonly versionDays: number;
  /** After how many days query results are deleted. */
  readonly resultDays: number;
  /** Whether a bucket must be emptied before it can be deleted. */
  readonly deletionProtection: boolean;
}

/** Where files live: the lake's tables, the jobs' artifacts, the results of queries. */
export class Lake extends Construct {
  /** Iceberg tables, below a prefix for each database. */
  readonly tables: Bucket;
  /** What jobs run: scripts, libraries, contracts. */
  readonly artifacts: Bucket;
  /** What Athena answered. */
  readonly results: Bucket;

  constructor(scope: Construct, id: string, props: LakeProps) {
    super(scope, id);
    const { versionDays, resultDays, deletionProtection } = props;
    this.tables = new Bucket(this, 'tables', { name: props.lakeBucket, versionDays, deletionProtection });
    this.artifacts = new Bucket(this, 'artifacts', { name: props.artifactsBucket, versionDays, deletionProtection });
    // No versions: a query can be run again.
    this.results = new Bucket(this, 'results', {
      name: props.resultsBucket,
      expireDays: resultDays,
      deletionProtection,
    });
  }
}
