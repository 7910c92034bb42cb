/** Measures of the jobs' code, which bench/jobs takes in one warm Spark session. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { FailedError } from '../../cli/errors';
import { localDirectory, toolchain } from '../../cli/toolchain';
import { projectRoot } from '../../modules/project';
import type { Measure, Row } from '../measure';

/** The row of a figure, but for its value, by the figure's name in bench/jobs. */
type Figures = Readonly<Record<string, Omit<Row, 'value'>>>;

const ratio = { unit: '×', better: 'lower' } as const;

export const snapshot = measureJobs('snapshot', {
  'job to copy': { measure: 'snapshot of 2M rows to Iceberg ÷ COPY', ...ratio, must: 2.2, aim: 1.5 },
  'dlt to job': { measure: 'dlt ÷ snapshot', unit: '×', better: 'higher', must: 1, aim: 2 },
  'jdbc to job': { measure: 'JDBC, one partition ÷ snapshot', unit: '×', better: 'higher', must: 1, aim: 2 },
});

export const changes = measureJobs('changes', {
  'changes per second': {
    measure: '200k changes, peek to committed change log',
    unit: 'changes/s',
    better: 'higher',
    must: 120_000,
    aim: 250_000,
  },
  'job to decode': { measure: "the same ÷ the server's own decoding", ...ratio, must: 5, aim: 2.5 },
});

export const largeTransaction = measureJobs('large_transaction', {
  peak: { measure: 'transaction of 1M rows: peak memory', unit: 'MB', better: 'lower', must: 400, aim: 300 },
});

export const merge = measureJobs('merge', {
  seconds: { measure: '20k recent changes into 2M rows', unit: 's', better: 'lower', must: 2, aim: 1 },
  megabytes: { measure: 'the same, written', unit: 'MB', better: 'lower', must: 1, aim: 1 },
});

export const tableSize = measureJobs('table_size', {
  'large to small': { measure: 'incremental run, table 8 × larger', ...ratio, must: 1.3, aim: 1.1 },
});

export const servingUpsert = measureJobs('serving_upsert', {
  'job to copy': { measure: '200k rows into dataengineering-db ÷ fed by COPY', ...ratio, must: 1.5, aim: 1.15 },
});

/** Runs a measure of bench/jobs; what the jobs say goes to a log. */
function measureJobs(name: string, figures: Figures): Measure {
  return async (runs, report) => {
    const { devTools, jobModules, jobLibraries, java17, gluePython } = toolchain();
    const sources = ['bench/jobs', 'glue-jobs', 'test/glue_jobs', 'test/glue_jobs/integration'];
    const modules = [devTools, ...sources.map((folder) => join(projectRoot, folder)), jobModules, jobLibraries];
    const log = join(localDirectory, `bench-${name}.log`);
    const child = spawn(gluePython, ['bench/jobs', name, '--runs', String(runs)], {
      cwd: projectRoot,
      env: {
        ...process.env,
        PYTHONPATH: modules.join(delimiter),
        PYTHONDONTWRITEBYTECODE: '1',
        JAVA_HOME: java17,
        PYSPARK_PYTHON: gluePython,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const logged = createWriteStream(log);
    child.stderr.pipe(logged);
    const exit = once(child, 'close') as Promise<[number | null]>;
    const rows: Row[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      logged.write(`${line}\n`);
      if (!line.startsWith('{')) continue; // what the jobs say
      report(line);
      for (const [figure, value] of Object.entries(JSON.parse(line) as Record<string, number>)) {
        rows.push({ ...figures[figure]!, value });
      }
    }
    const [code] = await exit;
    if (code !== 0) throw new FailedError(`bench/jobs ${name} ended with exit code ${code}: see ${log}`);
    return rows;
  };
}
