import { CommanderError } from 'commander';

/** What a command's exit code means; see `trackman --help`. */
export const ExitCode = { done: 0, failed: 1, badInput: 2, interrupted: 130 } as const;

/** The command ran and a promise was broken or a step failed: exit code 1. */
export class FailedError extends Error {
  readonly exitCode: number = ExitCode.failed;
}

/** What was asked for cannot be done as asked: exit code 2. The message names the value, what was expected, what to do. */
export class InputError extends Error {
  readonly exitCode: number = ExitCode.badInput;
}

/** The user asked to stop: exit code 130. */
export class InterruptedError extends Error {
  readonly exitCode: number = ExitCode.interrupted;
}

/** Says on stderr what went wrong and returns the exit code. A defect of ours keeps its stack. */
export function explain(program: string, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.badInput;
  if (error instanceof FailedError || error instanceof InputError || error instanceof InterruptedError) {
    process.stderr.write(`${program}: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${program}: ${error instanceof Error ? error.stack : String(error)}\n`);
  return ExitCode.failed;
}
