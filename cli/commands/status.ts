import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { environmentArgument } from '../environment-argument';
import { FailedError } from '../errors';
import { readAlarms, type Alarm } from '../status/alarms';
import { clock, renderBookmarks } from '../status/bookmarks';
import { freshnessOf, readPositions, type Bookmark, type Freshness } from '../status/freshness';
import { readStages, type Stage } from '../status/stages';
import { renderTable } from '../table';

/** What `--json` prints. */
interface Status {
  readonly environment: string;
  readonly account: string;
  readonly region: string;
  /** When it was looked at (ISO 8601, UTC). */
  readonly at: string;
  readonly isPromiseKept: boolean;
  readonly freshness: readonly Freshness[];
  readonly stages: readonly Stage[];
  readonly bookmarks: readonly Bookmark[];
  readonly alarms: readonly Alarm[];
}

export function statusCommand(): Command {
  return new Command('status')
    .description('stages, freshness against the promise, bookmarks and alarms; exit code 1 when the promise is broken')
    .addArgument(environmentArgument())
    .option('--json', 'print one JSON object instead', false)
    .action(async (environment: Environment, { json }: { json: boolean }) => {
      const status = await readStatus(environment);
      process.stdout.write(`${json ? JSON.stringify(status, null, 2) : render(status)}\n`);
      if (!status.isPromiseKept) throw new FailedError(complaint(status.freshness));
    });
}

async function readStatus(environment: Environment): Promise<Status> {
  const { name, account, region } = environment;
  const now = Date.now();
  const [stages, positions, alarms] = await Promise.all([
    readStages(region),
    readPositions(environment),
    readAlarms(region),
  ]);
  const freshness = freshnessOf(environment, positions, now);
  return {
    environment: name,
    account,
    region,
    at: new Date(now).toISOString(),
    isPromiseKept: freshness.every(({ isKept }) => isKept),
    freshness,
    stages,
    bookmarks: positions.bookmarks,
    alarms,
  };
}

function complaint(freshness: readonly Freshness[]): string {
  const broken = freshness.filter(({ isKept }) => !isKept);
  return broken
    .map(({ target, secondsBehind, promiseSeconds }) =>
      secondsBehind === null
        ? `${target}: nothing was published yet`
        : `${target} is ${duration(secondsBehind)} behind; promised are ${duration(promiseSeconds)}`,
    )
    .join('; ');
}

function render({ environment, account, region, at, freshness, stages, bookmarks, alarms }: Status): string {
  const parts = [
    `${environment}, account ${account}, ${region}, at ${clock(at)}`,
    renderTable(
      ['freshness', 'complete up to', 'behind', 'promise', ''],
      freshness.map(({ target, frontier, secondsBehind, promiseSeconds, isKept }) => [
        target,
        clock(frontier),
        duration(secondsBehind),
        duration(promiseSeconds),
        isKept ? 'kept' : 'BROKEN',
      ]),
    ),
    renderTable(['stage', 'state', 'started', 'completed', 'took', 'runs before'], stages.map(stageRow)),
    renderBookmarks(bookmarks),
    alarms.length === 0
      ? 'No alarm is defined.'
      : renderTable(
          ['alarm', 'state', 'since', 'reason'],
          alarms.map(({ name, state, since, reason }) => [
            name,
            state,
            clock(since),
            state === 'OK' ? '' : shortened(reason),
          ]),
        ),
  ];
  return parts.join('\n\n');
}

function stageRow({ name, runs }: Stage): string[] {
  const [last, ...before] = runs;
  if (!last) return [name, 'never ran', '', '', '', ''];
  const { state, startedAt, completedAt, seconds, error } = last;
  const told = error === null ? state : `${state}: ${shortened(error)}`;
  return [
    name,
    told,
    clock(startedAt),
    clock(completedAt),
    duration(seconds),
    before.map((run) => run.state).join(' '),
  ];
}

const LONGEST = 70;

/** What fits beside the other columns; `--json` has the whole text. */
function shortened(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

function duration(seconds: number | null): string {
  if (seconds === null) return '';
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
