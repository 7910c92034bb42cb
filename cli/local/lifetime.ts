/** The emulator's life is bound to a piece of work: it ends with it, also by Ctrl-C, unless it is to be kept. */
import type { Environment } from '../../envs/environment';
import { ExitCode, explain } from '../errors';
import type { EmulatorProcess } from './emulator';
import { exportLines, forgetSession } from './session';
import { killTerraform } from '../terraform/process';

/**
 * Runs `work`; the emulator that it gives to `own` is stopped afterwards, or left running and its variables printed.
 * @param keep whether it is left running; when `work` fails, it is stopped all the same
 * @param afterwards what is done once it was stopped, whatever became of `work`
 */
export async function withEmulator(
  keep: boolean,
  environment: Environment,
  work: (own: (emulator: EmulatorProcess) => void) => Promise<void>,
  afterwards: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  let owned: EmulatorProcess | undefined;
  let isKept = false;
  const stop = async (): Promise<void> => {
    killTerraform();
    await owned?.stop();
    await afterwards();
    forgetSession();
  };
  const interrupted = (): void => {
    process.stderr.write('\ninterrupted: stopping everything that was started\n');
    void stop()
      .catch(tell)
      .finally(() => process.exit(ExitCode.interrupted));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    await work((emulator) => (owned = emulator));
    isKept = keep;
  } catch (error) {
    await stop().catch(tell);
    throw error;
  } finally {
    process.removeListener('SIGINT', interrupted);
    process.removeListener('SIGTERM', interrupted);
  }
  if (isKept && owned) await leaveRunning(owned, environment);
  else await stop();
}

/** Of what failed beside something else that failed. */
function tell(error: unknown): void {
  explain('trackman', error);
}

async function leaveRunning(emulatorProcess: EmulatorProcess, environment: Environment): Promise<void> {
  await emulatorProcess.keep();
  process.stderr.write('\nIt goes on running; stop it with: npx trackman local down\nFor any AWS client:\n');
  process.stdout.write(exportLines(emulatorProcess.emulator, environment));
}
