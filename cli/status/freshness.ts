/** How far behind the targets are, and where their tables stand in the sources' history. */
import { GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3';
import type { Environment } from '../../envs/environment';
import { lakeBucket, names } from '../../modules/naming';
import { icebergTables, type IcebergTable } from '../aws/iceberg-tables';

export interface Freshness {
  readonly target: string;
  /** The source's clock up to which the target is complete (ISO 8601, UTC); null before the first publication. */
  readonly frontier: string | null;
  /** Null before the first publication. */
  readonly secondsBehind: number | null;
  readonly promiseSeconds: number;
  /** False also when nothing is known: what nobody sees is not fresh. */
  readonly isKept: boolean;
}

export interface Bookmark {
  readonly table: string;
  readonly source: string;
  /** Number of the source's history: it rises when the log had to be followed anew. Positions compare within one. */
  readonly history: number;
  /** LSN of the source's log up to which the table holds every change. */
  readonly position: string;
  /** The table is a copy to which the changes since are still to be applied. */
  readonly isCatchingUp: boolean;
  /** Null while a table holds its first copy only. */
  readonly committedAt: string | null;
  /** Null for the change log, and before a table's first publication. */
  readonly frontier: string | null;
}

/** Of trackman_raw; it holds changes, not a state, and so has no frontier. */
const CHANGE_LOG = 'changes';
const BOOKMARK = 'trackman.bookmark.';
const FRONTIER = 'trackman.frontier';
const SERVING_FRONTIERS = `${names.prefixes.frontiers}${names.serving.identifier}.json`;

/** Bookmarks of the change log and of the lake's tables. */
export async function readBookmarks({ region }: Environment): Promise<Bookmark[]> {
  const { raw, lake } = names.databases;
  const tables = await Promise.all([icebergTables(region, raw), icebergTables(region, lake)]);
  return tables.flat().flatMap(bookmarksOf);
}

/** Freshness of the lake, by its tables' bookmarks, and of dataengineering-db, by what `publish` left in the lake. */
export async function readFreshness(
  environment: Environment,
  bookmarks: readonly Bookmark[],
  now: number,
): Promise<Freshness[]> {
  return [
    lakeFreshness(environment, bookmarks, now),
    freshness(names.serving.identifier, await servingFrontier(environment), environment, now),
  ];
}

/** The lake is as fresh as the table that is furthest behind. */
export function lakeFreshness(
  environment: Pick<Environment, 'latency'>,
  bookmarks: readonly Bookmark[],
  now: number,
): Freshness {
  const tables = bookmarks.filter(({ table }) => table !== CHANGE_LOG);
  const known = tables.every(({ frontier }) => frontier !== null);
  const frontier = known ? earliest(tables.map(({ frontier }) => frontier!)) : null;
  return freshness('lake', frontier, environment, now);
}

function bookmarksOf({ name, properties }: IcebergTable): Bookmark[] {
  return Object.entries(properties)
    .filter(([property]) => property.startsWith(BOOKMARK))
    .map(([property, text]) => {
      const { history, position, snapshot, committedAt } = JSON.parse(text) as BookmarkProperty;
      return {
        table: name,
        source: property.slice(BOOKMARK.length),
        history,
        position,
        isCatchingUp: snapshot !== undefined,
        committedAt,
        frontier: properties[FRONTIER] ?? null,
      };
    });
}

/** As the jobs write it: glue-jobs/trackman/bookmark.py. */
interface BookmarkProperty {
  readonly history: number;
  readonly position: string;
  readonly snapshot?: object;
  readonly committedAt: string | null;
}

/** What must never be: tables that are ahead of the change log from which they are made. */
export function aheadOfChangeLog(bookmarks: readonly Bookmark[]): Bookmark[] {
  const logs = new Map(bookmarks.filter(({ table }) => table === CHANGE_LOG).map((log) => [log.source, log]));
  return bookmarks.filter(({ source, history, position }) => {
    const log = logs.get(source);
    return log === undefined || history > log.history || (history === log.history && lsn(position) > lsn(log.position));
  });
}

/** The number that an LSN such as 16/B374D848 is. */
function lsn(text: string): bigint {
  const [high, low] = text.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

async function servingFrontier(environment: Environment): Promise<string | null> {
  const s3 = new S3Client({ region: environment.region });
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: lakeBucket(environment), Key: SERVING_FRONTIERS }));
    return (JSON.parse(await Body!.transformToString()) as { frontier: string }).frontier;
  } catch (error) {
    if (error instanceof NoSuchKey) return null;
    throw error;
  }
}

function earliest(times: readonly string[]): string | null {
  return times.length === 0 ? null : times.reduce((a, b) => (Date.parse(a) <= Date.parse(b) ? a : b));
}

function freshness(
  target: string,
  frontier: string | null,
  { latency }: Pick<Environment, 'latency'>,
  now: number,
): Freshness {
  const promiseSeconds = latency.promiseMinutes * 60;
  const secondsBehind = frontier === null ? null : Math.round((now - Date.parse(frontier)) / 1000);
  return {
    target,
    frontier,
    secondsBehind,
    promiseSeconds,
    isKept: secondsBehind !== null && secondsBehind <= promiseSeconds,
  };
}
