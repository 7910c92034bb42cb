/** IAM policies: of roles, of what roles use, and of who may become a role. */
import { check } from './validation';

/** Condition operator → condition key → values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** A statement of a policy, as IAM reads it. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  /** In a resource's policy: who it is about. */
  readonly Principal?: '*' | Readonly<Record<string, string | readonly string[]>>;
  readonly Action?: string | readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: readonly string[];
  readonly Condition?: Conditions;
}

/** Allows actions on what the ARNs name. */
export function allow(actions: readonly string[], resources: readonly string[], conditions?: Conditions): Statement {
  return { Effect: 'Allow', Action: actions, Resource: resources, ...(conditions && { Condition: conditions }) };
}

/** Allows actions for which the service knows no resources; conditions must narrow them instead. */
export function allowUnscoped(actions: readonly string[], conditions: Conditions): Statement {
  return allow(actions, ['*'], conditions);
}

/** In a resource's policy: refuses whoever does not come by TLS. */
export function tlsOnly(action: string, resource: string | readonly string[]): Statement {
  return {
    Effect: 'Deny',
    Principal: '*',
    Action: action,
    Resource: resource,
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
}

/** The policy as JSON. */
export function policyDocument(statements: readonly Statement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** IAM's limits, in characters. */
export const LIMITS = { managed: 6_144, inline: 10_240 } as const;

/** The same of a policy that may grow long; IAM would refuse one that is too long only when it is applied. */
export function limitedPolicy(name: string, statements: readonly Statement[], kind: keyof typeof LIMITS): string {
  const text = policyDocument(statements);
  check(text.length <= LIMITS[kind], {
    name: `length of policy ${name}`,
    value: text.length,
    expected: `at most ${LIMITS[kind]} characters, which is IAM's limit`,
    remedy: 'divide it',
  });
  return text;
}
