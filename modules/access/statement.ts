/** IAM policies of the pipelines' roles. */
import type { Conditions } from '../grantee';
import { check } from '../validation';

/** A statement of a policy, as IAM reads it. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource?: readonly string[];
  readonly NotResource?: readonly string[];
  readonly Condition?: Conditions;
}

/** Allows actions on what the ARNs name. */
export function allow(actions: readonly string[], resources: readonly string[], Condition?: Conditions): Statement {
  return { Effect: 'Allow', Action: actions, Resource: resources, ...(Condition && { Condition }) };
}

/** Allows actions for which the service knows no resources. */
export function allowUnscoped(actions: readonly string[], Condition?: Conditions): Statement {
  return allow(actions, ['*'], Condition);
}

/** IAM's limits, in characters. */
export const LIMITS = { managed: 6_144, inline: 10_240 } as const;

/** The policy as JSON; IAM would refuse one that is too long only when it is applied. */
export function policyText(name: string, statements: readonly Statement[], kind: keyof typeof LIMITS): string {
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  check(text.length <= LIMITS[kind], {
    name: `length of policy ${name}`,
    value: text.length,
    expected: `at most ${LIMITS[kind]} characters, which is IAM's limit`,
    remedy: 'divide the area in modules/access/areas.ts',
  });
  return text;
}
