import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { environmentArgument } from '../environment-argument';
import { FailedError } from '../errors';
import { changesAnything, type PlanSummary } from '../terraform/plan-summary';
import { planInto, print } from './plan';

/** Redshift forgets after some days that a statement ran, and Terraform runs it again: nobody changed anything. */
function withoutForgotten(summary: PlanSummary): PlanSummary {
  const create = summary.create.filter((address) => !address.startsWith('aws_redshiftdata_statement.'));
  return { ...summary, create };
}

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
      const differing = summaries
        .map(withoutForgotten)
        .filter(changesAnything)
        .map(({ stack }) => stack);
      if (differing.length === 0) return;
      throw new FailedError(
        `${differing.join(' and ')} differ from the code: deploy the main branch, or take back what was changed by hand`,
      );
    });
}
