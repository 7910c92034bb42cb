/** Runs the real cdktf CLI on the project, as a GitOps pipeline would. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { FailedError } from '../errors';
import { eachLine } from '../progress';
import { projectRoot } from '../../modules/project';
import { localDirectory, toolchain } from './emulator';

const children = new Set<number>();

/** Terraform's lines that tell how far it is; the plan itself is in the log. */
const PROGRESS =
  /: (Creating|Creation complete|Modif|Destr|Still|Read complete)|^\S*\s*(Plan:|Apply complete|No changes)/;

/** `cdktf apply <stack>`; reports Terraform's lines as they come. The whole output is kept in .local/terraform.log. */
export async function apply(stack: string, report: (line: string) => void): Promise<void> {
  await cdktf(['apply', stack, '--auto-approve', '--parallelism', '1', '--terraform-parallelism', '30'], report);
}

/** Ends what is still running, at once; for an interrupt. */
export function killTerraform(): void {
  for (const pid of children) process.kill(-pid, 'SIGKILL');
}

async function cdktf(argv: string[], report: (line: string) => void): Promise<void> {
  const cli = join(projectRoot, 'node_modules', 'cdktf-cli', 'bundle', 'bin', 'cdktf.js');
  const logFile = join(localDirectory, 'terraform.log');
  const { terraformCliConfig } = toolchain();
  const child = spawn(process.execPath, [cli, ...argv, '--skip-provider-lock'], {
    cwd: projectRoot,
    env: {
      ...process.env,
      CI: 'true', // plain lines instead of a redrawn screen
      FORCE_COLOR: '0',
      CHECKPOINT_DISABLE: '1',
      DISABLE_VERSION_CHECK: '1',
      TF_CLI_CONFIG_FILE: terraformCliConfig,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // its own group, so that an interrupt ends all of it
  });
  const pid = child.pid!;
  children.add(pid);
  const log = createWriteStream(logFile);
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    eachLine(stream, (line) => {
      log.write(`${line}\n`);
      if (line.trim() === '') return;
      tail.push(line);
      if (tail.length > 25) tail.shift();
      if (PROGRESS.test(line)) report(line.trim().replace(/^\S+ {2}/, '')); // less the stack's name
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  children.delete(pid);
  if (code !== 0)
    throw new FailedError(
      `cdktf ${argv.join(' ')} ended with exit code ${code}:\n${tail.join('\n')}\n(all of it: ${logFile})`,
    );
}
