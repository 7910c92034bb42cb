/**
 * What roles may do, by a synthesized stack, against what they did, by the emulator's request log: what was granted and
 * never used, or used and not granted, is a finding.
 */
import { readFileSync } from 'node:fs';

/** One action that a role may do on one pattern of resources. */
export interface Grant {
  /** The role's name. */
  readonly role: string;
  /** For example "s3:GetObject"; "policy" for a managed policy of AWS's own, which `resource` then names. */
  readonly action: string;
  /** ARN in which `*` stands for any text and `?` for one character. */
  readonly resource: string;
  /** Condition operator → condition key → values; absent when it always holds. */
  readonly conditions?: object;
}

/** One decision that the emulator took for a role. */
export interface Use {
  /** The role's name. */
  readonly role: string;
  readonly action: string;
  readonly resource: string;
  readonly allowed: boolean;
  /** Who made the call in the role's name ("s3.amazonaws.com" uses a key), null for the role's own calls. */
  readonly via: string | null;
}

export interface Findings {
  readonly unused: readonly Grant[];
  readonly refused: readonly Use[];
}

/** A grant that no run can prove to be needed. A `*` in the fields stands for any text. */
export interface Exception extends Pick<Grant, 'role' | 'action' | 'resource'> {
  readonly reason: string;
}

// --- Reading

interface RequestRecord {
  /** ARN of the role that acted, null for everybody else. */
  readonly role: string | null;
  readonly via: string | null;
  readonly permissions: readonly Pick<Use, 'action' | 'resource' | 'allowed'>[] | null;
}

/**
 * The distinct decisions on calls of an account's roles.
 * @param file the emulator's requests.jsonl
 */
export function readUses(file: string, account: string): Use[] {
  const uses = new Map<string, Use>();
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { role, via, permissions } = JSON.parse(line) as RequestRecord;
    if (role?.split(':')[4] !== account) continue;
    for (const { action, resource, allowed } of permissions ?? []) {
      const use = { role: nameOf(role), action, resource, allowed, via };
      uses.set(JSON.stringify(use), use);
    }
  }
  return [...uses.values()];
}

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: object;
}

type Resources = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>> | undefined>>;

/**
 * What the policies of a stack's roles allow, inline and managed ones.
 * @param file the stack's cdk.tf.json
 */
export function readGrants(file: string): Grant[] {
  const { resource: resources } = JSON.parse(readFileSync(file, 'utf8')) as { resource: Resources };
  const find = (type: string, reference: string): Readonly<Record<string, string>> | undefined =>
    resources[type]?.[new RegExp(`^\\$\\{${type}\\.([\\w-]+)\\.\\w+\\}$`).exec(reference)?.[1] ?? ''];
  const roleName = (reference: string): string => find('aws_iam_role', reference)?.['name'] ?? reference;

  const inline = Object.values(resources['aws_iam_role_policy'] ?? {}).flatMap(({ role, policy }) =>
    grantsOf(roleName(role!), policy!, resources),
  );
  const attached = Object.values(resources['aws_iam_role_policy_attachment'] ?? {}).flatMap((attachment) => {
    const role = roleName(attachment['role']!);
    const arn = attachment['policy_arn']!;
    const own = find('aws_iam_policy', arn);
    return own ? grantsOf(role, own['policy']!, resources) : [{ role, action: 'policy', resource: arn }];
  });
  return distinct([...inline, ...attached]);
}

/** What each role of a stack is for, by its name. */
export function readDescriptions(file: string): Map<string, string> {
  const { resource: resources } = JSON.parse(readFileSync(file, 'utf8')) as { resource: Resources };
  const roles = Object.values(resources['aws_iam_role'] ?? {});
  return new Map(roles.map(({ name, description }) => [name!, description!]));
}

function distinct(grants: readonly Grant[]): Grant[] {
  return [...new Map(grants.map((grant) => [JSON.stringify(grant), grant])).values()];
}

function grantsOf(role: string, policy: string, resources: Resources): Grant[] {
  const { Statement: statements } = JSON.parse(policy) as { Statement: readonly Statement[] };
  return statements
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Action, Resource, Condition: conditions }) =>
      [Action].flat().flatMap((action) =>
        [Resource]
          .flat()
          .map((arn) => resolve(arn, resources))
          .filter((resource) => concerns(action, resource))
          .map((resource) => ({ role, action, resource, ...(conditions && { conditions }) })),
      ),
    );
}

/** What stands for a value that is known only once its resource exists; `{name}` is that property of the resource. */
const KNOWN_AFTER_APPLY: Readonly<Record<string, string>> = {
  'aws_db_instance.master_user_secret[0].secret_arn': 'arn:aws:secretsmanager:*:*:secret:rds!db-*',
  'aws_glue_job.arn': 'arn:aws:glue:*:*:job/{name}',
  'aws_glue_workflow.arn': 'arn:aws:glue:*:*:workflow/{name}',
  'aws_kms_key.arn': 'arn:aws:kms:*:*:key/*',
  'aws_redshiftserverless_namespace.admin_password_secret_arn': 'arn:aws:secretsmanager:*:*:secret:redshift!*',
  'aws_redshiftserverless_workgroup.arn': 'arn:aws:redshift-serverless:*:*:workgroup/*',
  'aws_security_group.id': 'sg-*',
  'aws_sns_topic.arn': 'arn:aws:sns:*:*:{name}',
  'aws_subnet.id': 'subnet-*',
};

