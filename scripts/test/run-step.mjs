import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const GRACE_MS = 20_000;
let interrupted = false;
let current;

/** Whether the user has asked to stop. */
export function wasInterrupted() {
  return interrupted;
}

/**
 * Runs a step to its end, its output going straight to the screen.
 * @param {import('./steps.mjs').Step} step
 * @param {string} directory
 * @returns {Promise<import('./results.mjs').Result>}
 */
export async function runStep({ program, args, env, report, toStderr, result }, directory) {
  if (report) rmSync(report, { force: true });
  const exitCode = await new Promise((resolve, reject) => {
    current = spawn(program, args, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', toStderr ? 2 : 'inherit', 'inherit'],
      detached: true,
    });
    current.on('error', reject);
    current.on('close', resolve);
  });
  current = undefined;
  return result(exitCode, report);
}

/** Passes Ctrl-C and the like on to the running step and all that it started, once; who does not end in time is killed. */
export function forwardSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      if (current === undefined) return;
      const group = -current.pid;
      process.kill(group, signal);
      setTimeout(() => current && process.kill(group, 'SIGKILL'), GRACE_MS).unref();
    });
  }
}
