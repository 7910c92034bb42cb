import { CloudwatchEventRule, type CloudwatchEventRuleConfig } from '@cdktf/provider-aws/lib/cloudwatch-event-rule';
import { CloudwatchEventTarget } from '@cdktf/provider-aws/lib/cloudwatch-event-target';
import { GlueTrigger } from '@cdktf/provider-aws/lib/glue-trigger';
import { GlueWorkflow } from '@cdktf/provider-aws/lib/glue-workflow';
import { Construct } from 'constructs';
import type { Bucket } from '../bucket';
import { isFolder, nameRule } from '../limits';
import { Role } from '../role';
import { cronExpression, type Schedule } from '../schedule';
import { checkRules } from '../validation';
import type { GlueJob } from './glue-job';

export interface LandingProps {
  readonly workflow: string;
  readonly trigger: string;
  /** Names of the rules of EventBridge. */
  readonly rules: { readonly objects: string; readonly schedule: string };
  /** The role in which EventBridge notifies the workflow. */
  readonly roleName: string;
  /** Where files land; it announces its objects. */
  readonly bucket: Bucket;
  /** The folders that count: "telemetry/". */
  readonly prefixes: readonly string[];
  /** Looks for what was not announced: events are delivered at best effort. */
  readonly schedule: Schedule;
  readonly job: GlueJob;
}

/** Files come in bursts: a run waits for as many, or for so long after the first. */
const BATCH = { batchSize: 100, batchWindow: 300 };

/**
 * Starts a job when files land, and on a schedule in case that nobody heard of them.
 *
 * Both reach it in one way, as events for the one trigger of a workflow that has one run at a time. A start while a run
 * is under way is then refused to the workflow, of which nobody is told. A trigger of its own for the schedule would
 * start the job a second time, which shows as a run that failed and pages somebody. Nothing is missed: a run takes
 * whatever lies there, and what lands behind its look is announced, or found by the schedule.
 */
export class Landing extends Construct {
  constructor(
    scope: Construct,
    id: string,
    private readonly props: LandingProps,
  ) {
    super(scope, id);
    const { bucket, prefixes, schedule, rules } = props;
    checkRules(
      `workflow ${props.workflow}`,
      [
        nameRule('rules.objects', rules.objects, 64),
        nameRule('rules.schedule', rules.schedule, 64),
        {
          name: 'prefixes',
          value: prefixes,
          holds: prefixes.length > 0 && prefixes.every(isFolder),
          expected: 'one or more folders, each a path that ends in a slash',
        },
      ],
      'change it in modules/naming.ts',
    );
    const workflow = new GlueWorkflow(this, 'workflow', {
      name: props.workflow,
      description: 'From the landing zone to the lake',
      maxConcurrentRuns: 1,
    });
    new GlueTrigger(this, 'trigger', {
      name: props.trigger,
      workflowName: workflow.name,
      type: 'EVENT',
      eventBatchingCondition: [BATCH],
      actions: [{ jobName: props.job.name }],
    });
    const role = new Role(this, 'role', {
      name: props.roleName,
      description: `Notifies the workflow ${props.workflow} of what lands`,
      trusts: { service: 'events.amazonaws.com' },
    });
    role.allow({ actions: ['glue:NotifyEvent'], resources: [workflow.arn] });

    this.notify('objects', workflow, role, {
      name: rules.objects,
      description: 'Files that landed',
      eventPattern: JSON.stringify({
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: [bucket.name] }, object: { key: prefixes.map((prefix) => ({ prefix })) } },
      }),
    });
    this.notify('schedule', workflow, role, {
      name: rules.schedule,
      description: 'Files that landed unheard',
      scheduleExpression: cronExpression(schedule),
    });
  }

  private notify(id: string, workflow: GlueWorkflow, role: Role, config: CloudwatchEventRuleConfig): void {
    const rule = new CloudwatchEventRule(this, `${id}-rule`, config);
    new CloudwatchEventTarget(this, `${id}-target`, {
      rule: rule.name,
      targetId: this.props.workflow,
      arn: workflow.arn,
      roleArn: role.arn,
    });
  }
}
