import { GlueTrigger } from '@cdktf/provider-aws/lib/glue-trigger';
import { GlueWorkflow } from '@cdktf/provider-aws/lib/glue-workflow';
import { Construct } from 'constructs';
import type { Bucket } from '../bucket';
import type { GlueConnection } from '../glue-connection';
import type { GlueSecurity } from '../glue-security';
import { names } from '../naming';
import { BOUNDS, isWhole } from '../limits';
import { cronExpression, type Schedule } from '../schedule';
import type { Secret } from '../secret';
import type { ServingDb } from '../serving-db';
import { check } from '../validation';
import type { JobArtifacts } from './artifacts';
import { GlueJob, type Engine, type GlueJobProps } from './glue-job';
import { Landing } from './landing';

export interface PipelineProps {
  readonly artifacts: JobArtifacts;
  /** S3 URI of the lake, with a closing slash. */
  readonly lakeUri: string;
  /** Where files land, and the folders that count. */
  readonly landing: { readonly bucket: Bucket; readonly prefixes: readonly string[] };
  readonly servingDb: ServingDb;
  /** Key of the hashes that stand for personal data. */
  readonly pepper: Secret;
  /** The ways to the sources, and the one that leads into the network only. */
  readonly connections: { readonly sources: readonly GlueConnection[]; readonly network: GlueConnection };
  readonly security: GlueSecurity;
  /** When the workflows start, and the job `maintain`. */
  readonly schedules: { readonly pipeline: Schedule; readonly landing: Schedule; readonly maintain: Schedule };
  /** Glue's workers for a Spark job's run, at most. */
  readonly workers: { readonly workerType: string; readonly workers: number };
  /** How long a run of each stage should take, in minutes. */
  readonly budgets: { readonly ingestMinutes: number; readonly publishMinutes: number };
  /** For how many days a table can be read as it was. */
  readonly snapshotDays: number;
}

const MAINTAIN_BUDGET_MINUTES = 60;
const SNAPSHOT_BUDGET_MINUTES = 160; // ended at Glue's eight hours
const MIGRATE_BUDGET_MINUTES = 5;

type Job = keyof typeof names.jobs;

/** What a job is, beside its name, role and script, which follow from the list's keys. */
type Definition = Omit<GlueJobProps, 'name' | 'roleName' | 'script' | 'security'>;

/** The jobs and what starts them. What a job may do is granted by its owner. */
export class Pipeline extends Construct {
  readonly jobs: Readonly<Record<Job, GlueJob>>;

  constructor(scope: Construct, id: string, props: PipelineProps) {
    super(scope, id);
    const { artifacts, security, schedules, landing, snapshotDays } = props;
    check(isWhole(snapshotDays, ...BOUNDS.snapshotDays), {
      name: 'snapshotDays of the pipeline',
      value: snapshotDays,
      expected: `a whole number of days from ${BOUNDS.snapshotDays.join(' to ')}`,
      remedy: 'correct lake.snapshotDays in the environment',
    });
    const made = Object.entries(definitions(props)).map(([job, definition]) => {
      const name = names.jobs[job as Job];
      const settings = { name, roleName: names.roles[job as Job], script: artifacts.script(name), security };
      return [job, new GlueJob(this, name, { ...definition, ...settings })] as const;
    });
    this.jobs = Object.fromEntries(made) as Record<Job, GlueJob>;
    for (const { role } of Object.values(this.jobs)) artifacts.grantRun(role);

    this.runPipelineOn(schedules.pipeline);
    new Landing(this, 'landing', {
      ...names.landing,
      ...landing,
      roleName: names.roles.landingEvents,
      schedule: schedules.landing,
      job: this.jobs.ingestFiles,
    });
    new GlueTrigger(this, 'maintain-schedule', {
      name: names.triggers.maintain,
      type: 'SCHEDULED',
      schedule: cronExpression(schedules.maintain),
      startOnCreation: true,
      actions: [{ jobName: this.jobs.maintain.name }],
    });
  }

  /** The crawler has no part in it: a crawl that hangs must not hold the workflow's only run. */
  private runPipelineOn(schedule: Schedule): void {
    const { ingest, publish } = this.jobs;
    const workflow = new GlueWorkflow(this, 'workflow', {
      name: names.workflow,
      description: 'From the sources to dataengineering-db',
      maxConcurrentRuns: 1,
    });
    new GlueTrigger(this, 'schedule', {
      name: names.triggers.schedule,
      workflowName: workflow.name,
      type: 'SCHEDULED',
      schedule: cronExpression(schedule),
      startOnCreation: true,
      actions: [{ jobName: ingest.name }],
    });
    new GlueTrigger(this, 'after-ingest', {
      name: names.triggers.publish,
      workflowName: workflow.name,
      type: 'CONDITIONAL',
      startOnCreation: true,
      predicate: { conditions: [{ jobName: ingest.name, state: 'SUCCEEDED' }] },
      actions: [{ jobName: publish.name }],
    });
  }
}

