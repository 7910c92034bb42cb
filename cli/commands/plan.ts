import { appendFileSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { stackNames } from '../../modules/naming';
import { requireAccount } from '../aws/account';
import { environmentArgument } from '../environment-argument';
import { step } from '../progress';
import { inTemporaryDirectory, planFile } from '../terraform/plan-files';
import { asMarkdown, asText, headline, type PlanSummary } from '../terraform/plan-summary';
import { SynthesizedStack } from '../terraform/stack';

interface PlanOptions {
  readonly out?: string;
  readonly summary?: string;
  readonly json?: boolean;
}

export function planCommand(): Command {
  return new Command('plan')
    .description("plans the environment's stacks as they were synthesized into cdktf.out; changes nothing")
    .addArgument(environmentArgument())
    .option('--out <directory>', 'keep the plans there, for trackman apply')
    .option('--summary <file>', 'add what would be done to a Markdown file, by counts and addresses')
    .option('--json', 'print what would be done as JSON')
    .action(async (environment: Environment, { out, summary, json }: PlanOptions) => {
      const summaries = await planInto(environment, out);
      if (summary !== undefined) appendFileSync(summary, summaries.map(asMarkdown).join(''));
      print(summaries, json);
    });
}

/** To stdout. */
export function print(summaries: readonly PlanSummary[], json = false): void {
  process.stdout.write(json ? `${JSON.stringify(summaries, null, 2)}\n` : summaries.map(asText).join(''));
}

/**
 * Plans the platform, and the stack of the pipelines' roles, which a pipeline sees but an administrator applies.
 * @param out directory in which the plans are kept
 */
export async function planInto(environment: Environment, out: string | undefined): Promise<PlanSummary[]> {
  if (out === undefined) return inTemporaryDirectory((directory) => planStacks(environment, directory));
  mkdirSync(out, { recursive: true });
  return planStacks(environment, resolve(out));
}

async function planStacks(environment: Environment, directory: string): Promise<PlanSummary[]> {
  const stacks = stackNames(environment).map((name) => new SynthesizedStack(name));
  await requireAccount(environment);
  const summaries: PlanSummary[] = [];
  for (const stack of stacks) {
    const planned = await step(
      `plan ${stack.name}`,
      async (report) => {
        await stack.init(report);
        return stack.plan(planFile(directory, stack.name), report);
      },
      headline,
    );
    summaries.push(planned.result);
  }
  return summaries;
}
