import { join } from 'node:path';
import { projectRoot } from '../../modules/project';
import { run, type Report } from './process';

type Environment = Readonly<Record<string, string>>;

/** `cdktf synth`: every stack of every environment, into cdktf.out. */
export async function synth(report: Report): Promise<void> {
  await cdktf(['synth'], report);
}

/** `cdktf apply <stack>`, by the AWS credentials in `env`; reports Terraform's lines as they come. */
export async function apply(stack: string, report: Report, env: Environment): Promise<void> {
  const options = ['--auto-approve', '--skip-provider-lock', '--parallelism', '1', '--terraform-parallelism', '30'];
  await cdktf(['apply', stack, ...options], report, env);
}

async function cdktf(argv: readonly string[], report: Report, env?: Environment): Promise<void> {
  const cli = join(projectRoot, 'node_modules', 'cdktf-cli', 'bundle', 'bin', 'cdktf.js');
  await run({
    title: `cdktf ${argv.join(' ')}`,
    program: process.execPath,
    argv: [cli, ...argv],
    cwd: projectRoot,
    env,
    report,
  });
}
