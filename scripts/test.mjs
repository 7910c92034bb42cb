/**
 * Runs the tests: `node scripts/test.mjs [all|unit|check]`, after the set-up. Every step runs, whatever becomes of the
 * others. The last line on stdout is "N passed, N failed" over all of them; the exit code is 1 when any test failed.
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
  const steps = all[name];
  if (!steps) return refuse(`no suite "${name}": expected one of ${Object.keys(all).join(', ')}`);
  mkdirSync(path.join(repository, '.local/test-results'), { recursive: true });

  const lines = [];
  const total = { passed: 0, failed: 0 };
  for (const step of steps) {
    console.log(`\n=== ${step.title}\n`);
    const started = Date.now();
    const { passed, failed } = await runStep(step, repository);
    if (wasInterrupted()) return INTERRUPTED;
    total.passed += passed;
    total.failed += failed;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    lines.push(`${failed ? 'FAILED' : 'passed'}  ${step.title}: ${passed} passed, ${failed} failed, ${seconds} s`);
  }
  console.log(`\n=== Summary\n\n${lines.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`);
  return total.failed ? FAILED : 0;
}

function refuse(problem) {
  console.error(problem);
  return BAD_INPUT;
}

forwardSignals();
process.exitCode = await main(process.argv[2] ?? 'all');
