/** The main job: the whole platform on one machine, run twice and proven. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../envs/environment';
import { loadPackagedQueries } from '../../athena-queries/packaged-query';
import { runTraffic, type Changes } from '../../demo/traffic';
import type { QueryResult } from '../aws/athena';
import { runPackagedQuery } from '../packaged-query';
import { step, type FinishedStep } from '../progress';
import { renderTable } from '../table';
import { localDirectory } from '../toolchain';
import { lakeFreshnessSeconds } from '../verify/lake-freshness';
import type { VerifiedTable } from '../verify/verify';
import { withEmulator } from './lifetime';
import { DemoSource } from './local-source';
import { dropSlot, openOwnSource } from './own-source';
import { bringUp, prove, runPipeline, type Finished } from './platform';
import { refuseSecondSession } from './session';

export interface StartOptions {
  readonly shots: number;
  readonly keep: boolean;
  /** URL of a Postgres to follow instead of the demonstration's. */
  readonly source?: string;
}

interface QueryRun extends QueryResult {
  readonly name: string;
}

const summaryFile = join(localDirectory, 'summary.json');

/** Shape of .local/summary.json; seconds are wall clock. */
interface Summary {
  readonly verified: true;
  readonly steps: readonly { name: string; seconds: number }[];
  readonly tables: readonly { name: string; source: number; lake: number; serving: number }[];
  /** Null where no traffic was made. */
  readonly changes: Changes | null;
  readonly queries: readonly { name: string; rows: number; seconds: number; scannedBytes: number }[];
  readonly freshnessSeconds: number;
}

export async function start(environment: Environment, { source, shots, keep }: StartOptions): Promise<void> {
  await refuseSecondSession();
  if (source === undefined) await startDemo(environment, shots, keep);
  else await startOwn(environment, source, keep);
}

/** Somebody's own database: no traffic, and no queries, which ask for the demonstration's tables. */
async function startOwn(environment: Environment, url: string, keep: boolean): Promise<void> {
  const source = await openOwnSource(environment, url);
  const steps: FinishedStep[] = [];
  const finished = (done: FinishedStep): number => steps.push(done);
  await withEmulator(
    keep,
    environment,
    async (own) => {
      await bringUp(environment, source, own, finished);
      await runPipeline(environment, 'snapshot', finished);
      const tables = await prove(environment, finished, source.own.contracts);
      report(steps, summarize(steps, tables, null, [], await lakeFreshnessSeconds(environment)));
      process.stderr.write('Marts wait for the tables that they are made of; packaged queries were not asked.\n');
    },
    () => dropSlot(source.own.source, source.password),
  );
}

async function startDemo(environment: Environment, shots: number, keep: boolean): Promise<void> {
  const steps: FinishedStep[] = [];
  const finished = (done: FinishedStep): number => steps.push(done);
  await withEmulator(keep, environment, async (own) => {
    const source = new DemoSource(shots);
    await bringUp(environment, source, own, finished);
    await runPipeline(environment, 'snapshot', finished);
    const traffic = await step('live traffic', () => runTraffic(source.owner, shots), describeChanges);
    finished(traffic.finished);
    await runPipeline(environment, 'changes', finished);
    const queries = await runQueries(environment, finished);
    const tables = await prove(environment, finished);
    report(steps, summarize(steps, tables, traffic.result, queries, await lakeFreshnessSeconds(environment)));
  });
}

function report(steps: readonly FinishedStep[], summary: Summary): void {
  writeFileSync(summaryFile, `${JSON.stringify(summary, null, 2)}\n`);
  printSummary(steps, summary);
}

async function runQueries(environment: Environment, finished: Finished): Promise<QueryRun[]> {
  const runs: QueryRun[] = [];
  for (const query of loadPackagedQueries()) {
    const ran = await step(
      `query ${query.name}`,
      () => runPackagedQuery(environment, query),
      ({ rows }) => `${rows.length} rows`,
    );
    finished(ran.finished);
    process.stdout.write(`\n${query.description}\n${renderTable(ran.result.columns, ran.result.rows)}\n\n`);
    runs.push({ name: query.name, ...ran.result });
  }
  return runs;
}

function summarize(
  steps: readonly FinishedStep[],
  tables: readonly VerifiedTable[],
  changes: Changes | null,
  queries: readonly QueryRun[],
  freshnessSeconds: number,
): Summary {
  return {
    verified: true,
    steps: steps.map(({ name, seconds }) => ({ name, seconds })),
    tables: tables.map(({ name, source, lake, serving }) => ({ name, source, lake, serving })),
    changes,
    queries: queries.map(({ name, rows, seconds, scannedBytes }) => ({
      name,
      rows: rows.length,
      seconds,
      scannedBytes,
    })),
    freshnessSeconds,
  };
}

function printSummary(steps: readonly FinishedStep[], summary: Summary): void {
  const total = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  const lines = [
    renderTable(
      ['step', 'seconds', ''],
      steps.map(({ name, seconds, detail }) => [name, seconds.toFixed(1), detail]),
    ),
    '',
    renderTable(
      ['table', 'source', 'lake', 'dataengineering-db'],
      summary.tables.map(({ name, source, lake, serving }) => [name, source, lake, serving]),
    ),
    '',
    `Verified: every row of ${summary.tables.length} tables is the same in the source, the lake and dataengineering-db.`,
    `The lake is complete up to ${summary.freshnessSeconds} s ago (promise: 3,600 s). All steps: ${total.toFixed(0)} s.`,
    `Look next: ${summaryFile}, cdktf.out/stacks/, docs/, npm start -- --keep`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function describeChanges({ inserted, updated, deleted }: Changes): string {
  return `${inserted} inserted, ${updated} updated, ${deleted} deleted`;
}
