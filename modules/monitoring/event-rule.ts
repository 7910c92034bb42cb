import { CloudwatchEventRule } from '@cdktf/provider-aws/lib/cloudwatch-event-rule';
import { CloudwatchEventTarget } from '@cdktf/provider-aws/lib/cloudwatch-event-target';
import { Construct } from 'constructs';
import type { Crawler } from '../crawler';
import { nameRule } from '../limits';
import type { GlueJob } from '../pipeline/glue-job';
import { check, checkRules } from '../validation';
import type { AlertTopic } from './topics';

export interface EventRuleProps {
  readonly name: string;
  readonly description: string;
  readonly pattern: object;
  readonly topic: AlertTopic;
}

/** Tells a topic of events of AWS's. */
export class EventRule extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, { name, description, pattern, topic }: EventRuleProps) {
    super(scope, id);
    checkRules('an event rule', [nameRule('name', name, 64)], 'correct it in modules/naming.ts');
    const rule = new CloudwatchEventRule(this, 'rule', { name, description, eventPattern: JSON.stringify(pattern) });
    new CloudwatchEventTarget(this, 'target', {
      rule: rule.name,
      targetId: 'topic',
      arn: topic.arn,
      inputTransformer: {
        // The placeholder is EventBridge's.
        inputTemplate:
          `{"alert": ${JSON.stringify(name)}, "meaning": ${JSON.stringify(description)}, ` +
          '"runbook": "docs/runbooks/alarms.md", "event": <aws.events.event.json>}',
      },
    });
    this.name = rule.name;
  }
}

/** Runs that did not succeed: failed, timed out, stopped, or whatever else Glue may call it. Each attempt is one. */
export function failedRuns(jobs: readonly GlueJob[]): object {
  return {
    source: ['aws.glue'],
    'detail-type': ['Glue Job State Change'],
    detail: { jobName: namesOf(jobs), state: [{ 'anything-but': ['SUCCEEDED'] }] },
  };
}

/** Runs that take longer than their job's budget. */
export function lateRuns(jobs: readonly GlueJob[]): object {
  return {
    source: ['aws.glue'],
    'detail-type': ['Glue Job Run Status'],
    detail: { jobName: namesOf(jobs) },
  };
}

/** Crawls that failed, or that their schedule could not start. */
export function failedCrawls(crawler: Pick<Crawler, 'name'>): object {
  const crawlerName = [crawler.name];
  return {
    source: ['aws.glue'],
    $or: [
      { 'detail-type': ['Glue Crawler State Change'], detail: { crawlerName, state: ['Failed'] } },
      { 'detail-type': ['Glue Scheduled Crawler Invocation Failure'], detail: { crawlerName } },
    ],
  };
}

function namesOf(jobs: readonly GlueJob[]): string[] {
  check(jobs.length > 0, {
    name: 'jobs of an event rule',
    value: [],
    expected: 'at least one job: EventBridge refuses an empty list',
    remedy: 'give Monitoring the jobs that it is to watch',
  });
  return jobs.map(({ name }) => name);
}
