import { join } from 'node:path';
import { projectRoot } from '../../modules/project';
import { run, type Report } from './process';

type Environment = Readonly<Record<string, string>>;

/**
 * `cdktf synth`: every stack, into cdktf.out.
 * @param app the app's command line. @default cdktf.json's: every environment
 */
export async function synth(report: Report, app?: string): Promise<void> {
  await cdktf(['synth', ...appOption(app)], report);
}

/** `cdktf apply <stack>`, by the AWS credentials in `env`; reports Terraform's lines as they come. For `app` see synth. */
export async function apply(stack: string, report: Report, env: Environment, app?: string): Promise<void> {
  const options = ['--auto-approve', '--skip-provider-lock', '--parallelism', '1', '--terraform-parallelism', '30'];
  await cdktf(['apply', stack, ...options, ...appOption(app)], report, env);
}

function appOption(app: string | undefined): string[] {
  return app === undefined ? [] : ['--app', app];
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
