import { copyFileSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { projectRoot } from '../../modules/project';
import { InputError } from '../errors';
import { summarize, type Plan, type PlanSummary } from './plan-summary';
import { run, type Report } from './process';

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

  /** With the provider that the repository's lock file pins, and the state's bucket unless `backend` is false. */
  async init(report: Report, backend = true): Promise<void> {
    copyFileSync(join(projectRoot, LOCK_FILE), join(this.directory, LOCK_FILE));
    // OpenTofu takes the locked version from Terraform's lock, but has other builds of providers: it must note its own.
    const lock = basename(this.binary) === 'tofu' ? [] : ['-lockfile=readonly'];
    await this.terraform(['init', `-backend=${backend}`, ...lock], report);
  }

  async validate(report: Report): Promise<void> {
    await this.terraform(['validate'], report);
  }

  /** Plans into `file`. */
  async plan(file: string, report: Report): Promise<PlanSummary> {
    await this.terraform(['plan', `-out=${file}`, LOCK_TIMEOUT, PARALLELISM], report);
    return summarize(this.name, await this.show(file));
  }

  /** Applies what was planned into `file`, and nothing else: Terraform refuses a plan whose state has moved on. */
  async apply(file: string, report: Report): Promise<void> {
    await this.terraform(['apply', LOCK_TIMEOUT, PARALLELISM, file], report);
  }

  /** The plan as JSON holds every value, so it is neither printed nor kept. */
  private async show(file: string): Promise<Plan> {
    const chunks: Buffer[] = [];
    await this.terraform(
      ['show', '-json', file],
      () => {},
      (chunk) => chunks.push(chunk),
    );
    return JSON.parse(Buffer.concat(chunks).toString()) as Plan;
  }

  private async terraform(argv: string[], report: Report, capture?: (chunk: Buffer) => void): Promise<void> {
    const [command, ...options] = argv;
    await run({
      title: `${basename(this.binary)} ${command} of ${this.name}`,
      program: this.binary,
      argv: [command!, '-no-color', ...options],
      cwd: this.directory,
      report,
      capture,
    });
  }
}
