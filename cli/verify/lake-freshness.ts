/** How far behind the lake is: now − the frontier of the table furthest behind, as docs define freshness. */
import { GetTablesCommand, GlueClient, type Table } from '@aws-sdk/client-glue';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Environment } from '../../envs/environment';
import { FailedError } from '../errors';
import { names } from '../../modules/naming';

const FRONTIER = 'trackman.frontier';

/** Seconds; every Iceberg table of the lake must carry a frontier. */
export async function lakeFreshnessSeconds(environment: Environment): Promise<number> {
  const glue = new GlueClient({ region: environment.region });
  const s3 = new S3Client({ region: environment.region });
  const { TableList } = await glue.send(new GetTablesCommand({ DatabaseName: names.databases.lake }));
  if (!TableList?.length) throw new FailedError(`${names.databases.lake} holds no table: run the pipeline first`);
  const frontiers = await Promise.all(TableList.map((table) => frontier(s3, table)));
  return (Date.now() - Math.min(...frontiers)) / 1000;
}

async function frontier(s3: S3Client, table: Table): Promise<number> {
  const location = new URL(table.Parameters!['metadata_location']!);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: location.hostname, Key: location.pathname.slice(1) }));
  const metadata = JSON.parse(await Body!.transformToString()) as { properties: Record<string, string> };
  const text = metadata.properties[FRONTIER];
  if (text === undefined) throw new FailedError(`${table.Name} carries no ${FRONTIER}: it was never published`);
  return Date.parse(text);
}
