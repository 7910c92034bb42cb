/** Runs the compiled `trackman` as a user would, in this checkout. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(__dirname, '..', '..');
export const MINUTE = 60_000;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function trackman(...argv: string[]): Promise<Outcome> {
  return launch(argv).outcome;
}

/** The same with further environment variables, for example credentials. */
export function trackmanWith(env: Readonly<Record<string, string>>, ...argv: string[]): Promise<Outcome> {
  return launch(argv, env).outcome;
}

/** @returns the child and what becomes of it; `seen` resolves once its stderr matches. */
export function launch(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): {
  child: ChildProcess;
  outcome: Promise<Outcome>;
  seen: (pattern: RegExp) => Promise<void>;
} {
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...argv], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const seen = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(stderr)) resolve();
      };
      child.stderr.on('data', look);
      child.once('close', () => reject(new Error(`ended before ${String(pattern)} was seen:\n${stderr}`)));
      look();
    });
  return { child, outcome, seen };
}

/** Command lines of the processes that work for this checkout's local platform: engines, jobs, Terraform. */
export function platformProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const directory = readlinkSync(`/proc/${pid}/cwd`);
        const ours = [join(root, '.local', 'emulator'), join(root, 'cdktf.out')];
        return ours.some((path) => command.includes(path) || directory.startsWith(path)) ? [`${pid} ${command}`] : [];
      } catch (error) {
        // It has just ended, or is somebody else's.
        if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code!)) return [];
        throw error;
      }
    });
}
