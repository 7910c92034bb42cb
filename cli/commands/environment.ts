import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { names, roleArn } from '../../modules/naming';
import { environmentArgument } from '../environment-argument';

export function environmentCommand(): Command {
  return new Command('environment')
    .description('prints where an environment is and what its pipelines act as, as lines of name=value (GITHUB_OUTPUT)')
    .addArgument(environmentArgument())
    .option('--json', 'print it as JSON')
    .action((environment: Environment, { json }: { json?: boolean }) => {
      const { account, region } = environment;
      const values = {
        account,
        region,
        'plan-role': roleArn(environment, names.access.plan),
        'apply-role': roleArn(environment, names.access.apply),
      };
      const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
      process.stdout.write(json ? `${JSON.stringify(values, null, 2)}\n` : lines.join(''));
    });
}
