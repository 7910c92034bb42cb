import { Construct } from 'constructs';
import type { Bucket } from '../bucket';
import type { Database } from '../catalog';
import type { Crawler } from '../crawler';
import type { GlueSecurity } from '../glue-security';
import type { Key } from '../key';
import { grantMetrics } from '../metrics';
import { BOUNDS, isWhole } from '../limits';
import { names, type Location } from '../naming';
import type { JobArtifacts } from '../pipeline/artifacts';
import type { GlueJob } from '../pipeline/glue-job';
import type { ServingDb } from '../serving-db';
import { checkRules, type Rule } from '../validation';
import { Alarm, type Metric } from './alarm';
import { Budget } from './budget';
import { Dashboard } from './dashboard';
import { EventRule, failedCrawls, failedRuns, lateRuns } from './event-rule';
import { Freshness, FRESHNESS_MINUTES } from './freshness';
import { promiseRules, slotLagRule, type FreshnessPromise } from './promise';
import { slotLags, type SlotLag } from './slot-lag';
import { AlertTopic } from './topics';

export interface MonitoringProps {
  readonly location: Location;
  readonly key: Key;
  readonly artifacts: JobArtifacts;
  readonly security: GlueSecurity;
  /** The bucket with the lake's tables. */
  readonly tables: Bucket;
  /** Database of the lake's current tables. */
  readonly lake: Database;
  /** The jobs on which the promise hangs: somebody is called when one fails. */
  readonly jobs: readonly GlueJob[];
  /** Jobs that can wait until the morning. @default none */
  readonly backgroundJobs?: readonly GlueJob[];
  /** Jobs that publish metrics of their own, and are allowed to. */
  readonly measuringJobs: readonly GlueJob[];
  readonly crawler: Pick<Crawler, 'name'>;
  /** Names of the sources that `ingest` follows by a replication slot. */
  readonly sources: readonly string[];
  readonly servingDb: Pick<ServingDb, 'identifier'>;
  /** Athena workgroups whose scanned bytes are shown. */
  readonly workgroups: readonly string[];
  /** Time between two starts of the pipeline, in minutes. */
  readonly pipelineMinutes: number;
  /** The promise of freshness, and from when on its targets are late; in minutes. */
  readonly promise: FreshnessPromise;
  /** Who is told: e-mail addresses and https URLs. */
  readonly subscribers: { readonly page: readonly string[]; readonly ticket: readonly string[] };
  readonly limits: {
    /** Log that a source keeps for us, in GiB. */
    readonly slotLagGiB: { readonly ticket: number; readonly page: number };
    /** Storage of dataengineering-db that should stay free, in GiB. */
    readonly freeStorageGiB: number;
    /** CPU of dataengineering-db that should not be exceeded for a quarter of an hour, in percent. */
    readonly cpuPercent: number;
  };
  /** What the account may cost in a month, in USD. */
  readonly monthlyBudgetUsd: number;
}

const GIB = 2 ** 30;

/** Watches the modules that it is given: who is told of what, by alarms, rules, a budget, and what a dashboard shows. */
export class Monitoring extends Construct {
  /** Somebody is called, at night too. */
  readonly page: AlertTopic;
  /** Somebody looks at it on the next working day. */
  readonly ticket: AlertTopic;
  /** Publishes freshness. */
  readonly freshness: Freshness;
  readonly alarms: readonly Alarm[];
  readonly rules: readonly EventRule[];

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    checkRules('monitoring', rules(props), 'correct latency or alarms in the environment');
    const { location, key, servingDb, limits } = props;
    const topic = (kind: 'page' | 'ticket', displayName: string): AlertTopic =>
      new AlertTopic(this, kind, {
        name: names.monitoring.topics[kind],
        displayName,
        location,
        key,
        subscribers: props.subscribers[kind],
      });
    this.page = topic('page', 'Trackman page');
    this.ticket = topic('ticket', 'Trackman ticket');
    for (const { role } of props.measuringJobs) grantMetrics(role, names.metrics.namespace);
    this.freshness = new Freshness(this, 'freshness', { ...props, serving: servingDb.identifier });

