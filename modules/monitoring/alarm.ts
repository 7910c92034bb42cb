import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm';
import { Construct } from 'constructs';
import { isWhole, nameRule } from '../limits';
import { names } from '../naming';
import { checkRules, type Rule } from '../validation';
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

const DAY_MINUTES = 24 * 60;

/** An alarm over one metric that tells one topic when it goes off and when it is over. */
export class Alarm extends Construct {
  readonly name: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, props: AlarmProps) {
    super(scope, id);
    checkRules(`alarm ${props.name}`, rules(props), 'correct the module that makes it');
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

function rules({ name, threshold, periodMinutes, periods, datapoints }: AlarmProps): Rule[] {
  return [
    nameRule('name', name, 255 - names.monitoring.alarmPrefix.length),
    {
      name: 'threshold',
      value: threshold,
      holds: Number.isFinite(threshold),
      expected: "a number in the metric's unit",
    },
    {
      name: 'periodMinutes',
      value: periodMinutes,
      holds: isWhole(periodMinutes, 1, DAY_MINUTES),
      expected: 'a whole number of minutes, a day at most',
    },
    {
      name: 'periods',
      value: periods,
      holds: periods >= 1 && isWhole(periods * periodMinutes, 1, DAY_MINUTES),
      expected: `as many as are a day at most: CloudWatch looks no further back than that`,
    },
    {
      name: 'datapoints',
      value: datapoints,
      holds: isWhole(datapoints, 1, periods),
      expected: `a whole number from 1 to its periods, ${periods}`,
    },
  ];
}
