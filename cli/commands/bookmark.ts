import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { requireAccount } from '../aws/account';
import { environmentArgument } from '../environment-argument';
import { FailedError } from '../errors';
import { aheadOfChangeLog, readBookmarks, type Bookmark } from '../status/freshness';
import { renderTable } from '../table';

export function bookmarkCommand(): Command {
  return new Command('bookmark')
    .description("where each table stands in its source's history; exit code 1 when one is ahead of the change log")
    .addArgument(environmentArgument())
    .option('--json', 'print a JSON array instead', false)
    .action(async (environment: Environment, { json }: { json: boolean }) => {
      await requireAccount(environment);
      const bookmarks = await readBookmarks(environment);
      process.stdout.write(`${json ? JSON.stringify(bookmarks, null, 2) : render(bookmarks)}\n`);
      const ahead = aheadOfChangeLog(bookmarks).map(({ table }) => table);
      if (ahead.length > 0) {
        throw new FailedError(
          `${ahead.join(', ')}: ahead of the change log, which has not what they were made from; ` +
            'copy them anew: npx trackman source resnapshot',
        );
      }
    });
}

function render(bookmarks: readonly Bookmark[]): string {
  if (bookmarks.length === 0) return 'No table is in the lake yet.';
  return renderTable(
    ['table', 'source', 'history', 'position', 'committed', 'complete up to', ''],
    bookmarks.map(({ table, source, history, position, committedAt, frontier, isCatchingUp }) => [
      table,
      source,
      String(history),
      position,
      committedAt ?? '',
      frontier ?? '',
      isCatchingUp ? 'catching up with its copy' : '',
    ]),
  );
}
