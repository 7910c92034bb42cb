import type { EmulatorProcess } from '../../cli/local/emulator';
import { withEmulator } from '../../cli/local/lifetime';
import { environments } from '../../envs';

const dev = environments[0]!;

jest.mock('../../cli/local/session', () => ({ forgetSession: () => undefined, exportLines: () => '' }));

/** What became of an emulator while `work` ran, and when what comes afterwards did. */
async function fate(work: () => Promise<void>, keep = true): Promise<{ fate: string[]; error: unknown }> {
  const fate: string[] = [];
  const emulator = {
    keep: () => Promise.resolve(fate.push('kept')),
    stop: () => Promise.resolve(fate.push('stopped')),
  } as unknown as EmulatorProcess;
  const error: unknown = await withEmulator(
    keep,
    dev,
    async (own) => {
      own(emulator);
      await work();
    },
    () => Promise.resolve(void fate.push('afterwards')),
  ).catch((thrown: unknown) => thrown);
  return { fate, error };
}

test('an emulator that is to be kept goes on running when the work is done', async () => {
  expect(await fate(() => Promise.resolve())).toEqual({ fate: ['kept'], error: undefined });
});

test('it is stopped when the work fails, whose error is told', async () => {
  const failure = new Error('apply failed');
  expect(await fate(() => Promise.reject(failure))).toEqual({ fate: ['stopped', 'afterwards'], error: failure });
});

test('what comes afterwards comes once it was stopped', async () => {
  expect(await fate(() => Promise.resolve(), false)).toEqual({ fate: ['stopped', 'afterwards'], error: undefined });
});
