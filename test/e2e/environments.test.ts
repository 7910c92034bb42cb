/**
 * All three environments, each in its own account of one emulator: bootstrapped by an administrator, planned and applied
 * by the roles of their pipelines, planned again to nothing; what is protected refuses its removal. dev is migrated,
 * changed and goes, by the role that deploys: what the two roles were granted, they needed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { credentialsOf, deployJob } from '../../cli/local/github';
import type { PlanSummary } from '../../cli/terraform/plan-summary';
import { environments } from '../../envs';
import type { Environment } from '../../envs/environment';
import { accessStackName, names, ownerPaths, stackName } from '../../modules/naming';
import { sources } from '../../sources';
import { withDatabases } from '../../sources/contract';
import { pipelineExceptions } from '../permissions/exceptions';
import { byActionAndByResource, findings, readGrants, readUses, review } from '../permissions/permissions';
import { checkPlan } from '../policy/checkov';
import { EmulatedAws } from './emulated-aws';
import { MINUTE, root, trackmanWith, type Outcome } from './trackman';

type Variables = Record<string, string>;

const inherited = { ...process.env };
const plans = mkdtempSync(join(tmpdir(), 'trackman-plans-'));
let aws: EmulatedAws;

beforeAll(async () => {
  aws = await EmulatedAws.start();
}, MINUTE);

afterAll(async () => {
  process.env = inherited;
  rmSync(plans, { recursive: true });
  await aws.stop();
}, MINUTE);

function directoryOf(stack: string): string {
  return join(root, 'cdktf.out', 'stacks', stack);
}

function administrator({ account, region }: Environment): Variables {
  return aws.variables(account, region);
}

/** The pipeline's credentials for a job of its workflows. */
async function acting(environment: Environment, role: 'plan' | 'apply'): Promise<Variables> {
  Object.assign(process.env, administrator(environment));
  const job = role === 'apply' ? deployJob(environment) : { context: 'pull_request', role: names.access.plan };
  return { ...administrator(environment), ...(await credentialsOf(job, environment)) };
}

/** What the owners of databases keep; nobody connects to them here. */
async function playOwners(environment: Environment): Promise<void> {
  Object.assign(process.env, administrator(environment));
  const { Vpcs } = await new EC2Client({}).send(new DescribeVpcsCommand({}));
  const values = {
    url: 'postgresql://backend.example.com:5432/trackman',
    ca: 'a certificate',
    vpc: Vpcs![0]!.VpcId!,
    cidr: Vpcs![0]!.CidrBlock!,
  };
  const login = { username: 'platform', password: 'of nobody' };
  for (const { ownerFolder } of withDatabases(sources)) {
    const { secret, ...parameters } = ownerPaths(environment, ownerFolder);
    for (const purpose of ['url', 'ca', 'vpc', 'cidr'] as const) {
      await new SSMClient({}).send(
        new PutParameterCommand({ Name: parameters[purpose], Value: values[purpose], Type: 'String' }),
      );
    }
    await new SecretsManagerClient({}).send(
      new CreateSecretCommand({ Name: secret, SecretString: JSON.stringify(login) }),
    );
  }
}

/** Runs in every environment at once; Terraform's own waits overlap. */
async function everywhere(work: (environment: Environment) => Promise<Outcome>): Promise<Outcome[]> {
  return Promise.all(environments.map(work));
}

function succeeded(outcomes: readonly Outcome[]): void {
  for (const { code, stderr } of outcomes)
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
}

function summaries({ stdout }: Outcome): PlanSummary[] {
  return JSON.parse(stdout) as PlanSummary[];
}

function bootstrap(environment: Environment): Promise<Outcome> {
  return trackmanWith(administrator(environment), 'bootstrap', environment.name, '--rds-ca', aws.caFile);
}

test(
  'are bootstrapped one after the other, and once more without a change',
  async () => {
    for (const environment of environments) {
      await playOwners(environment);
      succeeded([await bootstrap(environment)]);
    }
    const again = await bootstrap(environments[0]!);
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/was there, settings confirmed[^]*trackman-access-dev: was there, as declared/),
    });
  },
  8 * MINUTE,
);

test(
  'are refused with the credentials of another account, both of which are named',
  async () => {
    const [dev, , prod] = environments as [Environment, Environment, Environment];
    const refused = await trackmanWith(administrator(dev), 'plan', prod.name);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(dev.account);
    expect(refused.stderr).toContain(prod.account);
  },
  MINUTE,
);

test(
  'are valid for Terraform',
  async () => {
    succeeded([await trackmanWith({}, 'validate')]);
  },
  4 * MINUTE,
);

const byPlanRole = new Map<Environment, Variables>();
const byApplyRole = new Map<Environment, Variables>();
const kept = (environment: Environment): string => join(plans, environment.name);
const again = (environment: Environment): string => join(plans, `${environment.name}-again`);

test(
  'are planned by the role that changes nothing',
  async () => {
    for (const environment of environments) {
      byPlanRole.set(environment, await acting(environment, 'plan'));
      byApplyRole.set(environment, await acting(environment, 'apply'));
    }
    succeeded(await everywhere((each) => trackmanWith(byPlanRole.get(each)!, 'plan', each.name, '--out', kept(each))));
  },
  5 * MINUTE,
);

