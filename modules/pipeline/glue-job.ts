import { GlueJob as GlueJobResource, type GlueJobConfig } from '@cdktf/provider-aws/lib/glue-job';
import { Construct } from 'constructs';
import type { GlueConnection } from '../glue-connection';
import type { GlueSecurity } from '../glue-security';
import { BOUNDS, isWhole, LONGEST_BUDGET_MINUTES, nameRule, STOP_AT_BUDGETS } from '../limits';
import { Role } from '../role';
import { check, checkRules, type Rule } from '../validation';

/** What a job runs on. */
export type Engine =
  | {
      readonly kind: 'spark';
      readonly workerType: string;
      /** At most, the driver included: Glue takes as many as there is work for. */
      readonly workers: number;
    }
  | { readonly kind: 'python-shell' };

export interface GlueJobProps {
  readonly name: string;
  readonly description: string;
  readonly roleName: string;
  readonly engine: Engine;
  /** S3 URI of the script. */
  readonly script: string;
  /** The script's arguments and Glue's own, by their names with the two hyphens. */
  readonly arguments: Readonly<Record<string, string>>;
  /** How long a run should take at most, in minutes: Glue tells when it takes longer, and ends it at three times that. */
  readonly budgetMinutes: number;
  /** How often Glue repeats a run that failed. */
  readonly retries: number;
  /** What it runs through; all lead into one subnet. Without any it runs outside of the network. */
  readonly connections: readonly GlueConnection[];
  readonly security: GlueSecurity;
}

/** A Glue job under a role of its own, one run at a time. */
export class GlueJob extends Construct {
  readonly name: string;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: GlueJobProps) {
    super(scope, id);
    checkRules(
      `job ${props.name}`,
      rules(props),
      'correct latency or sparkJobs in the environment, or the module that makes it',
    );
    for (const name of Object.keys(props.arguments)) {
      check(name.startsWith('--'), {
        name: `argument of job ${props.name}`,
        value: name,
        expected: 'a name that begins with two hyphens',
        remedy: 'correct it in modules/pipeline',
      });
    }
    this.role = new Role(this, 'role', {
      name: props.roleName,
      description: `Runs the job ${props.name}`,
      trusts: { service: 'glue.amazonaws.com' },
    });
    for (const connection of props.connections) connection.grantUse(this.role);
    const spark = props.engine.kind === 'spark';
    if (spark) {
      // Metrics have no resource that could be named, only a namespace.
      this.role.allowUnscoped(['cloudwatch:PutMetricData'], { StringEquals: { 'cloudwatch:namespace': 'Glue' } });
    }

    this.name = new GlueJobResource(this, 'job', {
      name: props.name,
      description: props.description,
      roleArn: this.role.arn,
      ...onEngine(props),
      connections: props.connections.map(({ name }) => name),
      securityConfiguration: props.security.configuration,
      executionProperty: { maxConcurrentRuns: 1 },
      maxRetries: props.retries,
      timeout: STOP_AT_BUDGETS * props.budgetMinutes,
      notificationProperty: { notifyDelayAfter: props.budgetMinutes },
      dependsOn: props.security.keepLogs(spark ? 'jobs' : 'python-jobs', this.role, props.roleName),
    }).name;
  }
}

function rules({ name, engine, budgetMinutes, retries, script }: GlueJobProps): Rule[] {
  const rules = [
    nameRule('name', name, 255),
    { name: 'script', value: script, holds: script.startsWith('s3://'), expected: 'an S3 URI' },
    {
      name: 'budgetMinutes',
      value: budgetMinutes,
      holds: isWhole(budgetMinutes, 1, LONGEST_BUDGET_MINUTES),
      expected: `a whole number of minutes from 1 to ${LONGEST_BUDGET_MINUTES}: a run is ended after ${STOP_AT_BUDGETS} times that`,
    },
    { name: 'retries', value: retries, holds: isWhole(retries, 0, 10), expected: 'a whole number from 0 to 10' },
  ];
  if (engine.kind === 'python-shell') return rules;
  const { workers } = engine;
  const expected = `a whole number from ${BOUNDS.workers.join(' to ')}, the driver included`;
  return [...rules, { name: 'workers', value: workers, holds: isWhole(workers, ...BOUNDS.workers), expected }];
}

function onEngine({
  engine,
  script,
  arguments: args,
}: GlueJobProps): Partial<GlueJobConfig> & Pick<GlueJobConfig, 'command'> {
  if (engine.kind === 'python-shell') {
    return {
      command: { name: 'pythonshell', pythonVersion: '3.9', scriptLocation: script },
      maxCapacity: 0.0625,
      defaultArguments: { ...args },
    };
  }
  return {
    command: { name: 'glueetl', pythonVersion: '3', scriptLocation: script },
    glueVersion: '5.1', // logs as it runs, without being asked
    executionClass: 'STANDARD', // FLEX may start late, and a promise hangs on it
    workerType: engine.workerType,
    numberOfWorkers: engine.workers,
    defaultArguments: {
      '--job-language': 'python',
      '--job-bookmark-option': 'job-bookmark-disable', // ours are committed with the data
      '--enable-auto-scaling': 'true',
      '--enable-metrics': 'true',
      '--enable-observability-metrics': 'true',
      '--enable-spark-ui': 'false',
      ...args,
    },
  };
}
