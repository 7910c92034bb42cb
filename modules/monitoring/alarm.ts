import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm';
import { Construct } from 'constructs';
import { names } from '../naming';
import type { AlertTopic } from './topics';

/** A metric of CloudWatch with all of its dimensions. */
export interface Metric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface AlarmProps {
  /** Below the prefix that all alarms have; its row in docs/runbooks/alarms.md is found by it. */
  readonly name: string;
  /** What is wrong when it goes off, and for whom. */
  readonly description: string;
  readonly metric: Metric;
  readonly statistic: 'Average' | 'Maximum' | 'Minimum';
  readonly breach: 'above' | 'below';
  /** In the metric's unit. */
  readonly threshold: number;
  readonly periodMinutes: number;
  /** It goes off when `datapoints` of the last `periods` breach. */
  readonly periods: number;
  readonly datapoints: number;
  /** What a period without data means. `ignore` leaves the state as it is. */
  readonly missingData: 'breaching' | 'missing' | 'ignore';
  /** Who is told, of the end as well. */
  readonly topic: AlertTopic;
}

/** An alarm over one metric that tells one topic when it goes off and when it is over. */
export class Alarm extends Construct {
  readonly name: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, props: AlarmProps) {
    super(scope, id);
    const { metric, topic } = props;
    const alarm = new CloudwatchMetricAlarm(this, 'alarm', {
      alarmName: `${names.monitoring.alarmPrefix}${props.name}`,
      alarmDescription: `${props.description} What to do: docs/runbooks/alarms.md`,
      namespace: metric.namespace,
      metricName: metric.name,
      dimensions: { ...metric.dimensions },
      statistic: props.statistic,
      period: 60 * props.periodMinutes,
      evaluationPeriods: props.periods,
      datapointsToAlarm: props.datapoints,
      comparisonOperator: props.breach === 'above' ? 'GreaterThanThreshold' : 'LessThanThreshold',
      threshold: props.threshold,
      treatMissingData: props.missingData,
      actionsEnabled: true,
      alarmActions: [topic.arn],
      okActions: [topic.arn],
    });
    this.name = alarm.alarmName;
    this.arn = alarm.arn;
  }
}