test(
  'are applied as they were planned; the second plan of each is empty',
  async () => {
    const apply = (each: Environment) => trackmanWith(byApplyRole.get(each)!, 'apply', each.name, '--plan', kept(each));
    succeeded(await everywhere(apply));
    const planned = await everywhere((each) =>
      trackmanWith(byPlanRole.get(each)!, 'plan', each.name, '--json', '--out', again(each)),
    );
    succeeded(planned);
    for (const summary of planned.flatMap(summaries)) {
      expect(summary).toMatchObject({ create: [], update: [], replace: [], delete: [], retag: [] });
    }
  },
  15 * MINUTE,
);

/** Of what is applied, because a first plan does not know yet what policies will name, and checkov leaves those out. */
test.each(environments)(
  'the plans of $name pass checkov but for what was reviewed',
  async (environment) => {
    const { name } = environment;
    for (const [stack, directory] of [
      ['platform', stackName(environment)],
      ['access', accessStackName(environment)],
    ] as const) {
      const file = join(again(environment), `${directory}.tfplan`);
      const plan = await aws.terraform(directoryOf(directory), administrator(environment), 'show', '-json', file);
      expect(await checkPlan(plan, { stack, environment: name })).toEqual([]);
    }
  },
  3 * MINUTE,
);

const protectedTypes = [
  'aws_s3_bucket',
  'aws_db_instance',
  'aws_glue_catalog_database',
  'aws_secretsmanager_secret',
  'aws_redshiftserverless_namespace',
];

/** Terraform's options for a plan that would replace every resource of the protected types. */
function replacements(directory: string): string[] {
  const { resource } = JSON.parse(readFileSync(join(directory, 'cdk.tf.json'), 'utf8')) as {
    resource: Record<string, Record<string, unknown>>;
  };
  return protectedTypes.flatMap((type) => Object.keys(resource[type]!).map((name) => `-replace=${type}.${name}`));
}

const destructions = [
  { of: 'removal', options: () => ['-destroy'] },
  { of: 'replacement', options: replacements },
];

test.each(
  environments
    .filter(({ deletionProtection }) => deletionProtection)
    .flatMap((environment) => destructions.map((each) => ({ environment, name: environment.name, ...each }))),
)(
  '$name refuses the $of of what holds data',
  async ({ environment, options }) => {
    const directory = directoryOf(stackName(environment));
    const refusal = await aws
      .terraform(directory, administrator(environment), 'plan', '-lock=false', ...options(directory))
      .then(
        () => 'nothing was refused',
        (error: { stderr: string }) => error.stderr,
      );
    for (const type of protectedTypes) {
      expect(refusal).toMatch(
        new RegExp(`Instance cannot be destroyed\\s+on cdk.tf.json line \\d+, in resource\\.${type}:`),
      );
    }
  },
  3 * MINUTE,
);

const dev = environments[0]!;

test(
  'dev is migrated by the role that deploys',
  async () => {
    succeeded([await trackmanWith(byApplyRole.get(dev)!, 'migrate', dev.name)]);
  },
  4 * MINUTE,
);

test(
  'the next commit’s tag goes to all that dev consists of',
  async () => {
    const next = join(plans, 'next');
    retag(join(directoryOf(stackName(dev)), 'cdk.tf.json'));
    const planned = await trackmanWith(byPlanRole.get(dev)!, 'plan', dev.name, '--json', '--out', next);
    succeeded([planned]);
    const [platform] = summaries(planned);
    expect(platform).toMatchObject({ create: [], replace: [], delete: [] });
    expect(platform!.retag.length).toBeGreaterThan(100);
    succeeded([await trackmanWith(byApplyRole.get(dev)!, 'apply', dev.name, '--plan', next)]);
  },
  6 * MINUTE,
);

/** As the next synthesis would, after a commit that changes nothing else. */
function retag(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"commit": "\w+"/, `"commit": "${'f'.repeat(40)}"`));
}

test(
  'dev is destroyed by the role that deploys',
  async () => {
    const by = await acting(dev, 'apply');
    const options = ['-auto-approve', '-parallelism=30'];
    const destroyed = await aws.terraform(directoryOf(stackName(dev)), by, 'destroy', ...options);
    expect(destroyed).toContain('Destroy complete!');
  },
  6 * MINUTE,
);

describe('the pipelines’ roles', () => {
  const pipelines: string[] = [names.access.plan, names.access.apply];
  const used = (environment: Environment) =>
    readUses(aws.requests, environment.account).filter(({ role }) => pipelines.includes(role));

  test.each(environments)('of $name were refused nothing', (environment) => {
    expect(findings([], used(environment)).refused).toEqual([]);
  });

  test('of dev needed all that they are granted but for what is explained', () => {
    const grants = byActionAndByResource(readGrants(join(directoryOf(accessStackName(dev)), 'cdk.tf.json')));
    const { unused } = findings(grants, used(dev));
    expect(review(unused, pipelineExceptions)).toEqual({ unexplained: [], stale: [] });
    const needed = grants.filter((grant) => !unused.includes(grant));
    expect(review(needed, pipelineExceptions).unexplained).toEqual(needed); // or docs/permissions.md would say too much
  });
});
