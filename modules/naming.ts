/**
 * Every physical name, in one place. Environments have accounts of their own, so names are the same in all of them;
 * only what is global (buckets) or shared with others (paths) carries the environment. Renaming replaces the resource.
 */
import type { Environment } from '../envs/environment';

export const names = {
  /** Alias of the key, VPC, what else there is one of, and the tag by which all of it is known. */
  platform: 'trackman',
  databases: {
    /** What the sources look like: filled by the crawler. */
    backend: 'trackman_backend',
    /** What was received, as received. */
    raw: 'trackman_raw',
    /** The sources' current state, typed. */
    lake: 'trackman_lake',
    /** What is derived from it. */
    marts: 'trackman_marts',
  },
  /** Key prefixes of the lake bucket. */
  prefixes: {
    raw: 'raw/',
    lake: 'lake/',
    marts: 'marts/',
    /** How far dataengineering-db is: for watching it, and for what the change log keeps for it. */
    frontiers: '_trackman/frontiers/',
  },
  crawler: 'sources',
  jobs: {
    ingest: 'ingest',
    snapshot: 'snapshot',
    publish: 'publish',
    ingestFiles: 'ingest-files',
    maintain: 'maintain',
    migrate: 'migrate',
  },
  workflow: 'pipeline',
  triggers: { schedule: 'pipeline-schedule', publish: 'pipeline-publish', maintain: 'maintain-schedule' },
  /** What files that land set off: workflow and trigger, and the rules that notify them. */
  landing: {
    workflow: 'landing',
    trigger: 'landing-event',
    rules: { objects: 'trackman-landing-objects', schedule: 'trackman-landing-schedule' },
  },
  classifiers: { json: 'telemetry-json', csv: 'telemetry-csv' },
  /** Glue's connection for what only needs to be in the network, and its security configuration. */
  glue: { networkConnection: 'trackman-network', securityConfiguration: 'trackman' },
  workgroups: { analysts: 'analysts', pipeline: 'pipeline' },
  policies: { analysts: 'trackman-analysts' },
  roles: {
    crawler: 'trackman-crawler',
    ingest: 'trackman-ingest',
    snapshot: 'trackman-snapshot',
    publish: 'trackman-publish',
    ingestFiles: 'trackman-ingest-files',
    maintain: 'trackman-maintain',
    migrate: 'trackman-migrate',
    landingEvents: 'trackman-landing-events',
    analyst: 'trackman-analyst',
    databaseMonitoring: 'trackman-database-monitoring',
  },
  warehouse: {
    namespace: 'trackman',
    workgroup: 'trackman',
    database: 'trackman',
    adminUser: 'admin',
    /** As which Redshift reads the lake. */
    spectrumRole: 'trackman-spectrum',
  },
  serving: {
    identifier: 'dataengineering-db',
    database: 'dataengineering',
    schema: 'app',
    masterUser: 'dataengineering_admin',
  },
  /** What the pipelines act as, and what limits the roles that they make. */
  access: {
    plan: 'trackman-plan',
    apply: 'trackman-apply',
    policies: 'trackman-access-',
    boundary: 'trackman-boundary',
  },
  /** What watches the rest. Alarms and rules are explained, by these names, in docs/runbooks/alarms.md. */
  monitoring: {
    topics: { page: 'trackman-page', ticket: 'trackman-ticket' },
    freshness: { job: 'freshness', role: 'trackman-freshness', schedule: 'freshness-schedule' },
    dashboard: 'trackman',
    budget: 'trackman',
    rules: {
      jobFailed: 'trackman-job-failed',
      backgroundJobFailed: 'trackman-background-job-failed',
      jobLate: 'trackman-job-late',
      crawlerFailed: 'trackman-crawler-failed',
    },
    alarmPrefix: 'trackman-',
  },
  /** Metrics that the jobs publish; they know the same names. */
  metrics: {
    namespace: 'Trackman',
    /** In seconds, by Target. */
    freshness: 'Freshness',
    lakeTarget: 'lake',
    /** In bytes, by Source. */
    restartLag: 'SlotRestartLagBytes',
    confirmedLag: 'SlotConfirmedLagBytes',
  },
} as const;

type Named = Pick<Environment, 'name'>;
type Global = Pick<Environment, 'name' | 'account'>;

/** The account and region that a stack lives in. */
export type Location = Pick<Environment, 'account' | 'region'>;

export function stackName({ name }: Named): string {
  return `trackman-${name}`;
}

