/** Runs one statement through Athena and reads its whole result. */
import { randomUUID } from 'node:crypto';
import {
  AthenaClient,
  GetQueryExecutionCommand,
  paginateGetQueryResults,
  StartQueryExecutionCommand,
  type AthenaClientConfig,
} from '@aws-sdk/client-athena';
import { FailedError } from '../errors';
import { poll } from './poll';

export interface Statement {
  readonly sql: string;
  readonly database: string;
  readonly workgroup: string;
  /** SQL literals for the statement's `?`, in order. */
  readonly parameters?: string[];
}

export interface QueryResult {
  readonly id: string;
  readonly columns: string[];
  /** Cells as Athena prints them; null is SQL's. */
  readonly rows: (string | null)[][];
  readonly seconds: number;
  readonly scannedBytes: number;
}

const EVERY_MS = 100;
const LONGEST_MS = 30 * 60_000;

export async function runStatement(config: AthenaClientConfig, statement: Statement): Promise<QueryResult> {
  const athena = new AthenaClient(config);
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: statement.sql,
      QueryExecutionContext: { Catalog: 'AwsDataCatalog', Database: statement.database },
      WorkGroup: statement.workgroup,
      ExecutionParameters: statement.parameters?.length ? statement.parameters : undefined,
      ClientRequestToken: randomUUID(),
    }),
  );
  const id = QueryExecutionId!;
  const look = async () => {
    const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId: id }));
    return ['QUEUED', 'RUNNING'].includes(QueryExecution!.Status!.State!) ? undefined : QueryExecution!;
  };
  const execution = await poll(`Athena query ${id}`, look, { everyMs: EVERY_MS, withinMs: LONGEST_MS });
  if (execution.Status!.State !== 'SUCCEEDED') {
    throw new FailedError(`Athena query ${id} ${execution.Status!.State}: ${execution.Status!.StateChangeReason}`);
  }
  const rows: (string | null)[][] = [];
  let columns: string[] = [];
  for await (const page of paginateGetQueryResults({ client: athena }, { QueryExecutionId: id })) {
    columns = page.ResultSet!.ResultSetMetadata!.ColumnInfo!.map((column) => column.Name!);
    for (const row of page.ResultSet!.Rows ?? []) rows.push(row.Data!.map((cell) => cell.VarCharValue ?? null));
  }
  return {
    id,
    columns,
    rows: rows.slice(1), // the first row of a SELECT's result repeats the column names
    seconds: (execution.Statistics?.TotalExecutionTimeInMillis ?? 0) / 1000,
    scannedBytes: execution.Statistics?.DataScannedInBytes ?? 0,
  };
}
