import { Command, InvalidArgumentError } from 'commander';
import type { Environment } from '../../envs/environment';
import { names } from '../../modules/naming';
import { sources } from '../../sources';
import { withDatabases } from '../../sources/contract';
import { requireAccount } from '../aws/account';
import { runJob } from '../aws/glue';
import { tableReports, type TableReport } from '../aws/table-reports';
import { environmentArgument } from '../environment-argument';
import { InputError } from '../errors';
import { step } from '../progress';
import { renderTable } from '../table';
import { sourceInitCommand } from './source-init';

interface Options {
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Databases: only what is in one can be copied anew, and has a past. */
export const sourceNames = withDatabases(sources).map(({ name }) => name);

export function sourceCommand(): Command {
  return new Command('source')
    .description('what the platform follows')
    .addCommand(sourceInitCommand())
    .addCommand(resnapshotCommand());
}

function resnapshotCommand(): Command {
  return new Command('resnapshot')
    .description(
      'copies tables of a source anew, while the others are followed: their changes since, and rows that went, included',
    )
    .addArgument(environmentArgument())
    .argument('<source>', `one of ${sourceNames.join(', ')}`, knownSource)
    .argument('[tables...]', 'as schema.table', qualifiedTable)
    .option(
      '--all',
      'all tables, from a new beginning (in log mode with a new slot): for a source whose history was lost, by a restore, a failover or a dropped slot',
    )
    .option('--json', 'print what became of the tables as JSON')
    .action(async (environment: Environment, source: string, tables: string[] = [], { all, json }: Options) => {
      if (tables.length > 0 === Boolean(all)) {
        throw new InputError('expected either tables, such as public.shots, or --all');
      }
      await requireAccount(environment);
      const anew = all ? source : tables.map((table) => `${source} ${table}`).join(',');
      const { result } = await step(`job ${names.jobs.ingest}`, (report) =>
        runJob(environment.region, names.jobs.ingest, report, { '--anew': anew }),
      );
      const reports = await tableReports(environment.region, result);
      process.stdout.write(`${json ? JSON.stringify(reports, undefined, 2) : render(reports)}\n`);
    });
}

function render(reports: readonly TableReport[]): string {
  return renderTable(
    ['table', 'inserted', 'updated', 'deleted', 'waiting'],
    reports.map(({ table, inserted = 0, updated = 0, deleted, waiting }) => [
      table,
      inserted,
      updated,
      deleted,
      waiting ?? '',
    ]),
  );
}

export function knownSource(name: string): string {
  if (sourceNames.includes(name)) return name;
  throw new InvalidArgumentError(`expected one of ${sourceNames.join(', ')}`);
}

export function qualifiedTable(table: string, before: string[] = []): string[] {
  if (/^[^.\s,]+\.[^.\s,]+$/.test(table)) return [...before, table];
  throw new InvalidArgumentError(`expected schema.table, such as public.shots`);
}
