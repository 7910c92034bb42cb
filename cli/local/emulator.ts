/** Starts and stops the embedded AWS, a process of its own that owns every engine. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FailedError } from '../errors';
import { eachLine } from '../progress';
import { projectRoot } from '../../modules/project';
import { poll } from '../aws/poll';
import { localDirectory, toolchain } from '../toolchain';

const dataDirectory = join(localDirectory, 'emulator');
const logFile = join(localDirectory, 'emulator.log');

export interface Emulator {
  readonly endpoint: string;
  readonly pid: number;
  /** PEM file of the authority that signs its databases' certificates. */
  readonly caFile: string;
  /** Where the server of the option --postgres is reached by TLS. */
  readonly postgresPort?: number;
}

/** A running emulator that ends with this process, however this process ends, unless it is kept. */
export class EmulatorProcess {
  private constructor(
    readonly emulator: Emulator,
    private readonly child: ChildProcess,
  ) {}

  /**
   * Starts on port 4566, or on a free one when that is taken; ready when this returns.
   * @param options further ones of `python -m emulator`
   */
  static async start(options: readonly string[] = []): Promise<EmulatorProcess> {
    rmSync(dataDirectory, { recursive: true, force: true });
    mkdirSync(dataDirectory, { recursive: true });
    const argv = ['-m', 'emulator', '--port', '4566', '--data-dir', dataDirectory];
    const log = openSync(logFile, 'w');
    const child = spawn(
      toolchain().emulatorPython,
      [...argv, '--toolchain', join(localDirectory, 'toolchain.json'), '--lifeline', ...options],
      {
        cwd: projectRoot,
        stdio: ['pipe', 'pipe', log],
        detached: true, // a Ctrl-C at the terminal is ours to handle: the emulator ends by its lifeline
      },
    );
    closeSync(log);
    const ready = new Promise<Emulator>((resolve, reject) => {
      eachLine(child.stdout!, (line) => resolve(JSON.parse(line) as Emulator));
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new FailedError(`the emulator ended with exit code ${code}; see ${logFile}`)),
      );
    });
    return new EmulatorProcess(await ready, child);
  }

  /** Lets it outlive this process. */
  async keep(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.child.stdin!.end('keep\n', () => resolve());
      this.child.stdin!.once('error', reject);
    });
    this.child.stdout!.destroy();
    this.child.unref();
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin!.destroy();
    await ended;
  }
}

/** Stops an emulator that was kept; returns once it is gone with everything it started. */
export async function stopEmulator({ pid }: Emulator): Promise<void> {
  process.kill(pid, 'SIGTERM');
  await poll(`stopping the emulator (process ${pid})`, () => Promise.resolve(isRunning(pid) ? undefined : true), {
    everyMs: 100,
    withinMs: 30_000,
  });
}

/** Whether the emulator of an earlier start still answers as itself. */
export async function isUp({ endpoint, pid }: Emulator): Promise<boolean> {
  if (!isRunning(pid)) return false;
  try {
    return (await fetch(`${endpoint}/_emulator/schedules`)).ok;
  } catch (error) {
    if (error instanceof TypeError) return false; // nobody listens there
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
