/** What a plan would do, by the addresses of resources: enough for a review, and nothing of what they hold. */
import { isDeepStrictEqual } from 'node:util';

/** The part of `terraform show -json` that is read here. */
export interface Plan {
  readonly resource_changes?: readonly ResourceChange[];
}

interface ResourceChange {
  readonly address: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before?: unknown;
    readonly after?: unknown;
    readonly after_unknown?: unknown;
  };
}

export interface PlanSummary {
  readonly stack: string;
  readonly create: readonly string[];
  readonly update: readonly string[];
  /** Deleted and created anew. */
  readonly replace: readonly string[];
  readonly delete: readonly string[];
  /** Updated in nothing but the tag that names the commit. */
  readonly retag: readonly string[];
}

type Kind = Exclude<keyof PlanSummary, 'stack'>;

/** What each of Terraform's actions does to a resource; reading and leaving alone does nothing. */
const KINDS: Readonly<Record<string, Kind | undefined>> = {
  create: 'create',
  update: 'update',
  delete: 'delete',
  forget: 'delete', // it stays in the account, but is no longer the platform's
  'delete,create': 'replace',
  'create,delete': 'replace',
  read: undefined,
  'no-op': undefined,
};

export function summarize(stack: string, plan: Plan): PlanSummary {
  const changes = (plan.resource_changes ?? []).map(({ address, change }) => ({ address, kind: kindOf(change) }));
  const of = (kind: Kind): string[] => changes.filter((each) => each.kind === kind).map(({ address }) => address);
  return {
    stack,
    create: of('create'),
    update: of('update'),
    replace: of('replace'),
    delete: of('delete'),
    retag: of('retag'),
  };
}

/** Whether it would change what the platform is. A tag that names the commit does not. */
export function changesAnything({ create, update, replace, delete: gone }: PlanSummary): boolean {
  return [create, update, replace, gone].some((addresses) => addresses.length > 0);
}

export function isEmpty(summary: PlanSummary): boolean {
  return !changesAnything(summary) && summary.retag.length === 0;
}

/** One line, for example "trackman-dev: 2 to create, 1 to update, 0 to replace, 0 to delete". */
export function headline(summary: PlanSummary): string {
  const { stack, retag } = summary;
  const counts = SHOWN.map((kind) => `${summary[kind].length} to ${kind}`).join(', ');
  return `${stack}: ${counts}${retag.length > 0 ? `; ${retag.length} get only the new commit's tag` : ''}`;
}

/** For a terminal: the headline, then the addresses. */
export function asText(summary: PlanSummary): string {
  const lines = SHOWN.flatMap((kind) => summary[kind].map((address) => `  ${kind.padEnd(7)} ${address}`));
  return [headline(summary), ...lines].map((line) => `${line}\n`).join('');
}

/** For a pull request, in Markdown: what is lost comes first. */
export function asMarkdown(summary: PlanSummary): string {
  const lists = [...SHOWN]
    .reverse()
    .flatMap((kind) =>
      summary[kind].length === 0 ? [] : ['', `**${kind}**`, '', ...summary[kind].map((address) => `- \`${address}\``)],
    );
  return [`### ${headline(summary)}`, ...lists, '', ''].join('\n');
}

const SHOWN = ['create', 'update', 'replace', 'delete'] as const;

function kindOf(change: ResourceChange['change']): Kind | undefined {
  const actions = change.actions.join();
  if (!(actions in KINDS)) throw new Error(`a plan has the action "${actions}", which is not known here`);
  return actions === 'update' && isOnlyRetagged(change) ? 'retag' : KINDS[actions];
}

function isOnlyRetagged({ before, after, after_unknown: unknown }: ResourceChange['change']): boolean {
  return !holdsTrue(unknown) && isDeepStrictEqual(withoutCommit(before), withoutCommit(after));
}

/** A resource's attributes less the commit's tag. */
function withoutCommit(attributes: unknown): unknown {
  const copy = { ...(attributes as Record<string, unknown>) };
  for (const name of ['tags', 'tags_all']) copy[name] = { ...(copy[name] as object | null), commit: undefined };
  return copy;
}

/** Whether anything in it is known only after the apply. */
function holdsTrue(value: unknown): boolean {
  return value === true || (typeof value === 'object' && value !== null && Object.values(value).some(holdsTrue));
}
