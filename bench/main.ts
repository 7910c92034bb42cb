/** `npm run bench`: how the platform does against its targets; medians of five, to stdout and .local/bench.json. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { explain, FailedError } from '../cli/errors';
import { round, step } from '../cli/progress';
import { renderTable } from '../cli/table';
import { localDirectory } from '../cli/toolchain';
import { medians, reaches, type Row } from './measure';
import { measures } from './measures';

const RUNS = 5;
const file = join(localDirectory, 'bench.json');

const program = new Command('npm run bench --')
  .description(`Measures each figure ${RUNS} times and holds the median against its target.`)
  .addOption(new Option('--only <measure>', 'this one alone').choices(Object.keys(measures)))
  .option('--json', 'print the rows as JSON', false)
  .addHelpText('after', '\nExit codes: 0 every target that must be reached is, 1 one is missed, 2 bad input.')
  .exitOverride()
  .action(async ({ only, json }: { only?: string; json: boolean }) => {
    const rows: Row[] = [];
    for (const [name, measure] of Object.entries(measures)) {
      if (only !== undefined && name !== only) continue;
      const measured = await step(name, async (report) => medians(await measure(RUNS, report)));
      rows.push(...measured.result.map((row) => ({ ...row, value: round(row.value) })));
    }
    const text = JSON.stringify(rows, null, 2);
    writeFileSync(file, `${text}\n`);
    process.stdout.write(`${json ? text : render(rows)}\n`);
    const missed = rows.filter((row) => !reaches(row, row.must));
    if (missed.length > 0) throw new FailedError(`missed: ${missed.map(({ measure }) => measure).join(', ')}`);
  });

function render(rows: readonly Row[]): string {
  return renderTable(
    ['measure', 'value', 'unit', 'must', 'aim', ''],
    rows.map((row) => {
      const sign = row.better === 'lower' ? '≤' : '≥';
      return [row.measure, row.value, row.unit, `${sign} ${row.must}`, `${sign} ${row.aim}`, verdict(row)];
    }),
  );
}

function verdict(row: Row): string {
  if (!reaches(row, row.must)) return 'MISSED';
  return reaches(row, row.aim) ? 'aim reached' : 'reached';
}

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = explain('bench', error);
  }
}

void main();