/** An ARN of a policy without references to other resources. */
function resolve(arn: string, resources: Resources): string {
  return arn.replace(/\$\{(\w+)\.([\w-]+)\.([^}]+)\}/g, (reference, type: string, id: string, attribute: string) => {
    const known = KNOWN_AFTER_APPLY[`${type}.${attribute}`];
    if (known === undefined) {
      throw new Error(`a policy names ${reference}: add to KNOWN_AFTER_APPLY what stands for ${type}.${attribute}`);
    }
    return known.replace('{name}', () => resources[type]![id]!['name']!);
  });
}

/** Actions on databases ask nothing of tables, though one statement may name both. */
function concerns(action: string, resource: string): boolean {
  return !(/^glue:\w+Databases?$/.test(action) && /:(table|userDefinedFunction)\//.test(resource));
}

function nameOf(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}

// --- Comparing

/**
 * The same, coarser: each action that a role is granted, on whatever; each resource that it is granted, for whatever.
 * For roles whose statements name many actions on many resources: what no action is for permits nothing.
 */
export function byActionAndByResource(grants: readonly Grant[]): Grant[] {
  const byAction = grants.map(({ role, action }) => ({ role, action, resource: '*' }));
  const byResource = grants.map(({ role, resource }) => ({ role, action: '*', resource }));
  return distinct([...byAction, ...byResource.filter(({ resource }) => resource !== '*')]);
}

/** Grants that no allowed call needed, and calls that were refused. */
export function findings(grants: readonly Grant[], uses: readonly Use[]): Findings {
  const needed = (grant: Grant): boolean =>
    uses.some(
      (use) =>
        use.allowed &&
        use.role === grant.role &&
        matches(use.action, grant.action) &&
        matches(use.resource, grant.resource),
    );
  return { unused: grants.filter((grant) => !needed(grant)), refused: uses.filter(({ allowed }) => !allowed) };
}

/** @returns the unused grants that no exception covers, and the exceptions that cover none. */
export function review(
  unused: readonly Grant[],
  exceptions: readonly Exception[],
): { unexplained: Grant[]; stale: Exception[] } {
  return {
    unexplained: unused.filter((grant) => !exceptions.some((exception) => covers(exception, grant))),
    stale: exceptions.filter((exception) => !unused.some((grant) => covers(exception, grant))),
  };
}

function covers(exception: Exception, grant: Grant): boolean {
  return (
    matches(grant.role, exception.role) &&
    matches(grant.action, exception.action) &&
    matches(grant.resource, exception.resource)
  );
}

/** Endpoints of AWS services ("glue", "monitoring") that each role itself called, by the role's name. */
export function endpoints(uses: readonly Use[]): Map<string, Set<string>> {
  const called = new Map<string, Set<string>>();
  for (const { role, action, via } of uses) {
    if (via !== null) continue;
    const service = action.slice(0, action.indexOf(':'));
    called.set(role, (called.get(role) ?? new Set()).add(service === 'cloudwatch' ? 'monitoring' : service));
  }
  return called;
}

function matches(text: string, pattern: string): boolean {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i').test(text);
}

// --- Telling

/** What the document calls by a general name, so that it is the same for every environment. */
export interface Place {
  readonly environment: string;
  readonly account: string;
  readonly region: string;
}

/** A Markdown section for each role: what it may do, on what, under which condition; of exceptions also why. */
export function document(
  grants: readonly Grant[],
  descriptions: ReadonlyMap<string, string>,
  exceptions: readonly Exception[],
  { environment, account, region }: Place,
): string {
  const general = (text: string): string =>
    text
      .replaceAll(`-${environment}-${account}`, '-<env>-<account>')
      .replaceAll(`/${environment}/`, '/<env>/')
      .replaceAll(`-${environment}/`, '-<env>/')
      .replaceAll(account, '<account>')
      .replaceAll(region, '<region>');
  const remark = (grant: Grant): string => exceptions.find((exception) => covers(exception, grant))?.reason ?? '';
  const section = (role: string): string => {
    const granted = grants.filter((each) => each.role === role);
    const lines = granted.map((grant) => ({
      action: `\`${grant.action}\``,
      resource: `\`${general(grant.resource)}\``,
      rest: `${grant.conditions ? `\`${general(JSON.stringify(grant.conditions))}\`` : ''} | ${remark(grant)}`,
    }));
    const byAction = grouped(lines, ['action', 'rest'], ({ resource }) => resource).map(([{ action, rest }, on]) => ({
      action,
      where: `${on.join('<br>')} | ${rest}`,
    }));
    const rows = grouped(byAction, ['where'], ({ action }) => action).map(
      ([{ where }, actions]) => `| ${actions.join(', ')} | ${where} |`,
    );
    const head = ['| may | on | if | not seen in the run, because |', '|---|---|---|---|'];
    return [`## ${role}`, '', `${descriptions.get(role)}.`, '', ...head, ...rows.sort(), ''].join('\n');
  };
  return [...new Set(grants.map(({ role }) => role))].sort().map(section).join('\n');
}

/** What is the same in `keys`, once, with the sorted values of all. */
function grouped<T>(items: readonly T[], keys: readonly (keyof T)[], value: (item: T) => string): [T, string[]][] {
  const groups = new Map<string, [T, Set<string>]>();
  for (const item of items) {
    const key = JSON.stringify(keys.map((each) => item[each]));
    if (!groups.has(key)) groups.set(key, [item, new Set()]);
    groups.get(key)![1].add(value(item));
  }
  return [...groups.values()].map(([item, values]) => [item, [...values].sort()]);
}
