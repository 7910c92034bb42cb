/** The parts of the main job: bringing the platform up, running the pipeline, proving the result. */
import type { Environment } from '../../envs/environment';
import { names, stackName } from '../../modules/naming';
import type { SourceContract } from '../../sources/contract';
import { crawl, runJob, runWorkflow } from '../aws/glue';
import { rowsWritten, tableReports } from '../aws/table-reports';
import { bootstrap } from '../commands/bootstrap';
import { FailedError } from '../errors';
import { round, step, type FinishedStep } from '../progress';
import { verify, type VerifiedTable } from '../verify/verify';
import { apply } from '../terraform/cdktf';
import { EmulatorProcess } from './emulator';
import { credentialsOf, deployJob } from './github';
import type { LocalSource } from './local-source';
import { saveSession, useEmulator } from './session';

/** Called with each step as it ends. */
export type Finished = (step: FinishedStep) => void;

/**
 * Emulator, source, the environment's stack applied, `migrate` run.
 * `own` is given the emulator as soon as it runs, so that the caller ends it whatever happens next.
 */
export async function bringUp(
  environment: Environment,
  source: LocalSource,
  own: (emulator: EmulatorProcess) => void,
  finished: Finished,
): Promise<void> {
  const started = await step(
    'emulator',
    () => EmulatorProcess.start(source.emulatorOptions),
    ({ emulator }) => emulator.endpoint,
  );
  finished(started.finished);
  own(started.result);
  const { emulator } = started.result;
  useEmulator(emulator, environment);
  saveSession({ ...emulator, own: source.own?.source });

  const created = await step(
    source.title,
    () => source.create(environment, emulator),
    (where) => where,
  );
  finished(created.finished);

  // The history loads while Terraform waits for RDS.
  const { history } = source;
  const loading = history && timed(() => history.load());
  const app = source.own?.app;
  const bootstrapped = await step(
    'bootstrap',
    (report) => bootstrap(environment, report, emulator.caFile, app),
    (done) => `${done.length} checked`,
  );
  finished(bootstrapped.finished);
  const applied = await step(`cdktf apply ${stackName(environment)}`, async (report) =>
    apply(stackName(environment), report, await credentialsOf(deployJob(environment), environment), app),
  );
  finished(applied.finished);
  if (history && loading) {
    const loaded = await step(
      'history',
      () => loading,
      (seconds) => `${history.rows} shots, ${rate(history.rows, seconds)}, beside the apply`,
    );
    finished({ ...loaded.finished, seconds: round(loaded.result) });
  }
  const migrated = await step('migrate', (report) => runJob(environment.region, names.jobs.migrate, report));
  finished(migrated.finished);
}

/** One crawl and one run of the pipeline, as their schedules would start them. */
export async function runPipeline(environment: Environment, label: string, finished: Finished): Promise<void> {
  const crawled = await step(`crawl (${label})`, (report) => crawl(environment.region, names.crawler, report));
  finished(crawled.finished);
  const ran = await step(`pipeline (${label})`, (report) => runAndCount(environment.region, report), describeRuns);
  finished(ran.finished);
}

/** Compares source, lake and dataengineering-db; a difference is a failure that shows the rows. */
export async function prove(
  environment: Environment,
  finished: Finished,
  sources?: readonly SourceContract[],
): Promise<VerifiedTable[]> {
  const checked = await step(
    'verify',
    (report) => verify(environment, report, sources),
    (tables) => `${tables.length} tables`,
  );
  finished(checked.finished);
  const wrong = checked.result.filter((table) => table.differences.length > 0);
  if (checked.result.length === 0) throw new FailedError('verify found no table to compare');
  if (wrong.length > 0) throw new FailedError(wrong.map(describeDifferences).join('\n'));
  return checked.result;
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
