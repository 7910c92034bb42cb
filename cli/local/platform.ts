/** The parts of the main job: bringing the platform up, running the pipeline, proving the result. */
import type { Environment } from '../../envs/environment';
import { names, stackName } from '../../modules/naming';
import { createClubs } from '../../demo/clubs';
import { createSource, loadHistory, type SourceOwner } from '../../demo/source';
import { readFileSync } from 'node:fs';
import { crawl, runJob, runWorkflow } from '../aws/glue';
import { rowsWritten, tableReports } from '../aws/table-reports';
import { bootstrap } from '../commands/bootstrap';
import { FailedError } from '../errors';
import { round, step, type FinishedStep } from '../progress';
import { verify, type VerifiedTable } from '../verify/verify';
import { apply } from '../terraform/cdktf';
import { EmulatorProcess } from './emulator';
import { credentialsOf, deployJob } from './github';
import { saveSession, useEmulator } from './session';

/** Called with each step as it ends. */
export type Finished = (step: FinishedStep) => void;

/**
 * Emulator, source with `shots` shots of history, the environment's stack applied, `migrate` run.
 * `own` is given the emulator as soon as it runs, so that the caller ends it whatever happens next.
 */
export async function bringUp(
  environment: Environment,
  shots: number,
  own: (emulator: EmulatorProcess) => void,
  finished: Finished,
): Promise<SourceOwner> {
  const started = await step(
    'emulator',
    () => EmulatorProcess.start(),
    ({ emulator }) => emulator.endpoint,
  );
  finished(started.finished);
  own(started.result);
  const { emulator } = started.result;
  useEmulator(emulator, environment);
  saveSession(emulator);

  const created = await step(
    'trackman-backend',
    () => createSource(environment, readFileSync(emulator.caFile, 'utf8')),
    where,
  );
  finished(created.finished);
  const source = created.result;
  const clubs = await step('club-memberships', () => createClubs(source, environment));
  finished(clubs.finished);

  // The history loads while Terraform waits for RDS.
  const history = timed(() => loadHistory(source, shots));
  const bootstrapped = await step(
    'bootstrap',
    (report) => bootstrap(environment, report, emulator.caFile),
    (done) => `${done.length} checked`,
  );
  finished(bootstrapped.finished);
  const applied = await step(`cdktf apply ${stackName(environment)}`, async (report) =>
    apply(stackName(environment), report, await credentialsOf(deployJob(environment), environment)),
  );
  finished(applied.finished);
  const loaded = await step(
    'history',
    () => history,
    (seconds) => `${shots} shots, ${rate(shots, seconds)}, beside the apply`,
  );
  finished({ ...loaded.finished, seconds: round(loaded.result) });
  const migrated = await step('migrate', (report) => runJob(environment.region, names.jobs.migrate, report));
  finished(migrated.finished);
  return source;
}

/** One crawl and one run of the pipeline, as their schedules would start them. */
export async function runPipeline(environment: Environment, label: string, finished: Finished): Promise<void> {
  const crawled = await step(`crawl (${label})`, (report) => crawl(environment.region, names.crawler, report));
  finished(crawled.finished);
  const ran = await step(`pipeline (${label})`, (report) => runAndCount(environment.region, report), describeRuns);
  finished(ran.finished);
}

/** Compares source, lake and dataengineering-db; a difference is a failure that shows the rows. */
export async function prove(environment: Environment, finished: Finished): Promise<VerifiedTable[]> {
  const checked = await step(
    'verify',
    (report) => verify(environment, report),
    (tables) => `${tables.length} tables`,
  );
  finished(checked.finished);
  const wrong = checked.result.filter((table) => table.differences.length > 0);
  if (checked.result.length === 0) throw new FailedError('verify found no table to compare');
  if (wrong.length > 0) throw new FailedError(wrong.map(describeDifferences).join('\n'));
  return checked.result;
}

function where(source: SourceOwner): string {
  return `postgresql://${source.host}:${source.port}/${source.database}`;
}

interface CountedRun {
  readonly job: string;
  readonly seconds: number;
  /** Rows that the run inserted, updated or deleted in its target. */
  readonly rows: number;
}

async function runAndCount(region: string, report: (line: string) => void): Promise<CountedRun[]> {
  const runs = await runWorkflow(region, names.workflow, report);
  return Promise.all(
    runs.map(async (run) => ({
      job: run.JobName!,
      seconds: run.ExecutionTime!,
      rows: rowsWritten(await tableReports(region, run)),
    })),
  );
}

function describeRuns(runs: readonly CountedRun[]): string {
  return runs.map(({ job, seconds, rows }) => `${job} ${rows} rows, ${rate(rows, seconds)}`).join('; ');
}

/** Glue counts a run's seconds whole. */
function rate(rows: number, seconds: number): string {
  return `${Math.round(rows / Math.max(seconds, 1))} rows/s`;
}

function describeDifferences({ name, differences, ...counts }: VerifiedTable): string {
  const rows = differences.map(({ key, rows }) =>
    [
      `  key ${key}`,
      ...Object.entries(rows).map(([store, row]) => `    ${store.padEnd(8)}${row ?? '(no such row)'}`),
    ].join('\n'),
  );
  return [
    `${name} differs (rows: source ${counts.source}, lake ${counts.lake}, serving ${counts.serving}):`,
    ...rows,
  ].join('\n');
}

/** Starts `work` at once; the result is the seconds it took. A failure surfaces where the result is awaited. */
function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  const seconds = work().then(() => (performance.now() - started) / 1000);
  seconds.catch(() => undefined); // not unhandled meanwhile: the awaiting step gets it
  return seconds;
}
