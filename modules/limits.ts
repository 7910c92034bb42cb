/**
 * What AWS takes, and would refuse only at apply: said once, for environments, which are refused when they are loaded,
 * and for modules, whoever uses them.
 */
import { isRange, prefixLength } from './ranges';
import type { Rule } from './validation';

/** Retentions that CloudWatch Logs offers, in days. */
export const LOG_RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

/** Times between two samples of a database host's metrics that RDS offers, in seconds; 0 takes none. */
export const MONITORING_SECONDS = [0, 1, 5, 10, 15, 30, 60] as const;

/** Whole numbers that are taken, both ends included. */
export const BOUNDS = {
  /** Of a Spark job, the driver included. */
  workers: [2, 299],
  backupDays: [1, 35],
  snapshotDays: [1, 3650],
  /** More than 100 % is never used. */
  cpuPercent: [1, 99],
} as const;

/** A job is ended when its run takes this many times its budget. */
export const STOP_AT_BUDGETS = 3;

/** The longest budget of a job, in minutes: it is then ended after 480, where Glue ends jobs of which nobody said when. */
export const LONGEST_BUDGET_MINUTES = 480 / STOP_AT_BUDGETS;

/** Glue's shortest schedule, in minutes. */
export const SHORTEST_PERIOD_MINUTES = 5;

export function isWhole(value: number, from: number, to: number): boolean {
  return Number.isInteger(value) && value >= from && value <= to;
}

export function areDifferent(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** Whether it is one of the retentions that CloudWatch Logs offers. */
export function retentionRule(retentionDays: number): Rule {
  return {
    name: 'retentionDays',
    value: retentionDays,
    holds: LOG_RETENTION_DAYS.some((days) => days === retentionDays),
    expected: `one of ${LOG_RETENTION_DAYS.join(', ')} days`,
  };
}

export function isAccount(text: string): boolean {
  return /^\d{12}$/.test(text);
}

/** An id such as vpc-0a1b2c3d, or a reference that Terraform resolves at apply. */
export function isId(kind: string, text: string): boolean {
  return new RegExp(`^${kind}-[0-9a-f]+$`).test(text) || isReference(text);
}

/** What Terraform knows at apply only. */
export function isReference(text: string): boolean {
  return text.includes('${');
}

export function isPort(port: number): boolean {
  return isWhole(port, 1, 65_535);
}

/** An address range whose prefix has from `largest` to `smallest` bits. */
export function isRangeBetween(text: string, largest: number, smallest: number): boolean {
  return isRange(text) && prefixLength(text) >= largest && prefixLength(text) <= smallest;
}

/** An SSM parameter's full name: an ARN takes it without a slash of its own. */
export function parameterRule(name: string, value: string): Rule {
  return {
    name,
    value,
    holds: /^(\/[\w.-]+){1,15}$/.test(value) && !/^\/(aws|ssm)/i.test(value),
    expected: 'the full name of an SSM parameter, such as /trackman/dev/backend/url',
  };
}

export function secretRule(name: string, value: string): Rule {
  return {
    name,
    value,
    holds: /^[\w/+=.@-]{1,512}$/.test(value),
    expected: 'at most 512 letters, digits and /_+=.@-',
  };
}

/** A name that Glue, IAM, CloudWatch and EventBridge take alike, of at most `longest` characters. */
export function nameRule(name: string, value: string, longest: number): Rule {
  return {
    name,
    value,
    holds: (/^[\w.-]+$/.test(value) && value.length <= longest) || isReference(value),
    expected: `at most ${longest} letters, digits, dots, hyphens and underscores`,
  };
}

/** A folder of a bucket. Without its slash it is the beginning of others, too. */
export function isFolder(text: string): boolean {
  return /^[\w/-]+\/$/.test(text);
}

/** How SNS tells a subscriber; undefined: not at all, as it is no address of either kind. */
export function protocolOf(endpoint: string): 'https' | 'email' | undefined {
  if (endpoint.startsWith('https://')) return URL.canParse(endpoint) ? 'https' : undefined;
  return /^[^@\s/]+@[^@\s/]+\.[^@\s/.]+$/.test(endpoint) ? 'email' : undefined;
}

/** Capacity of Redshift Serverless, in RPU, and what a day may cost, in RPU hours. */
export function capacityRules(values: {
  readonly baseCapacityRpu: number;
  readonly maxCapacityRpu: number;
  readonly dailyRpuHours: number;
}): Rule[] {
  const { baseCapacityRpu, maxCapacityRpu, dailyRpuHours } = values;
  return [
    {
      name: 'baseCapacityRpu',
      value: baseCapacityRpu,
      holds: baseCapacityRpu === 4 || (baseCapacityRpu % 8 === 0 && isWhole(baseCapacityRpu, 8, 512)),
      expected: '4, or a multiple of 8 from 8 to 512 RPU',
    },
    {
      name: 'maxCapacityRpu',
      value: maxCapacityRpu,
      holds: maxCapacityRpu % 8 === 0 && isWhole(maxCapacityRpu, Math.max(8, baseCapacityRpu), 512),
      expected: `a multiple of 8 from baseCapacityRpu, ${baseCapacityRpu}, to 512 RPU`,
    },
    {
      name: 'dailyRpuHours',
      value: dailyRpuHours,
      holds: isWhole(dailyRpuHours, 1, 100_000),
      expected: 'a whole number of RPU hours from 1 to 100,000',
    },
  ];
}

/** Storage of a database that grows by itself, in GiB. */
export function storageRule(values: { readonly storageGiB: number; readonly maxStorageGiB: number }): Rule {
  return {
    name: 'maxStorageGiB',
    value: values.maxStorageGiB,
    holds: values.maxStorageGiB > values.storageGiB,
    expected: `more than storageGiB, ${values.storageGiB} GiB, so that storage can grow`,
  };
}
