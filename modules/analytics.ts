import { AthenaNamedQuery } from '@cdktf/provider-aws/lib/athena-named-query';
import { AthenaWorkgroup } from '@cdktf/provider-aws/lib/athena-workgroup';
import { Construct } from 'constructs';
import type { PackagedQuery } from '../athena-queries/packaged-query';
import type { Bucket } from './bucket';
import type { Database } from './catalog';
import { arn, type Location } from './naming';
import { Role } from './role';
import { check } from './validation';

export interface AnalyticsProps {
  /** The analysts' workgroup. */
  readonly workgroup: string;
  /** The analysts' role, which every principal of the account may be allowed to assume. */
  readonly roleName: string;
  readonly location: Location;
  /** Where results go, below the workgroup's name. */
  readonly results: Bucket;
  /** What one query may scan, in bytes. */
  readonly maxScannedBytes: number;
  /** Each becomes a named query of the workgroup. */
  readonly queries: readonly PackagedQuery[];
  /** The database that the queries read. */
  readonly database: Database;
  /** Whether the workgroup can be deleted only without queries and history. */
  readonly deletionProtection: boolean;
}

/** Athena for analysts: a workgroup whose settings hold whatever a client asks, and the packaged queries in it. */
export class Analytics extends Construct {
  readonly workgroup: string;
  /** What analysts act as. */
  readonly analyst: Role;

  constructor(scope: Construct, id: string, props: AnalyticsProps) {
    super(scope, id);
    const { location, results, maxScannedBytes } = props;
    const prefix = `${props.workgroup}/`;
    const workgroup = new AthenaWorkgroup(this, 'workgroup', {
      name: props.workgroup,
      description: "Analysts' queries over the lake",
      forceDestroy: !props.deletionProtection,
      configuration: {
        enforceWorkgroupConfiguration: true,
        publishCloudwatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: maxScannedBytes,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: results.uri(prefix),
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
          expectedBucketOwner: location.account,
        },
      },
    });
    this.workgroup = workgroup.name;
    for (const query of props.queries) this.addNamedQuery(query, props);

    this.analyst = new Role(this, 'analyst', {
      name: props.roleName,
      description: 'Queries the lake as an analyst',
      trusts: { account: location.account },
    });
    this.grantQuery(this.analyst, location, props.workgroup);
    results.grantRead(this.analyst, prefix);
    results.grantWrite(this.analyst, prefix);
    // Athena asks where the bucket is, in the caller's name, before it writes there.
    this.analyst.allow({ actions: ['s3:GetBucketLocation'], resources: [results.arn] });
  }

  private addNamedQuery(query: PackagedQuery, { database, maxScannedBytes }: AnalyticsProps): void {
    check(query.byteLimit <= maxScannedBytes, {
      name: `byteLimit of query ${query.name}`,
      value: query.byteLimit,
      expected: `at most the ${maxScannedBytes} bytes that the workgroup allows a query to scan`,
      remedy: `lower it in athena-queries/${query.name}.sql or raise analytics.maxScannedBytes of the environment`,
    });
    new AthenaNamedQuery(this, query.name, {
      name: query.name,
      description: query.description,
      workgroup: this.workgroup,
      database: database.name,
      query: query.sql,
    });
  }

  private grantQuery(role: Role, location: Location, workgroup: string): void {
    role.allow({
      actions: [
        'athena:GetWorkGroup',
        'athena:StartQueryExecution',
        'athena:StopQueryExecution',
        'athena:GetQueryExecution',
        'athena:BatchGetQueryExecution',
        'athena:ListQueryExecutions',
        'athena:GetQueryResults',
        'athena:GetQueryRuntimeStatistics',
        'athena:GetNamedQuery',
        'athena:BatchGetNamedQuery',
        'athena:ListNamedQueries',
      ],
      resources: [arn('athena', location, `workgroup/${workgroup}`)],
    });
    // Athena looks this database up in the caller's name, whichever one a query reads.
    role.allow({
      actions: ['glue:GetDatabase'],
      resources: [arn('glue', location, 'catalog'), arn('glue', location, 'database/default')],
    });
  }
}
