/** The workflows do nothing that cannot be done here, with no more rights than they need. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { environments } from '../../envs';
import project from '../../package.json';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}

interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly permissions?: Record<string, string>;
  readonly environment?: string;
  readonly concurrency?: { group: string; 'cancel-in-progress': boolean };
  readonly needs?: string | readonly string[];
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { matrix: { environment: string[] } };
  readonly with?: Record<string, string>;
}

interface Workflow {
  readonly permissions: unknown;
  readonly on: Record<string, unknown>;
  readonly jobs: Record<string, Job>;
}

const root = join(__dirname, '..', '..');
const github = join(root, '.github');
const files = readdirSync(join(github, 'workflows'));
const names = environments.map(({ name }) => name);

function text(file: string): string {
  return readFileSync(join(github, 'workflows', file), 'utf8');
}

function workflow(file: string): Workflow {
  return parse(text(file)) as Workflow;
}

function steps(file: string): Step[] {
  return Object.values(workflow(file).jobs).flatMap((job) => job.steps ?? []);
}

const tools = readFileSync(join(github, 'actions', 'tools', 'action.yml'), 'utf8');
const toolSteps = (parse(tools) as { runs: { steps: Step[] } }).runs.steps;

test('there is one for pull requests, deploys and drift', () => {
  expect(files.sort()).toEqual(['deploy-environment.yml', 'deploy.yml', 'drift.yml', 'pull-request.yml']);
});

describe.each(files)('%s', (file) => {
  test('grants nothing to the workflow, and to each job no more than checking out and its token', () => {
    expect(workflow(file).permissions).toEqual({});
    for (const job of Object.values(workflow(file).jobs)) {
      expect({ contents: 'read', 'id-token': 'write' }).toMatchObject(job.permissions!);
    }
  });

  test('gives every job of its own a time', () => {
    for (const job of Object.values(workflow(file).jobs)) {
      if (job.uses === undefined) expect(job['timeout-minutes']).toBeLessThanOrEqual(90);
    }
  });

  test('runs only commands that exist here', () => {
    for (const { run } of steps(file)) if (run !== undefined) expect(isOurs(run)).toBe(true);
  });

  test('pins every action of others by a commit, and says of which version', () => {
    const uses = [...text(file).matchAll(/uses: (\S+)(.*)$/gm)].map(([, action, comment]) => ({ action, comment }));
    for (const { action, comment } of uses) {
      if (action!.startsWith('./')) continue;
      expect(`${action}${comment}`).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  test('keeps no token in the checkout, and holds no secret', () => {
    for (const { uses, with: inputs } of steps(file)) {
      if (uses?.startsWith('actions/checkout@')) expect(inputs).toMatchObject({ 'persist-credentials': false });
    }
    expect(text(file)).not.toMatch(/secrets\.|AWS_ACCESS_KEY_ID|aws-access-key-id/);
  });

  test('acts in AWS only where its job may ask for a token, in one account', () => {
    for (const { steps: own = [], permissions } of Object.values(workflow(file).jobs)) {
      const credentials = own.filter(({ uses }) => uses?.startsWith('aws-actions/configure-aws-credentials@'));
      expect(credentials.length > 0).toBe(own.length > 0 && permissions?.['id-token'] === 'write');
      for (const { with: inputs } of credentials) expect(inputs).toHaveProperty('allowed-account-ids');
    }
  });
});

test('one version of an action is used throughout', () => {
  const used = [...files.map(text), tools].flatMap((content) => content.match(/uses: [\w-]+\/.*$/gm) ?? []);
  const versions = new Map<string, Set<string>>();
  for (const each of used) {
    const [action] = each.split('@');
    versions.set(action!, (versions.get(action!) ?? new Set()).add(each));
  }
  for (const seen of versions.values()) expect(seen.size).toBe(1);
});

test('the tools are what the README asks for, and pinned', () => {
  for (const { uses, run } of toolSteps)
    expect([uses, run]).toEqual([expect.stringMatching(/@[0-9a-f]{40}$/), undefined]);
  const inputs = (action: string): unknown => toolSteps.find(({ uses }) => uses!.includes(action))!.with;
  expect(inputs('setup-python')).toEqual({ 'python-version': '3.11' });
  expect(inputs('setup-node')).toEqual({ 'node-version-file': '.nvmrc' });
  expect(readFileSync(join(root, '.nvmrc'), 'utf8')).toMatch(/^20\.\d+\.\d+\n$/);
});

test('only the tests, which have no credentials, run what a cache holds', () => {
  const caching = files.flatMap((file) =>
    Object.entries(workflow(file).jobs)
      .filter(([, { steps: own = [] }]) => own.some(({ uses }) => uses?.includes('cache@')))
      .map(([name, { permissions }]) => ({ file, name, permissions })),
  );
  expect(caching).toEqual([{ file: 'pull-request.yml', name: 'test', permissions: { contents: 'read' } }]);
  expect(toolSteps.some(({ uses, with: inputs }) => uses!.includes('cache@') || 'cache' in (inputs ?? {}))).toBe(false);
});

test('every environment is planned and looked at for drift', () => {
  expect(workflow('pull-request.yml').jobs['plan']!.strategy!.matrix.environment).toEqual(names);
  expect(workflow('drift.yml').jobs['drift']!.strategy!.matrix.environment).toEqual(names);
});

describe('a deploy', () => {
  const { synth, ...deploys } = workflow('deploy.yml').jobs;
  const { plan, apply } = workflow('deploy-environment.yml').jobs;
  const runs = (job: Job): string[] => job.steps!.flatMap(({ run }) => run ?? []);

  test('goes through the environments in their order, one at a time in each', () => {
    expect(Object.keys(deploys)).toEqual(names);
    names.forEach((name, index) => {
      const previous = names[index - 1];
      expect(deploys[name]).toMatchObject({
        uses: './.github/workflows/deploy-environment.yml',
        needs: previous === undefined ? 'synth' : ['synth', previous],
        concurrency: { group: `deploy-${name}`, 'cancel-in-progress': false },
        with: { environment: name, stacks: '${{ needs.synth.outputs.stacks }}' },
      });
    });
  });

  test('synthesizes once, from the whole history', () => {
    expect(runs(synth!)).toContain('npx cdktf synth');
    expect(synth!.steps![0]!.with).toMatchObject({ 'fetch-depth': 0 });
    for (const job of [plan!, apply!]) expect(runs(job)).not.toContain('npx cdktf synth');
  });

  test('plans as the role that reads, and applies that plan under the environment’s approval', () => {
    expect(plan!.environment).toBeUndefined();
    expect(apply).toMatchObject({ needs: 'plan', environment: '${{ inputs.environment }}' });
    const role = (job: Job): unknown =>
      job.steps!.find(({ uses }) => uses?.includes('credentials'))!.with!['role-to-assume'];
    expect([role(plan!), role(apply!)]).toEqual([
      '${{ steps.environment.outputs.plan-role }}',
      '${{ steps.environment.outputs.apply-role }}',
    ]);
    expect(runs(apply!).slice(-2)).toEqual([
      'npx trackman apply "$ENVIRONMENT" --plan plans',
      'npx trackman migrate "$ENVIRONMENT"',
    ]);
  });

  test('keeps its plans for a day', () => {
    const kept = plan!.steps!.find(({ uses }) => uses?.startsWith('actions/upload-artifact@'))!;
    expect(kept.with).toMatchObject({ path: 'plans', 'retention-days': 1 });
  });
});

/** Whether a step's command is an npm script, or a command of cdktf or trackman with options that it has. */
function isOurs(run: string): boolean {
  const [program, command, subcommand, ...others] = run.replace(/ >> "\$GITHUB_OUTPUT"$/, '').split(' ');
  if (program === 'npm') {
    const script = command === 'run' ? subcommand! : command!;
    return script in project.scripts && others.length === 0;
  }
  if (program !== 'npx') return false;
  if (command === 'cdktf') return subcommand === 'synth' && 'cdktf-cli' in project.devDependencies;
  if (command !== 'trackman') return false;
  const help = spawnSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), subcommand!, '--help'], {
    encoding: 'utf8',
  });
  const options = others.filter((word) => word.startsWith('--'));
  const known = help.stdout.startsWith(`Usage: trackman ${subcommand} `);
  return known && options.every((option) => help.stdout.includes(`${option} `));
}

test('what is not ours is told', () => {
  expect(existsSync(join(root, 'dist', 'cli', 'main.js'))).toBe(true);
  for (const run of [
    'curl x',
    'npm run nonsense',
    'npx trackman nonsense',
    'npx trackman plan dev --force',
    'npx other',
  ]) {
    expect(isOurs(run)).toBe(false);
  }
});
