/** What the lake's tables say of themselves: the properties in their Iceberg metadata. */
import { GlueClient, paginateGetTables, type Table } from '@aws-sdk/client-glue';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';

export interface IcebergTable {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** The tables of a database of the catalog, in order of their names; what is no Iceberg table is left out. */
export async function icebergTables(region: string, database: string): Promise<IcebergTable[]> {
  const s3 = new S3Client({ region });
  const tables: Table[] = [];
  for await (const page of paginateGetTables({ client: new GlueClient({ region }) }, { DatabaseName: database })) {
    tables.push(...(page.TableList ?? []));
  }
  const described = tables.flatMap(({ Name, Parameters }) => {
    const location = Parameters?.['metadata_location'];
    return location === undefined ? [] : [{ name: Name!, location }];
  });
  const read = await Promise.all(
    described.map(async ({ name, location }) => ({ name, properties: await readProperties(s3, new URL(location)) })),
  );
  return read.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readProperties(s3: S3Client, { hostname, pathname }: URL): Promise<Record<string, string>> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: hostname, Key: pathname.slice(1) }));
  return (JSON.parse(await Body!.transformToString()) as { properties: Record<string, string> }).properties;
}
