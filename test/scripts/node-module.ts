/** Runs code against the set-up's ES modules in a Node process of its own: Jest loads CommonJS only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const repository = join(__dirname, '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A new empty directory. */
export function emptyDirectory(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'trackman-test-')));
}

/** Starts Node on `args`; `env` is all of its environment, but for PATH. */
export function startNode(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Starts Node on ES module code, in which `scripts/…` modules are imported by paths relative to the repository. */
export function startModule(code: string, env: Record<string, string> = {}): ChildProcess {
  const absolute = code.replaceAll("from 'scripts/", `from '${repository}/scripts/`);
  return startNode(['--input-type=module', '--eval', absolute], env);
}

/** Waits for a process to end. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** The value of an expression over what `module` exports, which must survive JSON. */
export async function evaluate(module: string, expression: string, env: Record<string, string> = {}): Promise<unknown> {
  const code = `import * as it from '${module}'; console.log(JSON.stringify({ value: await (${expression}) }));`;
  const { code: exitCode, stdout, stderr } = await ended(startModule(code, env));
  if (exitCode !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { value: unknown }).value;
}