export function stateBucket(environment: Global): string {
  return bucket('state', environment);
}

/** A literal of its own, not the stack's name: a state key that changes loses the state. */
export function stateKey({ name }: Named): string {
  return `trackman-${name}/terraform.tfstate`;
}

export function accessStackName({ name }: Named): string {
  return `trackman-access-${name}`;
}

/** Every stack of an environment: the platform's, and that of its pipelines' roles. */
export function stackNames(environment: Named): string[] {
  return [stackName(environment), accessStackName(environment)];
}

/** Beside the platform's, in the same bucket. */
export function accessStateKey({ name }: Named): string {
  return `trackman-access-${name}/terraform.tfstate`;
}

export function lakeBucket(environment: Global): string {
  return bucket('lake', environment);
}

/** Where others put files to be ingested. */
export function landingBucket(environment: Global): string {
  return bucket('landing', environment);
}

/** Access logs of the other buckets, and the network's flows. */
export function logsBucket(environment: Global): string {
  return bucket('logs', environment);
}

export function artifactsBucket(environment: Global): string {
  return bucket('artifacts', environment);
}

/** Where Athena puts results. */
export function resultsBucket(environment: Global): string {
  return bucket('results', environment);
}

/** ARN pattern of every bucket of the environment, the state's too. */
export function bucketArns(environment: Global): string {
  return `arn:aws:s3:::${bucket('*', environment)}`;
}

function bucket(purpose: string, { name, account }: Global): string {
  return `trackman-${purpose}-${name}-${account}`;
}

/**
 * What the owners of a source keep for the platform, below `/trackman/<env>/<folder>`: its address, the authority that
 * signs its certificate, its VPC's id and address range as parameters, and credentials as a secret.
 */
export function ownerPaths({ name }: Named, folder = 'backend') {
  const parameter = (purpose: string): string => `/trackman/${name}/${folder}/${purpose}`;
  return {
    url: parameter('url'),
    ca: parameter('ca'),
    vpc: parameter('vpc'),
    cidr: parameter('cidr'),
    secret: `trackman/${name}/${folder}`,
  };
}

/** SSM parameter with the authorities that sign dataengineering-db's certificate. */
export function servingCaParameter({ name }: Named): string {
  return `/trackman/${name}/serving/ca`;
}

/** Credentials of dataengineering-db's users; their values are written by the job `migrate`. */
export function servingSecrets({ name }: Named): { loader: string; application: string } {
  return { loader: `trackman/${name}/serving/loader`, application: `trackman/${name}/serving/application` };
}

/** Where RDS exports a log of an instance; the name is its own. */
export function rdsLogGroup(instance: string, log: string): string {
  return `/aws/rds/instance/${instance}/${log}`;
}

/** Where Redshift Serverless writes a log of a namespace; the name is its own. */
export function redshiftLogGroup(namespace: string, log: string): string {
  return `/aws/redshift/${namespace}/${log}`;
}

/** Key of the hashes that stand for personal data. */
export function pepperSecret({ name }: Named): string {
  return `trackman/${name}/pii-pepper`;
}

/** ARN of something that belongs to an account and a region. */
export function arn(service: string, { account, region }: Location, resource: string): string {
  return `arn:aws:${service}:${region}:${account}:${resource}`;
}

export function roleArn({ account }: Pick<Environment, 'account'>, role: string): string {
  return `arn:aws:iam::${account}:role/${role}`;
}

export function policyArn({ account }: Pick<Environment, 'account'>, policy: string): string {
  return `arn:aws:iam::${account}:policy/${policy}`;
}

/** Who vouches for GitHub's workflows, less the scheme. */
export const OIDC_ISSUER = 'token.actions.githubusercontent.com';

export function oidcProviderArn({ account }: Pick<Environment, 'account'>): string {
  return `arn:aws:iam::${account}:oidc-provider/${OIDC_ISSUER}`;
}

/** The permissions boundary of every role that the platform's stack makes. */
export function boundaryArn(environment: Pick<Environment, 'account'>): string {
  return policyArn(environment, names.access.boundary);
}

/** ARN of an SSM parameter; the slash that its name begins with is not repeated. */
export function parameterArn(location: Location, name: string): string {
  return arn('ssm', location, `parameter${name}`);
}

/** ARN of a secret known by its name: Secrets Manager appends a hyphen and six characters of its own. */
export function secretArn(location: Location, name: string): string {
  return arn('secretsmanager', location, `secret:${name}-??????`);
}
