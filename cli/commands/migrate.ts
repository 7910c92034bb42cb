import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { names } from '../../modules/naming';
import { runJob } from '../aws/glue';
import { environmentArgument } from '../environment-argument';
import { step } from '../progress';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description("brings dataengineering-db's schema, roles and passwords up to date; called by each deploy")
    .addArgument(environmentArgument())
    .action(async (environment: Environment) => {
      await step(`migrate ${environment.name}`, (report) => runJob(environment.region, names.jobs.migrate, report));
    });
}