function definitions(props: PipelineProps): Record<Job, Definition> {
  const { artifacts, servingDb, pepper, connections, budgets } = props;
  const spark: Engine = { kind: 'spark', ...props.workers };
  const common = sparkArguments(props);
  return {
    ingest: {
      description: "Follows the sources: their changes into the change log, and the lake's tables up to date",
      engine: spark,
      connections: connections.sources,
      budgetMinutes: budgets.ingestMinutes,
      retries: 1,
      arguments: { ...common, '--snapshot-job': names.jobs.snapshot },
    },
    snapshot: {
      description: 'Copies a table that is too large for the time of ingest, which starts it',
      engine: spark,
      connections: connections.sources,
      budgetMinutes: SNAPSHOT_BUDGET_MINUTES,
      retries: 0, // ingest starts it again
      arguments: common,
    },
    publish: {
      description: "Brings the marts and dataengineering-db up to date with the lake's tables",
      engine: spark,
      connections: [connections.network],
      budgetMinutes: budgets.publishMinutes,
      retries: 1,
      arguments: {
        ...common,
        '--marts': artifacts.marts,
        '--marts-database': names.databases.marts,
        '--serving-host': servingDb.host,
        '--serving-port': servingDb.port,
        '--serving-database': servingDb.database,
        '--serving-secret': servingDb.loader.name,
        '--serving-ca-parameter': servingDb.caParameter,
      },
    },
    ingestFiles: {
      description: 'Takes what has landed into the lake',
      engine: spark,
      connections: [],
      budgetMinutes: budgets.ingestMinutes,
      retries: 0, // the next event or the schedule is; Glue's could overlap with it
      arguments: { ...common, '--landing-bucket': props.landing.bucket.name },
    },
    maintain: {
      description:
        'Removes what is older than it is kept; compacts tables, expires snapshots, removes what belongs to none',
      engine: spark,
      connections: [],
      budgetMinutes: MAINTAIN_BUDGET_MINUTES,
      retries: 0, // tomorrow's run is
      arguments: {
        ...common,
        '--marts-database': names.databases.marts,
        '--serving-frontiers': `${props.lakeUri}${names.prefixes.frontiers}${names.serving.identifier}.json`,
        '--snapshot-days': String(props.snapshotDays),
      },
    },
    migrate: {
      description: 'Makes schema, users and passwords of dataengineering-db',
      engine: { kind: 'python-shell' },
      connections: [connections.network],
      budgetMinutes: MIGRATE_BUDGET_MINUTES,
      retries: 0,
      arguments: {
        '--extra-py-files': artifacts.libraries,
        '--host': servingDb.host,
        '--port': servingDb.port,
        '--database': servingDb.database,
        '--ca-parameter': servingDb.caParameter,
        '--master-secret': servingDb.masterSecretArn,
        '--loader-secret': servingDb.loader.name,
        '--application-secret': servingDb.application.name,
        '--pepper-secret': pepper.name,
      },
    },
  };
}

/** What every Spark job is given: its libraries, the Iceberg catalog, the contracts, the lake. */
function sparkArguments({ artifacts, lakeUri }: PipelineProps): Record<string, string> {
  return {
    '--extra-py-files': [artifacts.library, artifacts.libraries].join(','),
    '--additional-python-modules': artifacts.wheels,
    '--python-modules-installer-option': '--no-index', // nothing is fetched at run time
    '--datalake-formats': 'iceberg',
    '--conf': sparkConfiguration(lakeUri),
    '--contracts': artifacts.contracts,
    '--lake': lakeUri.replace(/\/$/, ''),
    '--raw-database': names.databases.raw,
    '--lake-database': names.databases.lake,
  };
}

/** Glue takes one `--conf`: the settings after the first carry the argument's name themselves. */
function sparkConfiguration(lakeUri: string): string {
  const catalog = 'spark.sql.catalog.glue_catalog';
  const settings = {
    'spark.sql.extensions': 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions',
    [catalog]: 'org.apache.iceberg.spark.SparkCatalog',
    [`${catalog}.catalog-impl`]: 'org.apache.iceberg.aws.glue.GlueCatalog',
    [`${catalog}.io-impl`]: 'org.apache.iceberg.aws.s3.S3FileIO',
    [`${catalog}.warehouse`]: lakeUri,
    'spark.sql.session.timeZone': 'UTC',
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(' --conf ');
}
