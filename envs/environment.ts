/** What an environment is: values only. Modules receive them and never ask which environment they are in. */
import { z } from 'zod';
import { isRegular } from '../modules/schedule';
import { parse } from '../modules/validation';
import { defaults } from './defaults';

const text = (pattern: RegExp, expected: string) => z.string(expected).regex(pattern, expected);

const whole = (from: number, to: number, unit: string) => {
  const expected = `a whole number of ${unit} from ${from.toLocaleString('en')} to ${to.toLocaleString('en')}`;
  return z.int(expected).min(from, expected).max(to, expected);
};

const schedule = z
  .strictObject({
    /** Time between two starts, in minutes: a divisor of 60, or whole hours that divide a day. Glue's shortest is 5. */
    everyMinutes: whole(5, 1440, 'minutes'),
    /** First start past the hour, or past midnight UTC when starts are hours apart; in minutes. */
    offsetMinutes: whole(0, 1439, 'minutes'),
  })
  .refine(isRegular, 'a period that divides the hour, or whole hours that divide the day, and an offset below it');

const schema = z
  .strictObject({
    /** Stands in global names, paths and the stack's name. No default. */
    name: text(/^[a-z][a-z0-9]{1,11}$/, '2 to 12 lower-case letters and digits, a letter first'),
    /** AWS account, 12 digits; Terraform refuses any other. No default: each environment has its own. */
    account: text(/^\d{12}$/, 'the 12 digits of an AWS account, as text'),
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
    /** Tags of every resource beside those that the platform sets (`platform`, `environment`). @default owner */
    tags: z.record(z.string(), text(/^.{1,256}$/, 'a text of 1 to 256 characters')),
    /**
     * Whether what holds data resists deletion: the database refuses it and leaves a final snapshot, secrets can be
     * restored for 30 days, buckets must be emptied first. @default true
     */
    deletionProtection: z.boolean('true or false'),
    /** The promise of freshness and how it is spent; each in minutes. A stage that exceeds its budget is late. */
    latency: z.strictObject({
      /** What is promised: a change in the source is in the lake and in dataengineering-db within. @default 60 */
      promiseMinutes: whole(10, 1440, 'minutes'),
      /** Until Glue has started a run's jobs. @default 2 */
      startMinutes: whole(1, 60, 'minutes'),
      /** A run of `ingest`. @default 8 */
      ingestMinutes: whole(1, 480, 'minutes'),
      /** A run of `publish`. @default 8 */
      publishMinutes: whole(1, 480, 'minutes'),
      /** One failed attempt, repeated. @default 10 */
      retryMinutes: whole(1, 480, 'minutes'),
    }),
    schedules: z.strictObject({
      /** Crawls over the sources; each costs at least 10 minutes of 2 DPU. @default every 30 minutes from :00 */
      crawl: schedule,
      /** Runs of the workflow `pipeline`. @default every 30 minutes from :10 */
      pipeline: schedule,
    }),
    sparkJobs: z.strictObject({
      /** @default G.1X: 4 vCPU, 16 GB */
      workerType: z.enum(['G.1X', 'G.2X', 'G.4X', 'G.8X'], 'one of G.1X, G.2X, G.4X, G.8X'),
      /** Workers of a run, the driver included. @default 2 */
      workers: whole(2, 299, 'workers'),
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
        backupDays: whole(1, 35, 'days'),
      })
      .superRefine(({ storageGiB, maxStorageGiB }, issues) => {
        if (maxStorageGiB > storageGiB) return;
        const message = `more than storageGiB, ${storageGiB} GiB, so that storage can grow`;
        issues.addIssue({ code: 'custom', path: ['maxStorageGiB'], input: maxStorageGiB, message });
      }),
    lake: z.strictObject({
      /** For how many days a replaced or deleted object of the lake can be restored. @default 30 */
      versionDays: whole(1, 3650, 'days'),
    }),
    analytics: z.strictObject({
      /** What one query of an analyst may scan, in bytes; Athena's smallest is 10 MB. @default 10 GB */
      maxScannedBytes: whole(10_000_000, 7_000_000_000_000, 'bytes'),
      /** After how many days query results are deleted. @default 30 */
      resultDays: whole(1, 3650, 'days'),
    }),
  })
  .superRefine(({ latency, schedules }, issues) => {
    const { promiseMinutes, startMinutes, ingestMinutes, publishMinutes, retryMinutes } = latency;
    const parts = [schedules.pipeline.everyMinutes, startMinutes, ingestMinutes, publishMinutes, retryMinutes];
    const sum = parts.reduce((total, minutes) => total + minutes, 0);
    if (sum <= promiseMinutes) return;
    issues.addIssue({
      code: 'custom',
      path: ['latency', 'promiseMinutes'],
      input: promiseMinutes,
      message: `at least ${parts.join(' + ')} = ${sum} minutes (schedules.pipeline.everyMinutes and latency's budgets)`,
    });
  });

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
