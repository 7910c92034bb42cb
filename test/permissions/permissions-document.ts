/** Writes docs/permissions.md: `npm run docs:permissions`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Testing } from 'cdktf';
import { dev } from '../../envs/dev';
import project from '../../cdktf.json';
import { stackName } from '../../modules/naming';
import { Platform } from '../../modules/platform';
import { projectRoot } from '../../modules/project';
import { exceptions } from './exceptions';
import { document, readDescriptions, readGrants } from './permissions';

export const documentFile = join(projectRoot, 'docs', 'permissions.md');

const INTRODUCTION = `# Who may do what

What the roles of the platform may do, as its Terraform grants it: whatever is not here is refused. Account, region and
environment stand for those of each environment. Staging and prod have one role more, \`trackman-database-monitoring\`,
as which RDS writes the log of enhanced monitoring. The pipelines' two roles are modules/access: what they may do
follows from what the platform consists of.

Every line was used in the end-to-end run, in which no role was refused anything (test/e2e/main-job.test.ts). What AWS
asks for and no run of ours can show, says why.

Written by \`npm run docs:permissions\` from the stack and from test/permissions/exceptions.ts; a test fails when it is
out of date.
`;

export function permissionsDocument(): string {
  const directory = Testing.fullSynth(new Platform(Testing.app({ context: project.context }), dev));
  const file = join(directory, 'stacks', stackName(dev), 'cdk.tf.json');
  const { name: environment, account, region } = dev;
  const place = { environment, account, region };
  return `${INTRODUCTION}\n${document(readGrants(file), readDescriptions(file), exceptions, place)}`;
}

if (require.main === module) writeFileSync(documentFile, permissionsDocument());
