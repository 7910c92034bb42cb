import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const GRACE_MS = 20_000;
let interrupted = false;
const running = new Set();

/** Whether the user has asked to stop. */
export function wasInterrupted() {
  return interrupted;
}

/**
 * Runs a step to its end. Its output goes straight to the screen; a step that others run beside writes whole lines,
 * its title before each.
 * @param {import('./steps.mjs').Step} step
 * @param {string} directory
 * @param {{beside?: boolean}} [options]
 * @returns {Promise<import('./results.mjs').Result>}
 */
export async function runStep(step, directory, { beside = false } = {}) {
  const { program, args, env, report, toStderr, result } = step;
  if (report) rmSync(report, { force: true });
  const stdout = toStderr ? process.stderr : process.stdout;
  const exitCode = await new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: beside ? ['ignore', 'pipe', 'pipe'] : ['ignore', toStderr ? 2 : 'inherit', 'inherit'],
      detached: true,
    });
    running.add(child);
    if (beside) {
      passOn(child.stdout, stdout, step.title);
      passOn(child.stderr, process.stderr, step.title);
    }
    child.on('error', reject);
    child.on('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  return result(exitCode, report);
}

function passOn(from, to, title) {
  createInterface({ input: from }).on('line', (line) => to.write(`${title} | ${line}\n`));
}

/** Passes Ctrl-C and the like on to the running steps and all that they started, once; who does not end in time is killed. */
export function forwardSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      for (const { pid } of running) process.kill(-pid, signal);
      setTimeout(() => running.forEach(({ pid }) => process.kill(-pid, 'SIGKILL')), GRACE_MS).unref();
    });
  }
}
