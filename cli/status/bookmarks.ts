import { renderTable } from '../table';
import type { Bookmark } from './freshness';

/** Bookmarks as a table for a terminal. */
export function renderBookmarks(bookmarks: readonly Bookmark[]): string {
  if (bookmarks.length === 0) return 'No table is in the lake yet.';
  return renderTable(
    ['target', 'table', 'source', 'history', 'position', 'committed', 'complete up to', ''],
    bookmarks.map(({ target, table, source, history, position, committedAt, frontier, isCatchingUp }) => [
      target,
      table,
      source,
      history === null ? '' : String(history),
      history === null ? `snapshot ${position}` : position,
      clock(committedAt),
      clock(frontier),
      isCatchingUp ? 'catching up with its copy' : '',
    ]),
  );
}

/** `2026-11-24 09:50:44` of an ISO time, UTC. */
export function clock(time: string | null): string {
  return time === null ? '' : new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}
