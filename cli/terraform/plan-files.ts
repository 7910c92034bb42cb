import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `work` in a directory that is gone afterwards: a plan is not left lying about. */
export async function inTemporaryDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'trackman-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Where the plan of a stack is kept. */
export function planFile(directory: string, stack: string): string {
  return join(directory, `${stack}.tfplan`);
}
