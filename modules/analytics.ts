import { AthenaNamedQuery } from '@cdktf/provider-aws/lib/athena-named-query';
import { AthenaPreparedStatement } from '@cdktf/provider-aws/lib/athena-prepared-statement';
import { AthenaWorkgroup } from '@cdktf/provider-aws/lib/athena-workgroup';
import { Construct } from 'constructs';
import type { PackagedQuery } from '../athena-queries/packaged-query';
import type { Bucket } from './bucket';
import type { Database } from './catalog';
import type { Grantee } from './grantee';
import type { Key } from './key';
import { ManagedPolicy } from './managed-policy';
import { arn, type Location } from './naming';
import { Role } from './role';
import { check } from './validation';

export interface AnalyticsProps {
  /** Names of the workgroups: for analysts, and for the platform's own statements. */
  readonly workgroups: { readonly analysts: string; readonly pipeline: string };
  /** The analysts' policy, which the account's administrators may attach to whom they choose. */
  readonly policyName: string;
  /** The analysts' role, which every principal of the account may be allowed to assume. */
  readonly roleName: string;
  readonly location: Location;
  /** Where results go, below the workgroup's name. */
  readonly results: Bucket;
  /** Encrypts the results. */
  readonly key: Key;
  /** What one query may scan, in bytes. */
  readonly maxScannedBytes: number;
  /** Each becomes a named query of the analysts' workgroup, and a prepared statement when it has parameters. */
  readonly queries: readonly PackagedQuery[];
  /** The database that the queries read. */
  readonly database: Database;
  /** Whether a workgroup can be deleted only without queries and history. */
  readonly deletionProtection: boolean;
}

/** Athena: workgroups whose settings hold whatever a client asks, and the packaged queries. */
export class Analytics extends Construct {
  /** What analysts may do. */
  readonly analysts: ManagedPolicy;
  /** What analysts act as, unless the policy is attached to roles of their own. */
  readonly analyst: Role;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: AnalyticsProps,
  ) {
    super(scope, id);
    const { workgroups, location, results, queries } = props;
    const analysts = this.workgroup(workgroups.analysts, "Analysts' queries over the lake");
    this.workgroup(workgroups.pipeline, "The platform's own statements: checks and comparisons");
    for (const query of queries) this.package(query, analysts);

    this.analysts = new ManagedPolicy(this, 'analysts', {
      name: props.policyName,
      description: `Queries the lake as an analyst, in the workgroup ${workgroups.analysts}`,
    });
    this.grantQuery(this.analysts, workgroups.analysts);
    this.analyst = new Role(this, 'analyst', {
      name: props.roleName,
      description: 'Queries the lake as an analyst',
      trusts: { account: location.account },
    });
    this.analysts.attachTo(this.analyst);
    const prefix = resultPrefix(workgroups.analysts);
    results.grantList(this.analysts, prefix);
    results.grantRead(this.analysts, prefix);
    results.grantWrite(this.analysts, prefix);
    // Athena writes large results in parts, in the caller's name.
    this.analysts.allow({ actions: ['s3:ListMultipartUploadParts'], resources: [`${results.arn}/${prefix}*`] });
  }

  private workgroup(name: string, description: string): string {
    const { deletionProtection, maxScannedBytes, results, key, location } = this.props;
    return new AthenaWorkgroup(this, `${name}-workgroup`, {
      name,
      description,
      forceDestroy: !deletionProtection,
      configuration: {
        enforceWorkgroupConfiguration: true,
        publishCloudwatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: maxScannedBytes,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: results.uri(resultPrefix(name)),
          encryptionConfiguration:
            key.arn === undefined
              ? { encryptionOption: 'SSE_S3' }
              : { encryptionOption: 'SSE_KMS', kmsKeyArn: key.arn },
          expectedBucketOwner: location.account,
        },
      },
    }).name;
  }

  private package(query: PackagedQuery, workgroup: string): void {
    const { database, maxScannedBytes } = this.props;
    check(query.byteLimit <= maxScannedBytes, {
      name: `byteLimit of query ${query.name}`,
      value: query.byteLimit,
      expected: `at most the ${maxScannedBytes} bytes that the workgroup allows a query to scan`,
      remedy: `lower it in athena-queries/${query.name}.sql or raise analytics.maxScannedBytes of the environment`,
    });
    const { name, description, sql } = query;
    new AthenaNamedQuery(this, query.name, { name, description, workgroup, database: database.name, query: sql });
    if (query.parameters.length === 0) return;
    new AthenaPreparedStatement(this, `${name}-statement`, { name, description, workgroup, queryStatement: sql });
  }

  private grantQuery(grantee: Grantee, workgroup: string): void {
    const { location, results } = this.props;
    grantee.allow({
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
        'athena:GetPreparedStatement',
        'athena:ListPreparedStatements',
      ],
      resources: [arn('athena', location, `workgroup/${workgroup}`)],
    });
    // Athena looks this database up in the caller's name, whichever one a query reads.
    grantee.allow({
      actions: ['glue:GetDatabase'],
      resources: [arn('glue', location, 'catalog'), arn('glue', location, 'database/default')],
    });
    // It asks where the bucket is, in the caller's name, before it writes there.
    grantee.allow({ actions: ['s3:GetBucketLocation'], resources: [results.arn] });
  }
}

function resultPrefix(workgroup: string): string {
  return `${workgroup}/`;
}
