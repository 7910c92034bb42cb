import { Command, InvalidArgumentError, Option } from 'commander';
import { environments } from '../../envs';
import { ownerPaths } from '../../modules/naming';
import { readLogin } from '../aws/readers';
import { stopEmulator, type Emulator } from '../local/emulator';
import { withEmulator } from '../local/lifetime';
import { DemoSource } from '../local/local-source';
import { contractsWith } from '../local/own-contracts';
import { dropSlot, type OwnSource } from '../local/own-source';
import { bringUp, prove, runPipeline } from '../local/platform';
import {
  currentSession,
  forgetSession,
  exportLines,
  refuseSecondSession,
  requireSession,
  useEmulator,
} from '../local/session';
import { start, type StartOptions } from '../local/start';
import { renderTable } from '../table';
import { lakeFreshnessSeconds } from '../verify/lake-freshness';

const DEFAULT_SHOTS = 200_000;

/** The environment that runs on the emulator: the first one, which is the one a developer deploys to. */
const environment = environments[0]!;

export function localCommand(): Command {
  return new Command('local')
    .description('the whole platform on this machine, on the embedded AWS')
    .addCommand(startCommand())
    .addCommand(upCommand())
    .addCommand(runCommand())
    .addCommand(verifyCommand())
    .addCommand(statusCommand())
    .addCommand(downCommand());
}

function startCommand(): Command {
  return new Command('start')
    .description('the main job: up, snapshot, live traffic, changes, queries, proof; then everything ends')
    .addOption(shotsOption())
    .addOption(sourceOption())
    .option('--keep', 'leave it running and print the variables that point any AWS client at it', false)
    .action((options: StartOptions) => start(environment, options));
}

function upCommand(): Command {
  return new Command('up')
    .description('starts the embedded AWS and trackman-backend, applies the stack, runs migrate; leaves it running')
    .addOption(shotsOption())
    .action(async ({ shots }: { shots: number }) => {
      await refuseSecondSession();
      await withEmulator(true, environment, async (own) => {
        await bringUp(environment, new DemoSource(shots), own, ignore);
      });
    });
}

function runCommand(): Command {
  return new Command('run')
    .description('one crawl and one run of the pipeline, as their schedules would')
    .action(async () => {
      useEmulator(await requireSession(), environment);
      await runPipeline(environment, 'now', ignore);
    });
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('compares source, lake and dataengineering-db row by row')
    .action(async () => {
      const session = await requireSession();
      useEmulator(session, environment);
      const tables = await prove(environment, ignore, session.own && contractsWith(session.own.contract));
      const rows = tables.map(({ name, source, lake, serving }) => [name, source, lake, serving]);
      process.stdout.write(`${renderTable(['table', 'source', 'lake', 'dataengineering-db'], rows)}\n`);
      process.stdout.write(`The lake is complete up to ${await lakeFreshnessSeconds(environment)} s ago.\n`);
    });
}

function statusCommand(): Command {
  return new Command('status').description('whether a local platform is up, and how to reach it').action(async () => {
    const emulator = await currentSession();
    if (!emulator) {
      process.stdout.write('no local platform is up in this checkout\n');
      return;
    }
    process.stdout.write(`up at ${emulator.endpoint} (process ${emulator.pid})\n`);
    process.stdout.write(exportLines(emulator, environment));
  });
}

function downCommand(): Command {
  return new Command('down').description('stops it and everything it started').action(async () => {
    const emulator = await currentSession();
    if (!emulator) {
      process.stderr.write('no local platform is up in this checkout: nothing to stop\n');
      return;
    }
    const drop = emulator.own && (await slotDropper(emulator, emulator.own));
    await stopEmulator(emulator);
    await drop?.();
    forgetSession();
    process.stderr.write(`stopped (process ${emulator.pid})\n`);
  });
}

/** The password is where owners keep it, in the emulator: it is read before that is stopped. */
async function slotDropper(emulator: Emulator, own: OwnSource): Promise<() => Promise<void>> {
  useEmulator(emulator, environment);
  const { password } = await readLogin(environment.region, ownerPaths(environment, own.contract.ownerFolder).secret);
  return () => dropSlot(own, password);
}

function sourceOption(): Option {
  return new Option(
    '--source <url>',
    "a Postgres of one's own to follow instead (postgresql://user:password@host:port/database, PGPASSWORD): nothing is " +
      'written to it, and its slot is dropped when all ends, or at `local down`',
  ).conflicts('shots');
}

function shotsOption(): Option {
  return new Option('--shots <n>', 'size of the history').default(DEFAULT_SHOTS).argParser((text) => {
    const shots = Number(text);
    if (!Number.isInteger(shots) || shots < 1000 || shots > 100_000_000) {
      throw new InvalidArgumentError(`'${text}' is not a whole number from 1,000 to 100,000,000.`);
    }
    return shots;
  });
}

function ignore(): void {
  // The steps were shown as they ended; only `start` collects them.
}
