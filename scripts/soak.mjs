/**
 * Runs crash schedules of the jobs: `npm run test:soak -- --schedules N --seed S` has those of the seeds S to S + N - 1.
 * Progress goes to stderr; in the end each seed that failed is named, with the command that runs it again.
 * Exit codes: 0 all hold, 1 one does not, 2 bad input, 130 interrupted.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { failedParameters } from './test/results.mjs';
import { forwardSignals, runStep, wasInterrupted } from './test/run-step.mjs';
import { soak } from './test/steps.mjs';

const FAILED = 1;
const BAD_INPUT = 2;
const INTERRUPTED = 130;
const repository = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

async function main(argv) {
  let schedules, seed;
  try {
    ({ schedules, seed } = parse(argv));
  } catch (error) {
    return refuse(error.message);
  }
  const toolchain = path.join(repository, '.local/toolchain.json');
  if (!existsSync(toolchain)) return refuse(`${toolchain} is missing: run "node scripts/setup.mjs" first`);
  const step = soak(repository, JSON.parse(readFileSync(toolchain, 'utf8')), { schedules, seed });
  mkdirSync(path.dirname(step.report), { recursive: true });

  const { passed, failed } = await runStep(step, repository);
  if (wasInterrupted()) return INTERRUPTED;
  for (const each of failedParameters(step.report)) {
    console.error(`seed ${each} failed; to run it again: npm run test:soak -- --schedules 1 --seed ${each}`);
  }
  console.error(`${passed} of ${schedules} schedules hold, from seed ${seed} on`);
  return failed > 0 || passed !== schedules ? FAILED : 0;
}

/** @param {string[]} args */
function parse(args) {
  const { values } = parseArgs({
    args,
    options: { schedules: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
  });
  const natural = (name) => {
    if (!/^[1-9]\d{0,8}$/.test(values[name]))
      throw new Error(`--${name} is "${values[name]}", expected a number from 1 on`);
    return Number(values[name]);
  };
  return { schedules: natural('schedules'), seed: natural('seed') };
}

function refuse(problem) {
  console.error(problem);
  return BAD_INPUT;
}

forwardSignals();
process.exitCode = await main(process.argv.slice(2));
