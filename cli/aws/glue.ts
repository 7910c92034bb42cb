/** Starts crawls, job runs and workflow runs, waits for them and tells why they failed. */
import { CloudWatchLogsClient, GetLogEventsCommand, ResourceNotFoundException } from '@aws-sdk/client-cloudwatch-logs';
import {
  ConcurrentRunsExceededException,
  CrawlerRunningException,
  EntityNotFoundException,
  GetCrawlerCommand,
  GetJobRunCommand,
  GetJobRunsCommand,
  GetWorkflowRunCommand,
  GetWorkflowRunsCommand,
  GlueClient,
  StartCrawlerCommand,
  StartJobRunCommand,
  StartWorkflowRunCommand,
  type JobRun,
  type WorkflowRun,
} from '@aws-sdk/client-glue';
import { FailedError } from '../errors';
import { poll } from './poll';

export type Report = (line: string) => void;

const EVERY_MS = 500;
const MINUTE_MS = 60_000;
const ENDED = new Set(['SUCCEEDED', 'FAILED', 'STOPPED', 'TIMEOUT', 'ERROR', 'EXPIRED']);

/** Runs a crawler once, as its schedule would; a crawl that is under way is waited for instead. */
export async function crawl(region: string, name: string, report: Report): Promise<void> {
  const glue = new GlueClient({ region });
  try {
    await glue.send(new StartCrawlerCommand({ Name: name }));
  } catch (error) {
    if (!(error instanceof CrawlerRunningException)) throw error;
    report('a crawl was under way: waiting for it');
  }
  const look = async () => {
    const { Crawler } = await glue.send(new GetCrawlerCommand({ Name: name }));
    report(Crawler?.State?.toLowerCase() ?? '');
    return Crawler?.State === 'READY' ? Crawler : undefined;
  };
  const crawler = await poll(`crawler ${name}`, look, { everyMs: EVERY_MS, withinMs: 30 * MINUTE_MS });
  if (crawler.LastCrawl?.Status !== 'SUCCEEDED') {
    throw new FailedError(`crawler ${name}: ${crawler.LastCrawl?.Status}: ${crawler.LastCrawl?.ErrorMessage}`);
  }
}

/** Waits for a crawl that is under way: Glue refuses to change a crawler meanwhile, and Terraform does not try again. */
export async function waitForCrawler(region: string, name: string, report: Report): Promise<void> {
  const glue = new GlueClient({ region });
  const look = async () => {
    const state = await crawlerState(glue, name);
    report(state.toLowerCase());
    return state === 'READY' || state === 'MISSING' ? state : undefined;
  };
  await poll(`crawler ${name}`, look, { everyMs: EVERY_MS, withinMs: 30 * MINUTE_MS });
}

async function crawlerState(glue: GlueClient, name: string): Promise<string> {
  try {
    return (await glue.send(new GetCrawlerCommand({ Name: name }))).Crawler!.State!;
  } catch (error) {
    if (error instanceof EntityNotFoundException) return 'MISSING'; // before the first apply
    throw error;
  }
}

/** Runs a job outside a workflow, with arguments of its own. Fails with the job's own error message. */
export async function runJob(
  region: string,
  name: string,
  report: Report,
  jobArguments: Readonly<Record<string, string>> = {},
): Promise<JobRun> {
  const glue = new GlueClient({ region });
  const JobRunId = await startJob(glue, name, report, jobArguments);
  const look = async () => {
    const { JobRun } = await glue.send(new GetJobRunCommand({ JobName: name, RunId: JobRunId }));
    report(JobRun!.JobRunState!.toLowerCase());
    return ENDED.has(JobRun!.JobRunState!) ? JobRun : undefined;
  };
  const run = await poll(`job ${name}`, look, { everyMs: EVERY_MS, withinMs: 60 * MINUTE_MS });
  if (run.JobRunState !== 'SUCCEEDED') throw new FailedError(explain(run));
  return run;
}

