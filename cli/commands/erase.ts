import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { names } from '../../modules/naming';
import { requireAccount } from '../aws/account';
import { runJob } from '../aws/glue';
import { erasures, type Erasure } from '../aws/table-reports';
import { environmentArgument } from '../environment-argument';
import { step } from '../progress';
import { renderTable } from '../table';
import { knownSource, qualifiedTable, sourceNames } from './source';

const DAY_MS = 86_400_000;
/** After how many days `maintain` removes what runs that died left behind: its ORPHAN_AGE. */
const ORPHAN_DAYS = 3;

export function eraseCommand(): Command {
  return new Command('erase')
    .description(
      'forgets a row that its source deleted or emptied: its changes, its past states, its values in quarantine',
    )
    .addArgument(environmentArgument())
    .argument('<source>', `one of ${sourceNames.join(', ')}`, knownSource)
    .argument('<table>', 'as schema.table', (table: string) => qualifiedTable(table)[0])
    .argument('<key...>', 'values of its key, in their order, as the source has them; of a hashed column the hash')
    .option('--json', 'print what was erased, and until when copies of it are kept, as JSON')
    .action(
      async (
        environment: Environment,
        source: string,
        table: string,
        key: readonly string[],
        { json }: { json?: boolean },
      ) => {
        await requireAccount(environment);
        const request = [source, table, ...key.map(encodeURIComponent)].join(' ');
        const { result } = await step(`job ${names.jobs.maintain}`, (report) =>
          runJob(environment.region, names.jobs.maintain, report, { '--erase': request }),
        );
        const [erasure] = await erasures(environment.region, result);
        const gone = goneBy(environment, new Date());
        process.stdout.write(`${json ? JSON.stringify({ ...erasure, gone }, undefined, 2) : render(erasure!, gone)}\n`);
      },
    );
}

/**
 * By when what was erased at a moment is gone from each place that keeps copies, as days (2026-11-24) in UTC. The job
 * `maintain` and S3's lifecycle run daily: each may come a day after its time.
 */
export function goneBy({ lake, servingDb, analytics, logs }: Environment, moment: Date): Record<string, string> {
  const after = (days: number): string => new Date(moment.getTime() + days * DAY_MS).toISOString().slice(0, 10);
  const snapshots = Math.max(lake.snapshotDays, ORPHAN_DAYS) + 1;
  return {
    'tables, as they are now': after(0),
    'snapshots of tables, files of runs that died': after(snapshots),
    'versions of replaced objects': after(snapshots + lake.versionDays + 1),
    'backups of dataengineering-db': after(servingDb.backupDays + 1),
    'results of queries': after(analytics.resultDays + 1),
    logs: after(logs.retentionDays + 1),
  };
}

function render({ changes, versions, quarantined, rows }: Erasure, gone: Record<string, string>): string {
  const erased = renderTable(
    ['erased', ''],
    [
      ['changes', changes],
      ['past states', versions],
      ['values in quarantine', quarantined],
      ['left, as the source has it', rows],
    ],
  );
  return `${erased}\n\n${renderTable(['gone from', 'by'], Object.entries(gone))}`;
}
