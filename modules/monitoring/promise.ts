/** The promise of freshness, and from when on what is watched is worth telling. */
import type { Rule } from '../validation';

/** In minutes behind the sources. */
export interface FreshnessPromise {
  /** What is promised of the lake and of dataengineering-db. */
  readonly promiseMinutes: number;
  /** From when on each is late enough for a ticket. */
  readonly lakeWarnMinutes: number;
  readonly servingWarnMinutes: number;
}

/** A ticket comes before the promise is broken. */
export function promiseRules(promise: FreshnessPromise): Rule[] {
  return (['lakeWarnMinutes', 'servingWarnMinutes'] as const).map((name) => ({
    name,
    value: promise[name],
    holds: promise[name] > 0 && promise[name] < promise.promiseMinutes,
    expected: `less than the promised ${promise.promiseMinutes} minutes`,
  }));
}

/** Log that a source keeps for the platform, in GiB. */
export function slotLagRule(limits: { readonly ticket: number; readonly page: number }): Rule {
  return {
    name: 'slotLagGiB',
    value: limits,
    holds: limits.ticket > 0 && limits.ticket < limits.page,
    expected: 'a ticket at more than 0 GiB, and a page at more than that',
  };
}
