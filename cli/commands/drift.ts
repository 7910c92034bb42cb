import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { environmentArgument } from '../environment-argument';
import { FailedError } from '../errors';
import { changesAnything } from '../terraform/plan-summary';
import { planInto, print } from './plan';

export function driftCommand(): Command {
  return new Command('drift')
    .description(
      'looks whether the environment is as its stacks in cdktf.out say; exit code 1 when anything but the tag of the commit differs',
    )
    .addArgument(environmentArgument())
    .option('--json', 'print what differs as JSON')
    .action(async (environment: Environment, { json }: { json?: boolean }) => {
      const summaries = await planInto(environment, undefined);
      print(summaries, json);
      const differing = summaries.filter(changesAnything).map(({ stack }) => stack);
      if (differing.length === 0) return;
      throw new FailedError(
        `${differing.join(' and ')} differ from the code: deploy the main branch, or take back what was changed by hand`,
      );
    });
}
