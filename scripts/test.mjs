/**
 * Runs the tests: `node scripts/test.mjs [all|unit|check]`, after the set-up. Every step runs, whatever becomes of the
 * others; one after the other in a lane, the lanes at once. The last line on stdout is "N passed, N failed" over all of them; the exit code is 1 when any test failed.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { forwardSignals, runStep, wasInterrupted } from './test/run-step.mjs';
import { suites } from './test/steps.mjs';

const FAILED = 1;
const BAD_INPUT = 2;
const INTERRUPTED = 130;
const repository = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

async function main(name) {
  const toolchain = path.join(repository, '.local/toolchain.json');
  if (!existsSync(toolchain)) return refuse(`${toolchain} is missing: run "node scripts/setup.mjs" first`);
  const all = suites(repository, JSON.parse(readFileSync(toolchain, 'utf8')));
  const lanes = all[name];
  if (!lanes) return refuse(`no suite "${name}": expected one of ${Object.keys(all).join(', ')}`);
  mkdirSync(path.join(repository, '.local/test-results'), { recursive: true });

  const outcomes = (await Promise.all(lanes.map((lane) => run(lane, { beside: lanes.length > 1 })))).flat();
  if (wasInterrupted()) return INTERRUPTED;
  const sum = (kind) => outcomes.reduce((total, { result }) => total + result[kind], 0);
  console.log(`\n=== Summary\n\n${outcomes.map(({ line }) => line).join('\n')}\n`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') ? FAILED : 0;
}

/** Runs the steps of a lane, one after the other. */
async function run(steps, { beside }) {
  const outcomes = [];
  for (const step of steps) {
    console.log(`\n=== ${step.title}\n`);
    const started = Date.now();
    const result = await runStep(step, repository, { beside });
    if (wasInterrupted()) break;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const { passed, failed } = result;
    const line = `${failed ? 'FAILED' : 'passed'}  ${step.title}: ${passed} passed, ${failed} failed, ${seconds} s`;
    outcomes.push({ line, result });
  }
  return outcomes;
}

function refuse(problem) {
  console.error(problem);
  return BAD_INPUT;
}

forwardSignals();
process.exitCode = await main(process.argv[2] ?? 'all');
