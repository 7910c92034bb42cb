/** Writes docs/permissions.md: `npm run docs:permissions`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Testing, type App, type TerraformStack } from 'cdktf';
import { dev } from '../../envs/dev';
import project from '../../cdktf.json';
import { Access } from '../../modules/access/access';
import { accessStackName, stackName } from '../../modules/naming';
import { Platform } from '../../modules/platform';
import { projectRoot } from '../../modules/project';
import { exceptions, pipelineExceptions } from './exceptions';
import { document, readDescriptions, readGrants, type Exception } from './permissions';

export const documentFile = join(projectRoot, 'docs', 'permissions.md');

const INTRODUCTION = `# Who may do what

What the roles of an environment may do, as its Terraform grants it: whatever is not here is refused. Account, region
and environment stand for those of each environment; the tables are those of dev.

Written by \`npm run docs:permissions\` from the stacks and from test/permissions/exceptions.ts; a test fails when it is
out of date.

# The platform's roles

Staging and prod have one role more, \`trackman-database-monitoring\`, as which RDS writes the log of enhanced monitoring.

Every line was used in the end-to-end run, in which no role was refused anything (test/e2e/main-job.test.ts). What AWS
asks for and no run of ours can show, says why.
`;

const PIPELINES = `# The pipelines' roles

\`trackman-plan\` and \`trackman-apply\` are those of GitHub's workflows, and made by an administrator: see
modules/access. What policies deny them whatever else they allow is not subtracted here: the values of secrets, their
own roles and policies, the state's bucket, and, in staging and prod, the deletion of what holds data.

Each action was used on something, and each resource for something, in the run over the environments
(test/e2e/environments.test.ts): dev was planned, applied, migrated, retagged and destroyed by them, and neither was
refused anything. What changes, removes or makes what dev does not have, says so.
`;

export function permissionsDocument(): string {
  const app = (): App => Testing.app({ context: project.context });
  const { name: environment, account, region } = dev;
  const tables = (stack: TerraformStack, name: string, explained: readonly Exception[]): string => {
    const file = join(Testing.fullSynth(stack), 'stacks', name, 'cdk.tf.json');
    return document(readGrants(file), readDescriptions(file), explained, { environment, account, region });
  };
  return [
    INTRODUCTION,
    tables(new Platform(app(), dev), stackName(dev), exceptions),
    PIPELINES,
    tables(new Access(app(), dev), accessStackName(dev), pipelineExceptions),
  ].join('\n');
}

if (require.main === module) writeFileSync(documentFile, permissionsDocument());
