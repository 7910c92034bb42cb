import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { names, stackName } from '../../modules/naming';
import { requireAccount } from '../aws/account';
import { waitForCrawler } from '../aws/glue';
import { environmentArgument } from '../environment-argument';
import { InputError } from '../errors';
import { step } from '../progress';
import { planFile } from '../terraform/plan-files';
import { SynthesizedStack } from '../terraform/stack';

export function applyCommand(): Command {
  return new Command('apply')
    .description("applies the platform's plan that trackman plan kept, and nothing else")
    .addArgument(environmentArgument())
    .requiredOption('--plan <directory>', 'where trackman plan --out kept it')
    .action(async (environment: Environment, { plan }: { plan: string }) => {
      const stack = new SynthesizedStack(stackName(environment));
      const file = planFile(resolve(plan), stack.name);
      if (!existsSync(file)) {
        throw new InputError(
          `--plan ${plan}: expected the plan ${file}; run: npx trackman plan ${environment.name} --out ${plan}`,
        );
      }
      await requireAccount(environment);
      await step('crawler', (report) => waitForCrawler(environment.region, names.crawler, report));
      await step(`apply ${stack.name}`, async (report) => {
        await stack.init(report);
        await stack.apply(file, report);
      });
    });
}
