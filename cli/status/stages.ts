/** The platform's stages: the crawler and the jobs, each with its last runs. */
import { GetJobRunsCommand, GlueClient, ListCrawlsCommand } from '@aws-sdk/client-glue';
import { names } from '../../modules/naming';

export interface Run {
  /** As Glue names it: RUNNING, SUCCEEDED, FAILED, … */
  readonly state: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** Null while it runs. */
  readonly completedAt: string | null;
  /** Wall clock; null while it runs. */
  readonly seconds: number | null;
  /** Why it failed; null when it did not. */
  readonly error: string | null;
}

export interface Stage {
  readonly name: string;
  readonly kind: 'crawler' | 'job';
  /** The newest first; empty when it never ran. */
  readonly runs: readonly Run[];
}

const LAST_RUNS = 5;

/** In the order in which data passes them. */
export async function readStages(region: string): Promise<Stage[]> {
  const glue = new GlueClient({ region });
  const jobs = [...Object.values(names.jobs), names.monitoring.freshness.job];
  return Promise.all([crawls(glue, names.crawler), ...jobs.map((job) => jobRuns(glue, job))]);
}

async function crawls(glue: GlueClient, name: string): Promise<Stage> {
  const { Crawls } = await glue.send(new ListCrawlsCommand({ CrawlerName: name, MaxResults: LAST_RUNS }));
  const runs = (Crawls ?? []).map(({ State, StartTime, EndTime, ErrorMessage }) =>
    // A crawl that ended well is called COMPLETED; a job's run SUCCEEDED.
    run(State === 'COMPLETED' ? 'SUCCEEDED' : State!, StartTime!, EndTime, ErrorMessage),
  );
  return { name, kind: 'crawler', runs };
}

async function jobRuns(glue: GlueClient, name: string): Promise<Stage> {
  const { JobRuns } = await glue.send(new GetJobRunsCommand({ JobName: name, MaxResults: LAST_RUNS }));
  const runs = (JobRuns ?? []).map(({ JobRunState, StartedOn, CompletedOn, ErrorMessage }) =>
    run(JobRunState!, StartedOn!, CompletedOn, ErrorMessage),
  );
  return { name, kind: 'job', runs };
}

function run(state: string, started: Date, completed?: Date, error?: string): Run {
  return {
    state,
    startedAt: started.toISOString(),
    completedAt: completed?.toISOString() ?? null,
    seconds: completed ? (completed.getTime() - started.getTime()) / 1000 : null,
    error: error || null,
  };
}
