/** The account's alarms. */
import { CloudWatchClient, paginateDescribeAlarms, type MetricAlarm } from '@aws-sdk/client-cloudwatch';

export interface Alarm {
  readonly name: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly reason: string;
}

/** What is in alarm first. */
export async function readAlarms(region: string): Promise<Alarm[]> {
  const alarms: MetricAlarm[] = [];
  const client = new CloudWatchClient({ region });
  for await (const page of paginateDescribeAlarms({ client }, { AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] })) {
    alarms.push(...(page.MetricAlarms ?? []), ...(page.CompositeAlarms ?? []));
  }
  const read = alarms.map(({ AlarmName, StateValue, StateUpdatedTimestamp, StateReason }) => ({
    name: AlarmName!,
    state: StateValue!,
    since: StateUpdatedTimestamp!.toISOString(),
    reason: StateReason ?? '',
  }));
  return read.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

function rank({ state }: Alarm): number {
  return ['ALARM', 'INSUFFICIENT_DATA', 'OK'].indexOf(state);
}
