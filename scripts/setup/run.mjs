import { spawn } from 'node:child_process';
import { SetupError } from './errors.mjs';

const SHOWN_LINES = 30;
const running = new Set();
let stopped = false;

/**
 * Runs a program to its end and returns what it printed on stdout.
 * @param {string} program
 * @param {string[]} args
 * @param {{cwd?: string, env?: Record<string, string>}} [options] `env` is added to this process's own
 * @throws {SetupError} with what it printed when it cannot be started or exits with another code than 0
 */
export function run(program, args, { cwd, env = {} } = {}) {
  if (stopped) return Promise.reject(new SetupError(`${program} is not run: the set-up is being stopped`));
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running.add(child);
    let stdout = '';
    let output = '';
    child.stdout.on('data', (chunk) => ((stdout += chunk), (output += chunk)));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => {
      running.delete(child);
      reject(new SetupError(`cannot run ${program}:\n${error.code === 'ENOENT' ? 'not found' : error.message}`));
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0) return resolve(stdout);
      const ending = `${[program, ...args].join(' ')}\nended with ${signal ?? `exit code ${code}`}:`;
      reject(new SetupError(`${ending}\n${firstAndLast(output.trimEnd().split('\n'))}`));
    });
  });
}

/** Long output without its middle: some programs say what is wrong first, some last. */
function firstAndLast(lines) {
  if (lines.length <= SHOWN_LINES) return lines.join('\n');
  const half = SHOWN_LINES / 2;
  return [...lines.slice(0, half), `… ${lines.length - SHOWN_LINES} lines …`, ...lines.slice(-half)].join('\n');
}

/** Ends every program that is still running, with its descendants (each leads a process group), and starts no more. */
export function stopAll() {
  stopped = true;
  for (const child of running) {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGTERM');
  }
}
