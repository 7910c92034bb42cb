/** A stack of Monitoring and the little that it watches. */
import type { TerraformStack } from 'cdktf';
import { Bucket } from '../../modules/bucket';
import { Database } from '../../modules/catalog';
import { GlueSecurity } from '../../modules/glue-security';
import { Key } from '../../modules/key';
import { LakeFormation } from '../../modules/lake-formation';
import { Monitoring, type MonitoringProps } from '../../modules/monitoring/monitoring';
import { names } from '../../modules/naming';
import { artifactFiles, JobArtifacts } from '../../modules/pipeline/artifacts';
import { GlueJob } from '../../modules/pipeline/glue-job';
import { projectRoot } from '../../modules/project';
import { emptyStack } from './stack';

export const location = { account: '111111111111', region: 'eu-central-1' };
export const LAKE_BUCKET = 'trackman-lake-test-111111111111';

const DEFAULTS = {
  pipelineMinutes: 30,
  promise: { promiseMinutes: 60, lakeWarnMinutes: 45, servingWarnMinutes: 52 },
  subscribers: { page: ['https://pager.example.com/trackman', 'oncall@example.com'], ticket: ['data@example.com'] },
  limits: { slotLagGiB: { ticket: 1, page: 4 }, freeStorageGiB: 1, cpuPercent: 80 },
  monthlyBudgetUsd: 800,
};

/** @param deltas what Monitoring is given instead */
export function monitoredStack(deltas: Partial<MonitoringProps> = {}): TerraformStack {
  const stack = emptyStack();
  const key = new Key(stack, 'key', {
    name: 'trackman',
    location,
    managedBy: 'customer',
    deletionProtection: false,
  });
  const bucket = (purpose: string): Bucket =>
    new Bucket(stack, `${purpose}-bucket`, {
      name: `trackman-${purpose}-test-111111111111`,
      deletionProtection: false,
    });
  const artifacts = new JobArtifacts(stack, 'jobs', {
    bucket: bucket('artifacts'),
    files: artifactFiles(projectRoot),
    scripts: [names.monitoring.freshness.job, names.jobs.migrate],
    contracts: [],
    marts: [],
  });
  const security = new GlueSecurity(stack, 'security', { name: 'trackman', location, key, retentionDays: 30 });
  /** It fails: its script is migrate's, and it is given none of its arguments. */
  const job = (name: string): GlueJob => {
    const made = new GlueJob(stack, name, {
      name,
      description: 'Watched',
      roleName: `trackman-${name}`,
      engine: { kind: 'python-shell' },
      script: artifacts.script(names.jobs.migrate),
      arguments: { '--extra-py-files': artifacts.libraries },
      budgetMinutes: 5,
      retries: 0,
      connections: [],
      security,
    });
    artifacts.grantRun(made.role);
    return made;
  };
  const lake = new Database(stack, 'lake', {
    name: names.databases.lake,
    description: 'Current tables',
    location,
    key,
    lakeFormation: new LakeFormation(stack, 'lake-formation', { mode: 'iam', admins: [] }),
    deletionProtection: false,
  });
  const ingest = job('ingest');
  new Monitoring(stack, 'monitoring', {
    ...DEFAULTS,
    location,
    key,
    artifacts,
    security,
    tables: bucket('lake'),
    lake,
    jobs: [ingest, job('publish')],
    backgroundJobs: [job('maintain')],
    measuringJobs: [ingest],
    crawler: { name: names.crawler },
    sources: ['backend'],
    servingDb: { identifier: names.serving.identifier },
    workgroups: ['analysts', 'pipeline'],
    ...deltas,
  });
  return stack;
}
