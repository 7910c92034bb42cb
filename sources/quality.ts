/** Rules on the quality of data: what a table's rows are judged by as they come, and what becomes of those against one. */
import { z } from 'zod';
import type { Rule as Check } from '../modules/validation';
import { sqlName, tableName } from './values';

/**
 * warn: the row is counted, in the run's report and in CloudWatch.
 * quarantine: its value is not in the lake. See the contracts for what is there instead.
 * fail: its table stops, alone, until the source or the rule is another.
 */
const action = z.enum(['warn', 'quarantine', 'fail'], 'warn, quarantine or fail');
const NUMBER_OR_TIME = 'a number, or a time in UTC such as 2026-01-31 or 2026-01-31T12:00:00';
const bound = z.union(
  [
    z.number().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER),
    z
      .string()
      .regex(/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?)?$/)
      .refine((time) => !Number.isNaN(Date.parse(time)), NUMBER_OR_TIME),
  ],
  NUMBER_OR_TIME,
);
const rows = z.int('a whole number of rows').min(0, 'a whole number of rows');
const SHARE = 'a share of more than 0, such as 0.2';
const share = z.number(SHARE).gt(0, SHARE);

/** A value is there. */
const notNull = z.strictObject({ rule: z.literal('notNull'), column: sqlName, action });

/** A value lies between the bounds, both included. */
const range = z.strictObject({
  rule: z.literal('range'),
  column: sqlName,
  min: bound.optional(),
  max: bound.optional(),
  action,
});

/** A value is one of these. */
const allowed = z.strictObject({
  rule: z.literal('allowed'),
  column: sqlName,
  values: z.array(z.union([z.string(), z.number(), z.boolean()], 'texts, numbers or booleans')).min(1, 'at least one'),
  action,
});

/** A value is among those of a column of another table of the same source. */
const reference = z.strictObject({
  rule: z.literal('reference'),
  column: sqlName,
  /** The other table: public.bays. */
  table: tableName,
  /** Its column: id. */
  to: sqlName,
  action,
});

const WARN_OR_FAIL = 'warn or fail: there is no value to set aside';

/** How many rows the table has after a run, and by which share of them the run may make it smaller or larger. */
const rowCount = z.strictObject({
  rule: z.literal('rowCount'),
  min: rows.optional(),
  max: rows.optional(),
  maxLoss: share.max(1, 'a share of at most 1').optional(),
  maxGrowth: share.optional(),
  action: z.enum(['warn', 'fail'], WARN_OR_FAIL),
});

/** How many rows a file has. */
const fileRowCount = z.strictObject({
  rule: z.literal('rowCount'),
  min: rows.optional(),
  max: rows.optional(),
  action,
});

/** Rules of a table of a database. */
export const tableQuality = z
  .array(
    z.discriminatedUnion(
      'rule',
      [notNull, range, allowed, reference, rowCount],
      'notNull, range, allowed, reference or rowCount',
    ),
  )
  .min(1, 'at least one rule');
/**
 * Rules of a feed. It has no references: the tables of other sources stand at other moments, so that what they lack may
 * only be late.
 */
export const feedQuality = z
  .array(z.discriminatedUnion('rule', [notNull, range, allowed, fileRowCount], 'notNull, range, allowed or rowCount'))
  .min(1, 'at least one rule');

export type TableRules = z.output<typeof tableQuality>;
export type FeedRules = z.output<typeof feedQuality>;
type Rules = TableRules | FeedRules;
type Rule = Rules[number];
type Pii = 'keep' | 'hash' | 'drop' | undefined;

/** A rule's name in reports, errors and the quarantine. */
const nameOf = (rule: Rule): string => ('column' in rule ? `${rule.rule}(${rule.column})` : rule.rule);

/**
 * What has to hold of a table's rules by themselves.
 * @param where where they are in the contract: "tables.public.shots.quality"
 * @param piiOf what becomes of a column's personal data
 */
