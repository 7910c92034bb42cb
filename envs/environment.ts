/** What an environment is: values only. Modules receive them and never ask which environment they are in. */
import { z } from 'zod';
import {
  BOUNDS,
  capacityRules,
  isAccount,
  isPort,
  isRangeBetween,
  LOG_RETENTION_DAYS,
  LONGEST_BUDGET_MINUTES,
  MONITORING_SECONDS,
  protocolOf,
  SHORTEST_PERIOD_MINUTES,
  STOP_AT_BUDGETS,
  storageRule,
} from '../modules/limits';
import { promiseRules, slotLagRule, type FreshnessPromise } from '../modules/monitoring/promise';
import { networkRules } from '../modules/network-rules';
import { isRegular, REGULAR } from '../modules/schedule';
import { parse, type Rule } from '../modules/validation';
import { defaults } from './defaults';

const text = (pattern: RegExp, expected: string) => z.string(expected).regex(pattern, expected);

const whole = (from: number, to: number, unit: string) => {
  const expected = `a whole number of ${unit} from ${from.toLocaleString('en')} to ${to.toLocaleString('en')}`;
  return z.int(expected).min(from, expected).max(to, expected);
};

const which = (holds: (value: string) => boolean, expected: string) => z.string(expected).refine(holds, expected);

/** A budget of a job's run, which is ended after three times that. */
const budget = whole(
  1,
  LONGEST_BUDGET_MINUTES,
  `minutes (a run is ended after ${STOP_AT_BUDGETS} times that, and none after ${STOP_AT_BUDGETS * LONGEST_BUDGET_MINUTES})`,
);

const account = which(isAccount, 'the 12 digits of an AWS account, as text');
const zone = text(/^[a-f]$/, "the letter of one of the region's availability zones");
const port = z.int('a port from 1 to 65,535').refine(isPort, 'a port from 1 to 65,535');
const endpoint = which((value) => protocolOf(value) !== undefined, 'an e-mail address or an https:// URL');

/** Has zod say what does not hold; `at` is where the thing that the rules are of is. */
const refine =
  <T>(rules: (value: T) => readonly Rule[], ...at: string[]) =>
  (value: T, issues: z.core.$RefinementCtx<T>): void => {
    for (const { name, value: input, holds, expected } of rules(value)) {
      if (!holds) issues.addIssue({ code: 'custom', path: [...at, ...name.split('.')], input, message: expected });
    }
  };

const schedule = z
  .strictObject({
    /** Time between two starts, in minutes: a divisor of 60, or whole hours that divide a day. Glue's shortest is 5. */
    everyMinutes: whole(SHORTEST_PERIOD_MINUTES, 1440, 'minutes'),
    /** First start past the hour, or past midnight UTC when starts are hours apart; in minutes. */
    offsetMinutes: whole(0, 1439, 'minutes'),
  })
  .refine(isRegular, REGULAR);

const tag = text(/^.{1,256}$/, 'a text of 1 to 256 characters');
const classifications = ['public', 'internal', 'confidential', 'restricted'] as const;

