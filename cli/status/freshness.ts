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
  readonly target: 'lake' | 'dataengineering-db';
  readonly table: string;
  readonly source: string;
  /**
   * Number of the source's history: it rises when the log had to be followed anew. Positions compare within one.
   * Null where the position is a snapshot: of marts and feeds in dataengineering-db.
   */
  readonly history: number | null;
  /** LSN of the source's log up to which the table holds every change, or the lake's snapshot that it holds. */
  readonly position: string;
  /** The table is a copy to which the changes since are still to be applied. */
  readonly isCatchingUp: boolean;
  /** Null while a table holds its first copy only, and for dataengineering-db, which does not keep it. */
  readonly committedAt: string | null;
  /** Null for the change log, and before a table's first publication. */
  readonly frontier: string | null;
}

/** Of trackman_raw; it holds changes, not a state, and so has no frontier. */
const CHANGE_LOG = 'changes';
const BOOKMARK = 'trackman.bookmark.';
const FRONTIER = 'trackman.frontier';
const SERVING_FRONTIERS = `${names.prefixes.frontiers}${names.serving.identifier}.json`;

/** What the targets say of themselves. */
export interface Positions {
  /** Of the change log, of the lake's tables, and of dataengineering-db's. */
  readonly bookmarks: readonly Bookmark[];
  /** Of dataengineering-db; null before the first publication. */
  readonly servingFrontier: string | null;
}

/** The lake's are properties of its tables, dataengineering-db's what `publish` left in the lake: it is private. */
export async function readPositions(environment: Environment): Promise<Positions> {
  const { raw, lake } = names.databases;
  const [served, ...tables] = await Promise.all([
    readServed(environment),
    ...[raw, lake].map((database) => icebergTables(environment.region, database)),
  ]);
  return {
    bookmarks: [...tables.flat().flatMap(bookmarksOf), ...(served?.positions ?? []).map(bookmarkOf)],
    servingFrontier: served?.frontier ?? null,
  };
}

/** Freshness of the lake and of dataengineering-db. */
export function freshnessOf(
  environment: Pick<Environment, 'latency'>,
  { bookmarks, servingFrontier }: Positions,
  now: number,
): Freshness[] {
  return [
    lakeFreshness(environment, bookmarks, now),
    freshness(names.serving.identifier, servingFrontier, environment, now),
  ];
}

/** The lake is as fresh as the table that is furthest behind. */
export function lakeFreshness(
  environment: Pick<Environment, 'latency'>,
  bookmarks: readonly Bookmark[],
  now: number,
): Freshness {
  const tables = bookmarks.filter(({ target, table }) => target === 'lake' && table !== CHANGE_LOG);
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
        target: 'lake' as const,
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

function bookmarkOf(served: ServedPosition): Bookmark {
  return { target: 'dataengineering-db', isCatchingUp: false, committedAt: null, ...served };
}

/** As `publish` writes it: glue-jobs/trackman/served.py. */
interface ServedPosition {
  readonly table: string;
  readonly source: string;
  readonly history: number | null;
  readonly position: string;
  readonly frontier: string;
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
    if (history === null) return false; // it follows the lake's table and not the log
    const log = logs.get(source);
    if (log === undefined || log.history === null) return true;
    return history > log.history || (history === log.history && lsn(position) > lsn(log.position));
  });
}

/** The number that an LSN such as 16/B374D848 is. */
function lsn(text: string): bigint {
  const [high, low] = text.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

async function readServed(
  environment: Environment,
): Promise<{ readonly frontier: string; readonly positions?: readonly ServedPosition[] } | null> {
  const s3 = new S3Client({ region: environment.region });
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: lakeBucket(environment), Key: SERVING_FRONTIERS }));
    return JSON.parse(await Body!.transformToString()) as { frontier: string; positions?: ServedPosition[] };
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
