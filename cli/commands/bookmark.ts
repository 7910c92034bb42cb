import { Command } from 'commander';
import type { Environment } from '../../envs/environment';
import { requireAccount } from '../aws/account';
import { environmentArgument } from '../environment-argument';
import { FailedError } from '../errors';
import { renderBookmarks } from '../status/bookmarks';
import { aheadOfChangeLog, readPositions } from '../status/freshness';

export function bookmarkCommand(): Command {
  return new Command('bookmark')
    .description("where each table stands in its source's history; exit code 1 when one is ahead of the change log")
    .addArgument(environmentArgument())
    .option('--json', 'print a JSON array instead', false)
    .action(async (environment: Environment, { json }: { json: boolean }) => {
      await requireAccount(environment);
      const { bookmarks } = await readPositions(environment);
      process.stdout.write(`${json ? JSON.stringify(bookmarks, null, 2) : renderBookmarks(bookmarks)}\n`);
      const ahead = aheadOfChangeLog(bookmarks).map(({ target, table }) => `${table} of ${target}`);
      if (ahead.length > 0) {
        throw new FailedError(
          `${ahead.join(', ')}: ahead of the change log, which has not what they were made from; ` +
            'copy them anew: npx trackman source resnapshot',
        );
      }
    });
}
