import { GlueTrigger } from '@cdktf/provider-aws/lib/glue-trigger';
import { GlueWorkflow } from '@cdktf/provider-aws/lib/glue-workflow';
import { Construct } from 'constructs';
import { names, type Location } from '../naming';
import { cronExpression, type Schedule } from '../schedule';
import type { Secret } from '../secret';
import type { ServingDb } from '../serving-db';
import type { JobArtifacts } from './artifacts';
import { GlueJob, type Engine, type GlueJobProps } from './glue-job';

export interface PipelineProps {
  readonly location: Location;
  readonly artifacts: JobArtifacts;
  /** S3 URI of the lake, with a closing slash. */
  readonly lakeUri: string;
  readonly servingDb: ServingDb;
  /** Key of the hashes that stand for personal data. */
  readonly pepper: Secret;
  /** When the workflow starts. */
  readonly schedule: Schedule;
  /** Glue's workers for a Spark job's run. */
  readonly workers: { readonly workerType: string; readonly workers: number };
  /** How long a run of each stage should take, in minutes. */
  readonly budgets: { readonly ingestMinutes: number; readonly publishMinutes: number };
}

const MIGRATE_BUDGET_MINUTES = 5;

/** The jobs, and the workflow that runs `ingest` and then `publish`. What a job may do is granted by its owner. */
export class Pipeline extends Construct {
  /** Source → change log → the lake's tables. */
  readonly ingest: GlueJob;
  /** The lake's tables → dataengineering-db. */
  readonly publish: GlueJob;
  /** Schema, users and passwords of dataengineering-db; run by each deploy. */
  readonly migrate: GlueJob;

  constructor(scope: Construct, id: string, props: PipelineProps) {
    super(scope, id);
    const jobs = jobDefinitions(props);
    this.ingest = new GlueJob(this, 'ingest', jobs.ingest);
    this.publish = new GlueJob(this, 'publish', jobs.publish);
    this.migrate = new GlueJob(this, 'migrate', jobs.migrate);
    this.runOn(props.schedule);
  }

  /** The crawler has no part in it: a crawl that hangs must not hold the workflow's only run. */
  private runOn(schedule: Schedule): void {
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
      actions: [{ jobName: this.ingest.name }],
    });
    new GlueTrigger(this, 'after-ingest', {
      name: names.triggers.publish,
      workflowName: workflow.name,
      type: 'CONDITIONAL',
      startOnCreation: true,
      predicate: { conditions: [{ jobName: this.ingest.name, state: 'SUCCEEDED' }] },
      actions: [{ jobName: this.publish.name }],
    });
  }
}

function jobDefinitions(props: PipelineProps): Record<'ingest' | 'publish' | 'migrate', GlueJobProps> {
  const { location, artifacts, servingDb, pepper, budgets } = props;
  const spark: Engine = { kind: 'spark', ...props.workers };
  const common = sparkArguments(props);
  return {
    ingest: {
      name: names.jobs.ingest,
      description:
        "Follows the sources: appends their changes to the change log and brings the lake's tables up to date",
      roleName: names.roles.ingest,
      location,
      engine: spark,
      script: artifacts.script(names.jobs.ingest),
      arguments: common,
      budgetMinutes: budgets.ingestMinutes,
      retries: 1,
    },
    publish: {
      name: names.jobs.publish,
      description: "Brings dataengineering-db up to date with the lake's tables",
      roleName: names.roles.publish,
      location,
      engine: spark,
      script: artifacts.script(names.jobs.publish),
      arguments: {
        ...common,
        '--serving-host': servingDb.host,
        '--serving-port': servingDb.port,
        '--serving-database': servingDb.database,
        '--serving-secret': servingDb.loader.name,
        '--serving-ca-parameter': servingDb.caParameter,
      },
      budgetMinutes: budgets.publishMinutes,
      retries: 1,
    },
    migrate: {
      name: names.jobs.migrate,
      description: 'Makes schema, users and passwords of dataengineering-db',
      roleName: names.roles.migrate,
      location,
      engine: { kind: 'python-shell' },
      script: artifacts.script(names.jobs.migrate),
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
      budgetMinutes: MIGRATE_BUDGET_MINUTES,
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