export function rulesOnQuality(where: string, rules: Rules, piiOf: (column: string) => Pii): Check[] {
  const names = rules.map(nameOf);
  return rules.flatMap((rule, index) => {
    const at = `${where}.${index}`;
    const once = {
      name: at,
      value: nameOf(rule),
      holds: names.indexOf(nameOf(rule)) === index,
      expected: 'one rule of a kind for a column',
    };
    const ofColumn = 'column' in rule ? onColumn(at, rule, piiOf(rule.column)) : [];
    return [once, ...ofColumn, ...onBounds(at, rule), ...onValues(at, rule)];
  });
}

function onColumn(at: string, rule: Extract<Rule, { column: string }>, pii: Pii): Check[] {
  const name = `${at}.column`;
  const value = rule.column;
  return [
    { name, value, holds: pii !== 'drop', expected: 'a column that is kept' },
    {
      name,
      value,
      holds: pii !== 'hash' || rule.rule === 'notNull' || rule.rule === 'reference',
      expected: `a column that is not hashed: ${rule.rule} is of the value itself, of which only the hash is there`,
    },
  ];
}

function onBounds(at: string, rule: Rule): Check[] {
  if (rule.rule !== 'range' && rule.rule !== 'rowCount') return [];
  const { min, max } = rule;
  const isBounded = Object.keys(rule).some((key) => ['min', 'max', 'maxLoss', 'maxGrowth'].includes(key));
  const bounds = rule.rule === 'range' ? 'min, max or both' : 'at least one limit';
  const both = min !== undefined && max !== undefined;
  return [
    { name: at, value: rule, holds: isBounded, expected: bounds },
    { name: `${at}.max`, value: max, holds: !both || typeof min === typeof max, expected: 'of the kind that min is' },
    {
      name: `${at}.max`,
      value: max,
      holds: !both || typeof min !== typeof max || min <= max,
      expected: `at least min, which is ${JSON.stringify(min)}`,
    },
  ];
}

function onValues(at: string, rule: Rule): Check[] {
  if (rule.rule !== 'allowed') return [];
  const kinds = new Set(rule.values.map((value) => typeof value));
  return [{ name: `${at}.values`, value: rule.values, holds: kinds.size === 1, expected: 'values of one kind' }];
}

/** What a table's references have to be of, among the other tables of the contract. */
export interface Followed {
  /** Whether the contract follows a table. */
  readonly isFollowed: (table: string) => boolean;
  readonly piiOf: (table: string, column: string) => Pii;
  readonly hasHistory: boolean;
  /** Tables that a table refers to, by rules. */
  readonly refersTo: (table: string) => readonly string[];
}

/**
 * What has to hold of a table's references.
 * @param where where its rules are in the contract
 */
export function rulesOnReferences(where: string, table: string, rules: TableRules, others: Followed): Check[] {
  return rules.flatMap((rule, index) => {
    if (rule.rule !== 'reference') return [];
    const at = `${where}.${index}`;
    const isHashed = (of: string, column: string): boolean => others.piiOf(of, column) === 'hash';
    return [
      {
        name: `${at}.table`,
        value: rule.table,
        holds: rule.table !== table && others.isFollowed(rule.table),
        expected: 'another table that the contract follows',
      },
      {
        name: `${at}.table`,
        value: rule.table,
        holds: rule.table === table || !reaches(others.refersTo, rule.table, table),
        expected: `a table that does not refer to ${table} in turn: one of the two has to be there first`,
      },
      {
        name: `${at}.to`,
        value: rule.to,
        holds: others.piiOf(rule.table, rule.to) !== 'drop',
        expected: `a column that is kept of ${rule.table}`,
      },
      {
        name: `${at}.to`,
        value: rule.to,
        holds: isHashed(rule.table, rule.to) === isHashed(table, rule.column),
        expected: `a column that is hashed like ${rule.column}, or like it is not`,
      },
      {
        name: `${at}.action`,
        value: rule.action,
        holds: rule.action !== 'quarantine' || !others.hasHistory,
        expected: 'warn or fail on a table with history: its past states are not asked what they referred to',
      },
    ];
  });
}

function reaches(refersTo: (table: string) => readonly string[], from: string, to: string): boolean {
  const seen = new Set<string>();
  const pending = [from];
  for (let table = pending.pop(); table !== undefined; table = pending.pop()) {
    if (table === to) return true;
    if (!seen.has(table)) pending.push(...refersTo(table));
    seen.add(table);
  }
  return false;
}