/** What interface endpoints can be made for; S3 has a gateway in any case. */
const endpointServices = ['glue', 'logs', 'monitoring', 'secretsmanager', 'ssm', 'kms', 'sts'] as const;
const network = z
  .strictObject({
    /** The three availability zones of its subnets, by their letters. @default a, b, c */
    zones: z.array(zone),
    /** Address range of a VPC of its own: a /16 to /20, which no peer may overlap. Either it or `existing`. No default. */
    cidr: z.string('an address range such as 10.40.0.0/16').optional(),
    /** A VPC that is there already. Either it or `cidr`. No default. */
    existing: z
      .strictObject({
        vpcId: z.string('an id such as vpc-0a1b2c3d'),
        /** A private subnet in each of `zones`, in their order. */
        subnetIds: z.array(z.string('an id such as subnet-0a1b2c3d')),
        /** The subnets' route tables: they learn the way to S3 and to peers. */
        routeTableIds: z.array(z.string('an id such as rtb-0a1b2c3d')),
        /** The gateway endpoint of S3 that these route tables lead to already. @default none: one is made */
        s3GatewayId: z.string('an id such as vpce-0a1b2c3d').optional(),
      })
      .optional(),
    /** AWS services that are reached within the VPC. @default those that jobs call */
    endpoints: z.array(z.enum(endpointServices, `one of ${endpointServices.join(', ')}`)),
    /** Zones with an endpoint; each zone costs about $7 a month and service. @default a */
    endpointZones: z.array(zone),
    /** Ways to the sources' VPCs, by peering; [] when they are in the VPC itself. @default trackman-backend's */
    peerings: z.array(
      z.strictObject({
        /** Below `/trackman/<env>/`: where the owners keep the VPC's id and address range. */
        ownerFolder: text(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and hyphens, a letter first'),
        /** Port of the source's database. */
        port,
        /** Their AWS account; they accept the peering. @default the environment's own: it is accepted at once */
        account: account.optional(),
      }),
    ),
    /** Ports of the databases of sources that are in an existing VPC themselves. @default none */
    sourcePorts: z.array(port),
    /** Whether jobs reach the internet, by a NAT gateway. @default false */
    nat: z.boolean('true or false'),
  })
  .superRefine(refine(networkRules));

const schema = z
  .strictObject({
    /** Stands in global names, paths and the stack's name. No default. */
    name: text(/^[a-z][a-z0-9]{1,11}$/, '2 to 12 lower-case letters and digits, a letter first'),
    /** AWS account, 12 digits; Terraform refuses any other. No default: each environment has its own. */
    account,
    /**
     * The GitHub repository whose workflows deploy, as its tokens name it: owner@id/name@id, or owner/name where it is
     * older than immutable subjects. `gh api repos/OWNER/NAME/actions/oidc/customization/sub` tells which.
     * @default trackman/data-platform
     */
    repository: text(
      /^[\w.-]+(@\d+)?\/[\w.-]+(@\d+)?$/,
      "a GitHub repository as its workflows' tokens name it: owner@123/name@456, or owner/name",
    ),
    /** AWS region. @default eu-central-1 */
    region: text(/^[a-z]{2}(-[a-z]+)+-\d$/, 'an AWS region such as eu-central-1'),
    /** Tags of every resource; the platform adds `platform`, `environment` and `commit`. */
    tags: z.strictObject({
      /** The team that is asked. @default data-engineering */
      owner: tag,
      /** Who pays. @default golf-data */
      costCentre: tag,
      /** What the environment's data is. @default confidential: it holds personal data */
      dataClassification: z.enum(classifications, `one of ${classifications.join(', ')}`),
    }),
    /**
     * Whether what holds data resists deletion: Terraform and the service refuse it, the database leaves a final
     * snapshot, secrets can be restored for 30 days, buckets must be emptied first. False takes a second key: the
     * environment's name in `destroyable` of cdktf.json's context. @default true
     */
    deletionProtection: z.boolean('true or false'),
    /** Who manages the key that encrypts what is stored: `customer` (rotated, its use granted) or `aws`. @default customer */
    encryptionKey: z.enum(['customer', 'aws'], 'customer or aws'),
    /**
     * Who decides on tables of the catalog: `iam` policies alone, or Lake Formation's `grants` beside them.
     * @default iam
     */
    lakeFormation: z.enum(['iam', 'grants'], 'iam or grants'),
    network,
    /**
     * The promise of freshness and how it is spent; each in minutes. A stage that exceeds its budget is late.
     * The pipeline's period and the budgets fit below the warnings, and with one attempt more into the promise.
     */
    latency: z.strictObject({
      /** What is promised: a change in the source is in the lake and in dataengineering-db within. @default 60 */
      promiseMinutes: whole(10, 1440, 'minutes'),
      /** From when on the lake is late enough for a ticket. @default 45 */
      lakeWarnMinutes: whole(5, 1440, 'minutes'),
      /** From when on dataengineering-db is. @default 52 */
      servingWarnMinutes: whole(5, 1440, 'minutes'),
      /** Until Glue has started a run's jobs. @default 2 */
      startMinutes: whole(1, 60, 'minutes'),
      /** A run of `ingest`. @default 8 */
      ingestMinutes: budget,
      /** A run of `publish`. @default 8 */
      publishMinutes: budget,
      /** One failed attempt, repeated. @default 10 */
      retryMinutes: whole(1, 480, 'minutes'),
    }),
    schedules: z.strictObject({
      /** Crawls over the sources; each costs at least 10 minutes of 2 DPU. @default every 30 minutes from :00 */
      crawl: schedule,
      /** Runs of the workflow `pipeline`. @default every 30 minutes from :10 */
      pipeline: schedule,
      /** Looks for files that landed and were not announced. @default every 6 hours from 00:05 */
      landing: schedule,
      /** Compaction, expiry and clean-up of the lake's tables. @default daily at 02:25 */
      maintain: schedule,
    }),
    sparkJobs: z.strictObject({
      /** @default G.1X: 4 vCPU, 16 GB */
      workerType: z.enum(['G.1X', 'G.2X', 'G.4X', 'G.8X'], 'one of G.1X, G.2X, G.4X, G.8X'),
      /** Workers of a run at most, the driver included; Glue takes as many as there is work for. @default 2 */
      workers: whole(...BOUNDS.workers, 'workers'),
    }),
    /** dataengineering-db. */
    servingDb: z
      .strictObject({
        /** RDS instance class. @default db.t4g.medium */
        instanceClass: text(/^db\.[a-z0-9]+\.[a-z0-9]+$/, 'an RDS instance class such as db.t4g.medium'),
        /** Storage at first, in GiB. @default 20 */
        storageGiB: whole(20, 65_536, 'GiB'),
        /** Up to where storage grows by itself, in GiB. @default 100 */
        maxStorageGiB: whole(20, 65_536, 'GiB'),
        /** For how many days it can be restored to any moment. @default 7 */
        backupDays: whole(...BOUNDS.backupDays, 'days'),
        /** Whether a second instance in another zone takes over when the first fails. @default true */
        multiAz: z.boolean('true or false'),
        /** Time between two samples of the operating system's metrics, in seconds; 0 takes none. @default 60 */
        monitoringSeconds: z.literal(MONITORING_SECONDS, `one of ${MONITORING_SECONDS.join(', ')} seconds`),
        /** CloudWatch Database Insights: `standard` keeps 7 days, `advanced` 15 months at a price. @default standard */
        insights: z.enum(['standard', 'advanced'], 'standard or advanced'),
        /** Address ranges from which the application connects. @default none: nobody but the jobs */
        clientCidrs: z.array(which((range) => isRangeBetween(range, 8, 32), 'an address range of /8 to /32')),
      })
      .superRefine(refine((database) => [storageRule(database)])),
    lake: z.strictObject({
      /** For how many days a table can be read as it was. @default 7 */
      snapshotDays: whole(...BOUNDS.snapshotDays, 'days'),
      /** For how many days a replaced or deleted object of any bucket but the results' can be restored. @default 30 */
      versionDays: whole(1, 3650, 'days'),
      /** After how many days files of the change log move to storage for infrequent access. @default 30 */
      rawInfrequentDays: whole(30, 3650, 'days'),
      /** After how many days files in the landing zone are deleted; they were ingested long before. @default 90 */
      landingDays: whole(1, 3650, 'days'),
      /** After how many days logs of who read what in the buckets, and of the network's flows, are deleted. @default 90 */
      accessLogDays: whole(1, 3650, 'days'),
    }),
    logs: z.strictObject({
      /** For how many days logs are kept; what CloudWatch Logs offers. @default 90 */
      retentionDays: z.literal(LOG_RETENTION_DAYS, `one of ${LOG_RETENTION_DAYS.join(', ')} days`),
    }),
    analytics: z.strictObject({
      /** What one query of an analyst may scan, in bytes; Athena's smallest is 10 MB. @default 10 GB */
      maxScannedBytes: whole(10_000_000, 7_000_000_000_000, 'bytes'),
      /** After how many days query results are deleted. @default 30 */
      resultDays: whole(1, 3650, 'days'),
    }),
    /** Redshift Serverless: what Spectrum reads the lake with. */
    warehouse: z
      .strictObject({
        /** Capacity while it works, in Redshift processing units: 4, or a multiple of 8 up to 512. @default 8 */
        baseCapacityRpu: z.int('a whole number of RPU'),
        /** Up to where capacity grows by itself, in RPU: a multiple of 8. @default 32 */
        maxCapacityRpu: z.int('a whole number of RPU'),
        /** RPU-hours a day after which it answers no more until the next. @default 16 */
        dailyRpuHours: z.int('a whole number of RPU hours'),
      })
      .superRefine(refine(capacityRules)),
    alarms: z.strictObject({
      /**
       * Who is called when the promise is broken: e-mail addresses and https:// URLs. Where `deletionProtection` is on,
       * there must be somebody. @default nobody
       */
      page: z.array(endpoint),
      /** Who is told what can wait until the morning. @default nobody */
      ticket: z.array(endpoint),
      /** Log that a source keeps for the platform, in GiB: from when on somebody is told, and called. @default 10, 50 */
      slotLagGiB: z.strictObject({ ticket: whole(1, 10_000, 'GiB'), page: whole(1, 10_000, 'GiB') }),
      /** Storage of dataengineering-db that must stay free, in GiB; it grows by itself at a tenth. @default 1 */
      freeStorageGiB: whole(1, 10_000, 'GiB'),
      /** CPU of dataengineering-db that is too much for a quarter of an hour, in percent. @default 80 */
      cpuPercent: whole(...BOUNDS.cpuPercent, 'percent'),
    }),
    budget: z.strictObject({
      /** What the account may cost a month, in US dollars. @default 500 */
      monthlyUsd: whole(1, 10_000_000, 'US dollars'),
    }),
  })
  .superRefine(refine(({ latency }) => promiseRules(latency), 'latency'))
  .superRefine(refine(({ alarms }) => [slotLagRule(alarms.slotLagGiB)], 'alarms'))
  .superRefine(refine(timeRules))
  .superRefine(refine(pageRules));

interface Times {
  readonly latency: FreshnessPromise &
    Readonly<Record<'startMinutes' | 'ingestMinutes' | 'publishMinutes' | 'retryMinutes', number>>;
  readonly schedules: { readonly pipeline: { readonly everyMinutes: number } };
}

/** A run that keeps its budgets warns nobody, and one failed attempt does not break the promise. */
function timeRules({ latency, schedules }: Times): Rule[] {
  const { promiseMinutes, lakeWarnMinutes, servingWarnMinutes, ...budgets } = latency;
  const lake = [schedules.pipeline.everyMinutes, budgets.startMinutes, budgets.ingestMinutes];
  const serving = [...lake, budgets.publishMinutes];
  const rule = (name: string, value: number, parts: readonly number[]): Rule => {
    const sum = parts.reduce((total, minutes) => total + minutes, 0);
    const expected = `at least ${parts.join(' + ')} = ${sum} minutes (schedules.pipeline.everyMinutes and latency's budgets)`;
    return { name: `latency.${name}`, value, holds: value >= sum, expected };
  };
  return [
    rule('promiseMinutes', promiseMinutes, [...serving, budgets.retryMinutes]),
    rule('lakeWarnMinutes', lakeWarnMinutes, lake),
    rule('servingWarnMinutes', servingWarnMinutes, serving),
  ];
}

function pageRules(values: {
  readonly deletionProtection: boolean;
  readonly alarms: { readonly page: readonly string[] };
}): Rule[] {
  const { deletionProtection, alarms } = values;
  const expected =
    'at least one e-mail address or https:// URL: where deletionProtection is true, somebody is called when the promise is broken';
  return [{ name: 'alarms.page', value: alarms.page, holds: !deletionProtection || alarms.page.length > 0, expected }];
}

export type Environment = Readonly<z.output<typeof schema>>;

/** What an environment says: its own identity, and where it deviates from the defaults. */
export type EnvironmentDeltas = Identity & Deltas<Omit<Environment, keyof Identity>>;

type Identity = Pick<Environment, 'name' | 'account'>;

type Deltas<T> = { readonly [K in keyof T]?: T[K] extends Record<string, unknown> ? Deltas<T[K]> : T[K] };

/**
 * Lays the deltas over the defaults and validates the whole.
 * @throws InvalidValueError naming each value that is wrong
 */
export function defineEnvironment(deltas: EnvironmentDeltas): Environment {
  return parse(schema, overlay(defaults, deltas), `environment ${deltas.name}`, `set it in envs/${deltas.name}.ts`);
}

/** `deltas` over `base`, value by value; objects are merged, everything else is replaced. */
function overlay(base: unknown, deltas: unknown): unknown {
  if (!isObject(base) || !isObject(deltas)) return deltas;
  const merged = Object.entries(deltas).map(([key, delta]) => [key, overlay(base[key], delta)]);
  return { ...base, ...Object.fromEntries(merged) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
