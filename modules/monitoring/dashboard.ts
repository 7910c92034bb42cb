import { CloudwatchDashboard } from '@cdktf/provider-aws/lib/cloudwatch-dashboard';
import { Construct } from 'constructs';
import { names, type Location } from '../naming';
import type { Alarm, Metric } from './alarm';
import type { FreshnessPromise } from './promise';
import type { SlotLag } from './slot-lag';

export interface DashboardProps {
  readonly location: Location;
  /** All of them: their states are the first answer. */
  readonly alarms: readonly Alarm[];
  /** Names of the rules, by which failures are counted. */
  readonly rules: readonly string[];
  readonly freshness: { readonly lake: Metric; readonly serving: Metric };
  readonly promise: FreshnessPromise;
  /** Names of the jobs whose run times are shown. */
  readonly jobs: readonly string[];
  readonly slotLags: readonly SlotLag[];
  /** In bytes. */
  readonly slotLagLimits: { readonly ticket: number; readonly page: number };
  readonly database: { readonly cpu: Metric; readonly freeStorage: Metric };
  readonly workgroups: readonly string[];
}

/** Shown beside a metric: a line at a value. */
interface Line {
  readonly label: string;
  readonly value: number;
}

interface Widget {
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly properties: object;
}

const COLUMNS = 24;
const HALF = COLUMNS / 2;
const HELP = `# Is it healthy, and if not, where?
**1.** Every alarm is green: it is. **2.** Freshness is below its lines: the promise holds, whatever else is red.
**3.** Otherwise look down in the order in which data flows: what failed, how long jobs take, the source's log, dataengineering-db.
Each alarm and rule has a row in \`docs/runbooks/alarms.md\`. No data is worse than bad data: then the job \`freshness\` does not run.`;

/** One page that answers whether the platform is healthy and, if not, where it is not. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    new CloudwatchDashboard(this, 'dashboard', {
      dashboardName: names.monitoring.dashboard,
      dashboardBody: JSON.stringify({ widgets: placed(widgets(props)) }),
    });
  }
}

function widgets(props: DashboardProps): Widget[] {
  const { promise, freshness, database, slotLagLimits } = props;
  const graph = (
    title: string,
    metrics: readonly unknown[],
    options: object = {},
    lines: readonly Line[] = [],
  ): Widget => ({
    type: 'metric',
    width: HALF,
    height: 6,
    properties: {
      title,
      region: props.location.region,
      view: 'timeSeries',
      period: 300,
      metrics,
      annotations: { horizontal: lines },
      ...options,
    },
  });
  return [
    { type: 'text', width: COLUMNS, height: 4, properties: { markdown: HELP } },
    {
      type: 'alarm',
      width: COLUMNS,
      height: 4,
      properties: { title: 'Alarms', alarms: props.alarms.map(({ arn }) => arn) },
    },
    graph(
      'Freshness (seconds behind the sources)',
      [plot(freshness.lake, 'Maximum'), plot(freshness.serving, 'Maximum')],
      { yAxis: { left: { min: 0 } } },
      [
        { label: 'promise', value: 60 * promise.promiseMinutes },
        { label: 'lake is late', value: 60 * promise.lakeWarnMinutes },
        { label: 'dataengineering-db is late', value: 60 * promise.servingWarnMinutes },
      ],
    ),
    graph(
      'What failed or is late (events by rule; undelivered ones in red)',
      props.rules.flatMap((rule) => [
        ['AWS/Events', 'MatchedEvents', 'RuleName', rule, { stat: 'Sum' }],
        ['AWS/Events', 'FailedInvocations', 'RuleName', rule, { stat: 'Sum', color: '#d62728' }],
      ]),
    ),
    graph(
      'How long runs take (milliseconds)',
      props.jobs.map((job) => [
        'Glue',
        'glue.driver.aggregate.elapsedTime',
        'JobName',
        job,
        'JobRunId',
        'ALL',
        'Type',
        'count',
        { stat: 'Maximum', label: job },
      ]),
    ),
    graph(
      "The source's log that waits for us (bytes)",
      props.slotLags.map(({ metric }) => plot(metric, 'Maximum')),
      { yAxis: { left: { min: 0 } } },
      [
        { label: 'ticket', value: slotLagLimits.ticket },
        { label: 'page', value: slotLagLimits.page },
      ],
    ),
    graph('dataengineering-db: CPU (%)', [plot(database.cpu, 'Average')], { yAxis: { left: { min: 0, max: 100 } } }),
    graph('dataengineering-db: free storage (bytes)', [plot(database.freeStorage, 'Minimum')]),
    graph(
      'Athena: bytes scanned in an hour, by workgroup',
      // Athena splits the metric by kind and outcome of queries: a search finds them all.
      props.workgroups.map((workgroup) => [
        {
          expression:
            `SUM(SEARCH('{AWS/Athena,QueryState,QueryType,WorkGroup} MetricName="ProcessedBytes" ` +
            `WorkGroup="${workgroup}"', 'Sum', 3600))`,
          label: workgroup,
        },
      ]),
      { period: 3600, width: COLUMNS },
    ),
  ];
}

/** A metric as dashboards write it: namespace, name, each dimension with its value, how it is drawn. */
function plot({ namespace, name, dimensions }: Metric, stat: string): unknown[] {
  return [namespace, name, ...Object.entries(dimensions).flat(), { stat }];
}

/** From left to right, then in the next row. */
function placed(all: readonly Widget[]): object[] {
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  return all.map((widget) => {
    if (x + widget.width > COLUMNS) {
      x = 0;
      y += rowHeight;
      rowHeight = 0;
    }
    const place = { x, y };
    x += widget.width;
    rowHeight = Math.max(rowHeight, widget.height);
    return { ...widget, ...place };
  });
}
