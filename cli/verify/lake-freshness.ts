import type { Environment } from '../../envs/environment';
import { names } from '../../modules/naming';
import { FailedError } from '../errors';
import { lakeFreshness, readPositions } from '../status/freshness';

/** How far behind the lake is, in seconds, as `trackman status` tells it. @throws FailedError when nothing is known */
export async function lakeFreshnessSeconds(environment: Environment): Promise<number> {
  const { bookmarks } = await readPositions(environment);
  const { secondsBehind } = lakeFreshness(environment, bookmarks, Date.now());
  if (secondsBehind === null)
    throw new FailedError(
      `${names.databases.lake} has no frontier: a table, or all, was not published; run the pipeline`,
    );
  return secondsBehind;
}
