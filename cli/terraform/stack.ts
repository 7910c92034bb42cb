import { copyFileSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { projectRoot } from '../../modules/project';
import { InputError } from '../errors';
import { inTemporaryDirectory } from './plan-files';
import { summarize, type Plan, type PlanSummary } from './plan-summary';
import { run, type Invocation, type Report } from './process';

const LOCK_FILE = '.terraform.lock.hcl';

/** How long to wait for somebody else's lock on the state. */
const LOCK_TIMEOUT = '-lock-timeout=5m';
const PARALLELISM = '-parallelism=20';

/** Terraform, or what TERRAFORM_BINARY_NAME says (`tofu`), in the directory of a stack that was synthesized. */
export class SynthesizedStack {
  private readonly directory: string;
  private readonly binary = process.env['TERRAFORM_BINARY_NAME'] || 'terraform';

  /** @throws InputError when the stack was not synthesized */
  constructor(readonly name: string) {
    this.directory = join(projectRoot, 'cdktf.out', 'stacks', name);
    if (!existsSync(join(this.directory, 'cdk.tf.json')))
      throw new InputError(`stack ${name}: expected what was synthesized in ${this.directory}; run: npx cdktf synth`);
  }

  /** With the provider that the repository's lock file pins, and the state. */
  async init(report: Report): Promise<void> {
    await this.terraform(this.initialization(), { report });
  }

  /** Whether Terraform takes it; without the state, and so without an account. */
  async validate(report: Report): Promise<void> {
    await inTemporaryDirectory(async (directory) => {
      const env = { TF_DATA_DIR: directory }; // an earlier init would have Terraform ask for the state after all
      await this.terraform([...this.initialization(), '-backend=false'], { report, env });
      await this.terraform(['validate'], { report, env });
    });
  }

  /** Plans into `file`. */
  async plan(file: string, report: Report): Promise<PlanSummary> {
    await this.terraform(['plan', `-out=${file}`, LOCK_TIMEOUT, PARALLELISM], { report });
    return summarize(this.name, await this.show(file));
  }

  /** Applies what was planned into `file`, and nothing else: Terraform refuses a plan whose state has moved on. */
  async apply(file: string, report: Report): Promise<void> {
    await this.terraform(['apply', LOCK_TIMEOUT, PARALLELISM, file], { report });
  }

  /** The plan as JSON holds every value, so it is neither printed nor kept. */
  private async show(file: string): Promise<Plan> {
    const chunks: Buffer[] = [];
    await this.terraform(['show', '-json', file], { capture: (chunk) => chunks.push(chunk) });
    return JSON.parse(Buffer.concat(chunks).toString()) as Plan;
  }

  private initialization(): string[] {
    copyFileSync(join(projectRoot, LOCK_FILE), join(this.directory, LOCK_FILE));
    // OpenTofu takes the locked version from Terraform's lock, but has other builds of providers: it must note its own.
    return ['init', ...(basename(this.binary) === 'tofu' ? [] : ['-lockfile=readonly'])];
  }

  private async terraform(
    argv: readonly string[],
    options: Pick<Invocation, 'report' | 'capture' | 'env'>,
  ): Promise<void> {
    const [command, ...others] = argv;
    await run({
      title: `${basename(this.binary)} ${command} of ${this.name}`,
      program: this.binary,
      argv: [command!, '-no-color', ...others],
      cwd: this.directory,
      ...options,
    });
  }
}
