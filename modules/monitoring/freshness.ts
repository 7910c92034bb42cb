import { GlueTrigger } from '@cdktf/provider-aws/lib/glue-trigger';
import { Construct } from 'constructs';
import type { Bucket } from '../bucket';
import type { Database } from '../catalog';
import type { GlueSecurity } from '../glue-security';
import { grantMetrics } from '../metrics';
import { names } from '../naming';
import type { JobArtifacts } from '../pipeline/artifacts';
import { GlueJob } from '../pipeline/glue-job';
import { cronExpression } from '../schedule';
import type { Metric } from './alarm';

export interface FreshnessProps {
  readonly security: GlueSecurity;
  readonly artifacts: JobArtifacts;
  /** The bucket with the lake's tables, and what `publish` says of dataengineering-db. */
  readonly tables: Bucket;
  /** Database of the lake's current tables. */
  readonly lake: Database;
  /** Identifier of the serving database: its target's name. */
  readonly serving: string;
}

/** How often freshness is measured, in minutes: the shortest that Glue's schedules offer. */
export const FRESHNESS_MINUTES = 5;

const BUDGET_MINUTES = 1; // ended at three times that, before the next run starts

/** The job that measures how far the lake and dataengineering-db are behind, and its schedule. */
export class Freshness extends Construct {
  readonly job: GlueJob;
  /** Seconds that the lake is behind. */
  readonly lake: Metric;
  /** Seconds that dataengineering-db is behind. */
  readonly serving: Metric;

  constructor(scope: Construct, id: string, props: FreshnessProps) {
    super(scope, id);
    const { prefixes, metrics, monitoring } = names;
    this.job = new GlueJob(this, 'job', {
      name: monitoring.freshness.job,
      description: 'Measures how far the lake and dataengineering-db are behind the sources',
      roleName: monitoring.freshness.role,
      engine: { kind: 'python-shell' },
      script: props.artifacts.script(monitoring.freshness.job),
      arguments: {
        '--lake-database': props.lake.name,
        '--serving-frontiers': props.tables.uri(`${prefixes.frontiers}${props.serving}.json`),
      },
      budgetMinutes: BUDGET_MINUTES,
      retries: 0, // its next run is one
      connections: [], // it calls services of AWS only
      security: props.security,
    });
    const { role } = this.job;
    props.artifacts.grantRun(role);
    props.lake.grantList(role);
    props.tables.grantList(role, prefixes.frontiers);
    props.tables.grantRead(role, prefixes.lake, prefixes.frontiers);
    grantMetrics(role, metrics.namespace);

    new GlueTrigger(this, 'schedule', {
      name: monitoring.freshness.schedule,
      type: 'SCHEDULED',
      schedule: cronExpression({ everyMinutes: FRESHNESS_MINUTES, offsetMinutes: 0 }),
      startOnCreation: true,
      actions: [{ jobName: this.job.name }],
    });
    const metric = (target: string): Metric => ({
      namespace: metrics.namespace,
      name: metrics.freshness,
      dimensions: { Target: target },
    });
    this.lake = metric(metrics.lakeTarget);
    this.serving = metric(props.serving);
  }
}
