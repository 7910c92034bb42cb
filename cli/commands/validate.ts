import { Command } from 'commander';
import { environments } from '../../envs';
import { stackNames } from '../../modules/naming';
import { step } from '../progress';
import { SynthesizedStack } from '../terraform/stack';

export function validateCommand(): Command {
  return new Command('validate')
    .description(
      'has Terraform, or what TERRAFORM_BINARY_NAME says, validate every stack in cdktf.out; needs no account',
    )
    .action(async () => {
      for (const name of environments.flatMap(stackNames)) {
        const stack = new SynthesizedStack(name);
        await step(`validate ${name}`, (report) => stack.validate(report));
      }
    });
}
