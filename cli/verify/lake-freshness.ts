/** How far behind the lake is: now − the frontier of the table furthest behind, as docs define freshness. */
import type { Environment } from '../../envs/environment';
import { names } from '../../modules/naming';
import { icebergTables } from '../aws/iceberg-tables';
import { FailedError } from '../errors';

export const FRONTIER = 'trackman.frontier';

/** Seconds; every Iceberg table of the lake must carry a frontier. */
export async function lakeFreshnessSeconds({ region }: Pick<Environment, 'region'>): Promise<number> {
  const tables = await icebergTables(region, names.databases.lake);
  if (tables.length === 0) throw new FailedError(`${names.databases.lake} holds no table: run the pipeline first`);
  const frontiers = tables.map(({ name, properties }) => {
    const frontier = properties[FRONTIER];
    if (frontier === undefined) throw new FailedError(`${name} carries no ${FRONTIER}: it was never published`);
    return Date.parse(frontier);
  });
  return (Date.now() - Math.min(...frontiers)) / 1000;
}
