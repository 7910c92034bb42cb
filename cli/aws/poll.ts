import { setTimeout as sleep } from 'node:timers/promises';
import { FailedError } from '../errors';

/** Calls `look` every `everyMs` until it returns something; fails with `what` after `withinMs`. */
export async function poll<T>(
  what: string,
  look: () => Promise<T | undefined>,
  { everyMs, withinMs }: { everyMs: number; withinMs: number },
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadline) throw new FailedError(`${what}: not done within ${withinMs / 1000} s`);
    await sleep(everyMs);
  }
}