async function startJob(
  glue: GlueClient,
  name: string,
  report: Report,
  jobArguments: Readonly<Record<string, string>>,
): Promise<string> {
  const start = async () =>
    (await glue.send(new StartJobRunCommand({ JobName: name, Arguments: jobArguments }))).JobRunId!;
  const isIdle = async () => {
    const { JobRuns } = await glue.send(new GetJobRunsCommand({ JobName: name, MaxResults: 25 }));
    return JobRuns!.every((run) => ENDED.has(run.JobRunState!));
  };
  return startWhenIdle(`job ${name}`, start, isIdle, report);
}

/** Starts a run of a workflow as its schedule would, waits, and returns its job runs. Every one must have succeeded. */
export async function runWorkflow(region: string, name: string, report: Report): Promise<JobRun[]> {
  const glue = new GlueClient({ region });
  const id = await startWorkflow(glue, name, report);
  const logs = new CloudWatchLogsClient({ region });
  const look = async () => {
    const { Run } = await glue.send(new GetWorkflowRunCommand({ Name: name, RunId: id, IncludeGraph: true }));
    const running = jobRuns(Run!).find((run) => run.JobRunState === 'RUNNING');
    if (running) report(`${running.JobName}: ${(await lastLogLine(logs, running)) ?? 'running'}`);
    return Run!.Status === 'RUNNING' ? undefined : Run!;
  };
  const run = await poll(`workflow ${name}`, look, { everyMs: EVERY_MS, withinMs: 60 * MINUTE_MS });
  const runs = jobRuns(run);
  const failed = runs.filter((jobRun) => jobRun.JobRunState !== 'SUCCEEDED');
  if (failed.length > 0) throw new FailedError(failed.map(explain).join('\n'));
  const skipped = (run.Statistics?.TotalActions ?? 0) - runs.length;
  if (run.Status !== 'COMPLETED' || runs.length === 0 || skipped > 0) {
    throw new FailedError(
      `workflow ${name} ended ${run.Status} with ${runs.length} job runs: ${run.ErrorMessage ?? ''}`,
    );
  }
  return runs;
}

async function startWorkflow(glue: GlueClient, name: string, report: Report): Promise<string> {
  const start = async () => (await glue.send(new StartWorkflowRunCommand({ Name: name }))).RunId!;
  const isIdle = async () => {
    const { Runs } = await glue.send(new GetWorkflowRunsCommand({ Name: name, MaxResults: 25 }));
    return Runs!.every((run) => run.Status !== 'RUNNING');
  };
  return startWhenIdle(`workflow ${name}`, start, isIdle, report);
}

/** A run that is under way (a schedule fired) is waited for first, so that ours begins after what the caller did. */
async function startWhenIdle(
  what: string,
  start: () => Promise<string>,
  isIdle: () => Promise<boolean>,
  report: Report,
): Promise<string> {
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof ConcurrentRunsExceededException)) throw error;
      report('a run was under way: waiting for it');
      const look = async () => (await isIdle()) || undefined;
      await poll(`the running ${what}`, look, { everyMs: EVERY_MS, withinMs: 60 * MINUTE_MS });
    }
  }
}

function jobRuns(run: WorkflowRun): JobRun[] {
  return (run.Graph?.Nodes ?? []).flatMap((node) => node.JobDetails?.JobRuns ?? []);
}

function explain(run: JobRun): string {
  return `job ${run.JobName} ${run.JobRunState}: ${run.ErrorMessage ?? 'no message'} (log: ${run.LogGroupName}/output and /error, stream ${run.Id})`;
}

async function lastLogLine(logs: CloudWatchLogsClient, run: JobRun): Promise<string | undefined> {
  try {
    const { events } = await logs.send(
      new GetLogEventsCommand({ logGroupName: `${run.LogGroupName}/output`, logStreamName: run.Id!, limit: 1 }),
    );
    return events?.at(-1)?.message?.trim();
  } catch (error) {
    // The stream appears with the job's first line.
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
