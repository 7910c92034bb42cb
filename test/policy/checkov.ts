/** What checkov says of plans, held against what was reviewed and accepted. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { toolchain } from '../../cli/toolchain';
import { environments } from '../../envs';
import { parse } from '../../modules/validation';

/** Which of an environment's stacks a plan is of. */
export interface Planned {
  readonly stack: 'platform' | 'access';
  readonly environment: string;
}

/** A check that failed. */
export interface Finding {
  /** For example "CKV_AWS_21". */
  readonly check: string;
  readonly title: string;
  /** The resource's address in the plan. */
  readonly resource: string;
}

const BASELINE = 'test/policy/checkov-baseline.yaml';

const names = environments.map(({ name }) => name);
const pattern = /^aws_\w+\.[\w*-]+$/;
const accepted = z.strictObject({
  /** Which check may fail. */
  check: z.string('the id of a check').regex(/^CKV2?_[A-Z]+_\d+$/, 'the id of a check, such as CKV_AWS_21'),
  /** Where: addresses; `*` stands for any text within a name. */
  resources: z
    .array(z.string().regex(pattern, 'an address such as aws_s3_bucket.name, "*" standing for any text in the name'))
    .min(1, 'at least one address'),
  /** In which environments. @default all */
  environments: z
    .array(z.enum(names, `one of ${names.join(', ')}`))
    .min(1, 'at least one environment')
    .optional(),
  /** Why that is right. */
  reason: z.string('why this is right').trim().min(1, 'why this is right'),
});
const baselineSchema = z.strictObject({ platform: z.array(accepted), access: z.array(accepted) });

/** What may fail in each stack, and why. */
export type Baseline = z.output<typeof baselineSchema>;

/** @throws InvalidValueError with a line for everything that is wrong */
export function readBaseline(text: string): Baseline {
  return parse(baselineSchema, parseYaml(text), BASELINE, 'correct it there');
}

/**
 * What is wrong with a plan, a line each: checks that fail and are not accepted, what is accepted and does not fail.
 * @param plan what `terraform show -json` prints of it; for the time of the checks it is in a file that nobody else reads
 */
export async function checkPlan(plan: string, planned: Planned): Promise<string[]> {
  return violations(
    await findings(plan),
    readBaseline(readFileSync(join(__dirname, '../..', BASELINE), 'utf8')),
    planned,
  );
}

/** @see checkPlan */
export function violations(found: readonly Finding[], baseline: Baseline, { stack, environment }: Planned): string[] {
  const where = `the stack ${stack} of ${environment}`;
  const acceptances = baseline[stack]
    .filter((each) => each.environments?.includes(environment) ?? true)
    .flatMap(({ check, resources }) => resources.map((resource) => ({ check, resource })));
  const unaccepted = found.filter((finding) => !acceptances.some((acceptance) => covers(acceptance, finding)));
  const unneeded = acceptances.filter((acceptance) => !found.some((finding) => covers(acceptance, finding)));
  return [
    ...unaccepted.map(
      ({ check, title, resource }) =>
        `${check} (${title}) fails for ${resource} in ${where}: correct it, or accept it in ${BASELINE} with a reason`,
    ),
    ...unneeded.map(
      ({ check, resource }) =>
        `${check} is accepted for ${resource} in ${where}, where it does not fail: no longer needed, remove it from ${BASELINE}`,
    ),
  ];
}

function covers(acceptance: Pick<Finding, 'check' | 'resource'>, { check, resource }: Finding): boolean {
  if (acceptance.check !== check) return false;
  const text = acceptance.resource.split('*').map((part) => part.replaceAll('.', '\\.'));
  return new RegExp(`^${text.join('.*')}$`).test(resource);
}

/**
 * The checks that fail in a plan.
 * @throws Error when checkov cannot be run, or judged nothing
 */
export async function findings(plan: string): Promise<Finding[]> {
  const directory = await mkdtemp(join(tmpdir(), 'checkov-')); // for its owner only
  try {
    const file = join(directory, 'plan.json');
    await writeFile(file, plan, { mode: 0o600 });
    return failedChecks(await runCheckov(file, directory));
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** What checkov prints: without `results` when it recognizes nothing that it could judge. */
interface Report {
  readonly results?: {
    readonly failed_checks: readonly { check_id: string; check_name: string; resource: string }[];
  };
  readonly summary?: { readonly passed: number; readonly failed: number; readonly skipped: number };
}

function failedChecks({ results, summary }: Report): Finding[] {
  if (!results || !summary || summary.passed + summary.failed === 0)
    throw new Error('checkov judged nothing: expected a plan with resources, as terraform show -json prints it');
  if (summary.skipped > 0)
    throw new Error(`checkov skipped ${summary.skipped} checks: expected none, what may fail is in ${BASELINE}`);
  return results.failed_checks.map(({ check_id, check_name, resource }) => ({
    check: check_id,
    title: check_name,
    resource,
  }));
}

/** It sees neither the user's settings of checkov nor a platform to report to, and looks for no newer version. */
async function runCheckov(file: string, home: string): Promise<Report> {
  const argv = ['--file', file, '--framework', 'terraform_plan', '--output', 'json', '--quiet'];
  const { stdout } = await promisify(execFile)(toolchain().checkov, [...argv, '--skip-download', '--soft-fail'], {
    cwd: home,
    env: { HOME: home, CKV_SKIP_PACKAGE_UPDATE_CHECK: 'true' },
    maxBuffer: Infinity,
  }).catch(({ code, signal }: { code?: unknown; signal?: unknown }) => {
    // What it wrote may hold values of the plan.
    throw new Error(`checkov ended with ${String(code ?? signal)}: run it by hand on such a plan to see why`);
  });
  return JSON.parse(stdout) as Report;
}
