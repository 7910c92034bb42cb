import { GlueJob as GlueJobResource, type GlueJobConfig } from '@cdktf/provider-aws/lib/glue-job';
import { Construct } from 'constructs';
import { grantLogs } from '../logs';
import type { Location } from '../naming';
import { Role } from '../role';
import { check } from '../validation';

/** What a job runs on. */
export type Engine =
  { readonly kind: 'spark'; readonly workerType: string; readonly workers: number } | { readonly kind: 'python-shell' };

export interface GlueJobProps {
  readonly name: string;
  readonly description: string;
  readonly roleName: string;
  readonly location: Location;
  readonly engine: Engine;
  /** S3 URI of the script. */
  readonly script: string;
  /** The script's arguments and Glue's own, by their names with the two hyphens. */
  readonly arguments: Readonly<Record<string, string>>;
  /** How long a run should take at most, in minutes: Glue tells when it takes longer, and ends it at three times that. */
  readonly budgetMinutes: number;
  /** How often Glue repeats a run that failed. @default 0 */
  readonly retries?: number;
}

const STOP_AT_BUDGETS = 3;

/** A Glue job under a role of its own, one run at a time. */
export class GlueJob extends Construct {
  readonly name: string;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: GlueJobProps) {
    super(scope, id);
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
    const spark = props.engine.kind === 'spark';
    grantLogs(this.role, props.location, spark ? '/aws-glue/jobs/' : '/aws-glue/python-jobs/');
    if (spark) {
      // Metrics have no resource that could be named, only a namespace.
      this.role.allowUnscoped(['cloudwatch:PutMetricData'], { StringEquals: { 'cloudwatch:namespace': 'Glue' } });
    }

    this.name = new GlueJobResource(this, 'job', {
      name: props.name,
      description: props.description,
      roleArn: this.role.arn,
      ...onEngine(props),
      executionProperty: { maxConcurrentRuns: 1 },
      maxRetries: props.retries ?? 0,
      timeout: STOP_AT_BUDGETS * props.budgetMinutes,
      notificationProperty: { notifyDelayAfter: props.budgetMinutes },
    }).name;
  }
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
    glueVersion: '5.1',
    executionClass: 'STANDARD', // FLEX may start late, and a promise hangs on it
    workerType: engine.workerType,
    numberOfWorkers: engine.workers,
    defaultArguments: {
      '--job-language': 'python',
      '--enable-continuous-cloudwatch-log': 'true',
      '--enable-metrics': 'true',
      ...args,
    },
  };
}
