/** How every wrong value is refused: by an error that names the value, says what was expected and what to do. */
import type { z } from 'zod';

export class InvalidValueError extends Error {}

/** What is said of a value that is refused. */
export interface Complaint {
  /** The value's name, for example "workers of job ingest". */
  readonly name: string;
  readonly value: unknown;
  /** Continues the sentence "expected …". */
  readonly expected: string;
  /** What to do, for example "set it in envs/dev.ts". */
  readonly remedy: string;
}

/** @throws InvalidValueError unless `valid` */
export function check(valid: boolean, complaint: Complaint): asserts valid {
  if (!valid) throw new InvalidValueError(explain(complaint));
}

/** What must hold of one of a thing's values. */
export interface Rule {
  /** Where the value is in the thing, for example "existing.vpcId". */
  readonly name: string;
  readonly value: unknown;
  readonly holds: boolean;
  /** Continues the sentence "expected …". */
  readonly expected: string;
}

/**
 * Checks the values of a thing.
 * @param subject the thing, for example "network trackman"
 * @throws InvalidValueError with a line for each rule that does not hold
 */
export function checkRules(subject: string, rules: readonly Rule[], remedy: string): void {
  const broken = rules.filter(({ holds }) => !holds);
  if (broken.length === 0) return;
  const complaints = broken.map(({ name, ...rule }) => explain({ ...rule, name: `${name} of ${subject}`, remedy }));
  throw new InvalidValueError(complaints.join('\n'));
}

/**
 * Validates `input`. The schema's messages continue the sentence "expected …".
 * @param subject what the input describes, for example "environment dev"
 * @throws InvalidValueError with a line for everything that is wrong
 */
export function parse<T extends z.ZodType>(schema: T, input: unknown, subject: string, remedy: string): z.output<T> {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  const complaints = result.error.issues.flatMap((issue) => complaintsOf(issue, subject, remedy));
  throw new InvalidValueError(complaints.map(explain).join('\n'));
}

function complaintsOf(issue: z.core.$ZodIssue, subject: string, remedy: string): Complaint[] {
  const named = (path: readonly PropertyKey[]): string =>
    [path.map(String).join('.'), subject].filter(Boolean).join(' of ');
  if (issue.code === 'unrecognized_keys') {
    const values = issue.input ?? {};
    const expected = 'no value of this name';
    return issue.keys.map((key) => ({ name: named([...issue.path, key]), value: values[key], expected, remedy }));
  }
  // Of a union, zod shows the whole object in the place of the value that tells which of them it is.
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined) {
    const value = (issue.input as Record<string, unknown>)[issue.discriminator];
    return [{ name: named(issue.path), value, expected: issue.message, remedy }];
  }
  // Of a record's key, zod tells what is wrong one level deeper.
  const expected = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ name: named(issue.path), value: issue.input, expected, remedy }];
}

function explain({ name, value, expected, remedy }: Complaint): string {
  const shown = value === undefined ? 'missing' : JSON.stringify(value);
  return `${name} is ${shown}: expected ${expected}; ${remedy}`;
}
