import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { requireAccount } from '../aws/account';
import { environmentArgument } from '../environment-argument';
import { FailedError } from '../errors';
import { good, renderFinding, type Finding } from '../preflight/finding';
import { checkLakeFormation } from '../preflight/lake-formation';
import { checkNetwork } from '../preflight/network';
import { checkOwners } from '../preflight/owners';
import { checkSources } from '../preflight/sources';
import { checkState } from '../preflight/state';

interface Options {
  readonly source: boolean;
  readonly json: boolean;
}

/** What `--json` prints. */
interface Preflight {
  readonly environment: string;
  readonly account: string;
  readonly region: string;
  /** Whether a plan and a first apply find what they need. */
  readonly isReady: boolean;
  readonly findings: readonly Finding[];
}

export function preflightCommand(): Command {
  return new Command('preflight')
    .description(
      'checks what a first apply needs, and changes nothing; exit code 1 when something is not as it must be',
    )
    .addArgument(environmentArgument())
    .option('--source', 'also connect to the sources and check them; for where they can be reached from', false)
    .option('--json', 'print one JSON object instead', false)
    .action(async (environment: Environment, { source, json }: Options) => {
      const findings = await preflight(environment, source);
      const broken = findings.filter(({ state }) => state === 'wrong');
      process.stdout.write(
        json ? toJson(environment, findings) : findings.map((f) => `${renderFinding(f)}\n`).join(''),
      );
      if (broken.length > 0) throw new FailedError(`${broken.length} of ${findings.length} checks failed`);
    });
}

/** @throws InputError when every other question would be put to the wrong account */
async function preflight(environment: Environment, withSource: boolean): Promise<readonly Finding[]> {
  await requireAccount(environment);
  const groups = [checkState, checkOwners, checkNetwork, checkLakeFormation, ...(withSource ? [checkSources] : [])];
  const found = await Promise.all(groups.map((check) => check(environment)));
  return [good('credentials', `of account ${environment.account}`), ...found.flat()];
}

function toJson({ name: environment, account, region }: Environment, findings: readonly Finding[]): string {
  const isReady = findings.every(({ state }) => state !== 'wrong');
  const preflight: Preflight = { environment, account, region, isReady, findings };
  return `${JSON.stringify(preflight, null, 2)}\n`;
}
