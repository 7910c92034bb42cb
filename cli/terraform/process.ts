/** Runs Terraform and cdktf, as a GitOps pipeline would, in processes that end with an interrupt. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { FailedError, InterruptedError } from '../errors';
import { eachLine } from '../progress';
import { localDirectory, toolchain } from '../toolchain';

export type Report = (line: string) => void;

/** A program to be run to its end. */
export interface Invocation {
  /** What to call it when it fails. */
  readonly title: string;
  readonly program: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told Terraform's lines that say how far it is. @default nobody */
  readonly report?: Report;
  /** Where stdout goes, instead of to the log. */
  readonly capture?: (chunk: Buffer) => void;
}

const children = new Set<number>();
const logFile = join(localDirectory, 'terraform.log');
let logFlags = 'w'; // the first run of this process makes the log anew
const SHOWN_LINES = 25;

/** Terraform's lines that tell how far it is; the plan itself is in the log. */
const PROGRESS =
  /: (Creating|Creation complete|Modif|Destr|Still|Read complete)|^\S*\s*(Plan:|Apply complete|No changes)/;

/** Runs a program; its output is kept in .local/terraform.log. @throws FailedError unless it exits with 0 */
export async function run({ title, program, argv, cwd, env, report, capture }: Invocation): Promise<void> {
  const child = spawn(program, argv, {
    cwd,
    env: { ...process.env, ...env, ...quiet, TF_CLI_CONFIG_FILE: toolchain().terraformCliConfig },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // its own group, so that an interrupt ends all of it
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (child.pid !== undefined) children.add(child.pid);
  const log = createWriteStream(logFile, { flags: logFlags });
  logFlags = 'a';
  const tail: string[] = [];
  if (capture) child.stdout.on('data', capture);
  for (const stream of capture ? [child.stderr] : [child.stdout, child.stderr]) {
    eachLine(stream, (line) => {
      log.write(`${line}\n`);
      if (line.trim() === '') return;
      tail.push(line);
      if (tail.length > SHOWN_LINES) tail.shift();
      if (PROGRESS.test(line)) report?.(line.trim().replace(/^\S+ {2}/, '')); // less the stack's name
    });
  }
  const interrupted = await passingInterrupts(child, ended);
  const code = await ended;
  log.end();
  if (child.pid !== undefined) children.delete(child.pid);
  if (interrupted) throw new InterruptedError(`${title} was interrupted, and has ended`);
  if (code === 0) return;
  throw new FailedError(`${title} ended with exit code ${code}:\n${tail.join('\n')}\n(all of it: ${logFile})`);
}

/** Until `ended`, hands a wish to stop on to Terraform, which saves its state and releases its lock. @returns whether there was one */
async function passingInterrupts({ pid }: ChildProcess, ended: Promise<unknown>): Promise<boolean> {
  let interrupted = false;
  const pass = (): void => {
    interrupted = true;
    if (pid !== undefined) process.kill(-pid, 'SIGINT');
  };
  process.on('SIGINT', pass);
  process.on('SIGTERM', pass);
  try {
    await ended;
    return interrupted;
  } finally {
    process.removeListener('SIGINT', pass);
    process.removeListener('SIGTERM', pass);
  }
}

/** Ends what is still running, at once; for an interrupt. */
export function killTerraform(): void {
  for (const pid of children) process.kill(-pid, 'SIGKILL');
}

const quiet = {
  CI: 'true', // plain lines instead of a redrawn screen
  FORCE_COLOR: '0',
  CHECKPOINT_DISABLE: '1',
  DISABLE_VERSION_CHECK: '1',
  TF_IN_AUTOMATION: '1',
  TF_INPUT: '0',
};