    const lags = props.sources.flatMap(slotLags);
    const slotLagLimits = { ticket: GIB * limits.slotLagGiB.ticket, page: GIB * limits.slotLagGiB.page };
    const database = { cpu: ofRds(servingDb, 'CPUUtilization'), freeStorage: ofRds(servingDb, 'FreeStorageSpace') };
    this.alarms = [
      ...this.freshnessAlarms('lake', names.metrics.lakeTarget, props),
      ...this.freshnessAlarms('serving', servingDb.identifier, props),
      ...lags.flatMap((lag) => this.slotLagAlarms(lag, props.pipelineMinutes, slotLagLimits)),
      ...this.databaseAlarms(servingDb.identifier, database, limits),
    ];
    this.rules = this.eventRules(props);
    new Budget(this, 'budget', { monthlyUsd: props.monthlyBudgetUsd, page: this.page, ticket: this.ticket });
    new Dashboard(this, 'dashboard', {
      location,
      alarms: this.alarms,
      rules: this.rules.map(({ name }) => name),
      freshness: this.freshness,
      promise: props.promise,
      jobs: props.jobs.map(({ name }) => name),
      slotLags: lags,
      slotLagLimits,
      database,
      workgroups: props.workgroups,
    });
  }

  /**
   * No data breaches: a freshness job that stopped must not pass for a fresh lake. CloudWatch looks at two periods more
   * than the three that it counts, and takes missing ones into account only when fewer than three are left: one lost
   * sample, or two, tells nobody, and three in a row (a quarter of an hour) do. A sample that is too late does at once.
   */
  private freshnessAlarms(target: 'lake' | 'serving', name: string, { promise }: MonitoringProps): Alarm[] {
    const { promiseMinutes } = promise;
    const warnMinutes = target === 'lake' ? promise.lakeWarnMinutes : promise.servingWarnMinutes;
    const common = {
      metric: this.freshness[target],
      statistic: 'Maximum',
      breach: 'above',
      periodMinutes: FRESHNESS_MINUTES,
      periods: 3,
      datapoints: 1,
      missingData: 'breaching',
    } as const;
    return [
      new Alarm(this, `${target}-late`, {
        ...common,
        name: `${name}-late`,
        description: `${name} is more than ${warnMinutes} minutes behind the sources, or nobody knows how far.`,
        threshold: 60 * warnMinutes,
        topic: this.ticket,
      }),
      new Alarm(this, `${target}-promise-broken`, {
        ...common,
        name: `${name}-promise-broken`,
        description: `${name} is more than the promised ${promiseMinutes} minutes behind the sources, or nobody knows how far.`,
        threshold: 60 * promiseMinutes,
        topic: this.page,
      }),
    ];
  }

  /**
   * Measured once by each run of the pipeline. A run that is missing changes nothing: an alarm must not end because the
   * pipeline stopped. That it stopped is told by freshness.
   */
  private slotLagAlarms(lag: SlotLag, pipelineMinutes: number, limits: { ticket: number; page: number }): Alarm[] {
    const common = {
      description: `${lag.source}: ${lag.meaning}`,
      metric: lag.metric,
      statistic: 'Maximum',
      breach: 'above',
      periodMinutes: pipelineMinutes,
      periods: 1,
      datapoints: 1,
      missingData: 'ignore',
    } as const;
    const alarm = (level: string, threshold: number, topic: AlertTopic): Alarm => {
      const name = `slot-${lag.kind}-lag-${level}-${lag.source}`;
      return new Alarm(this, name, { ...common, name, threshold, topic });
    };
    return [alarm('high', limits.ticket, this.ticket), alarm('critical', limits.page, this.page)];
  }

  /** Silence tells nobody here: a database that is gone fails `publish`, which does. */
  private databaseAlarms(
    identifier: string,
    { cpu, freeStorage }: { readonly cpu: Metric; readonly freeStorage: Metric },
    { freeStorageGiB, cpuPercent }: MonitoringProps['limits'],
  ): Alarm[] {
    const common = { periodMinutes: 5, missingData: 'missing' } as const;
    return [
      new Alarm(this, 'database-storage-low', {
        ...common,
        name: `${identifier}-storage-low`,
        description: `${identifier} has less than ${freeStorageGiB} GiB of storage left, and did not grow by itself.`,
        metric: freeStorage,
        statistic: 'Minimum',
        breach: 'below',
        threshold: GIB * freeStorageGiB,
        periods: 1,
        datapoints: 1,
        topic: this.page,
      }),
      new Alarm(this, 'database-cpu-high', {
        ...common,
        name: `${identifier}-cpu-high`,
        description: `${identifier} has used more than ${cpuPercent} % of its CPU for a quarter of an hour.`,
        metric: cpu,
        statistic: 'Average',
        breach: 'above',
        threshold: cpuPercent,
        periods: 3,
        datapoints: 3,
        topic: this.ticket,
      }),
    ];
  }

  private eventRules({ jobs, backgroundJobs = [], crawler }: MonitoringProps): EventRule[] {
    const { rules } = names.monitoring;
    const rule = (name: string, description: string, pattern: object, topic: AlertTopic): EventRule =>
      new EventRule(this, name, { name, description, pattern, topic });
    return [
      rule(rules.jobFailed, 'A run of a job on which the promise hangs did not succeed.', failedRuns(jobs), this.page),
      rule(
        rules.backgroundJobFailed,
        'A run of a job that can wait until the morning did not succeed.',
        failedRuns([...backgroundJobs, this.freshness.job]),
        this.ticket,
      ),
      // Not of the freshness job: where its start alone takes longer than its budget, nothing is wrong.
      rule(rules.jobLate, 'A run takes longer than its budget.', lateRuns([...jobs, ...backgroundJobs]), this.ticket),
      rule(rules.crawlerFailed, 'A crawl failed or could not be started.', failedCrawls(crawler), this.ticket),
    ];
  }
}

function rules({ promise, limits }: MonitoringProps): Rule[] {
  const { slotLagGiB, freeStorageGiB, cpuPercent } = limits;
  return [
    ...promiseRules(promise),
    slotLagRule(slotLagGiB),
    { name: 'freeStorageGiB', value: freeStorageGiB, holds: freeStorageGiB > 0, expected: 'more than 0 GiB' },
    {
      name: 'cpuPercent',
      value: cpuPercent,
      holds: isWhole(cpuPercent, ...BOUNDS.cpuPercent),
      expected: `from ${BOUNDS.cpuPercent.join(' to ')} percent: above 100 nothing ever is`,
    },
  ];
}

function ofRds({ identifier }: Pick<ServingDb, 'identifier'>, name: string): Metric {
  return { namespace: 'AWS/RDS', name, dimensions: { DBInstanceIdentifier: identifier } };
}
