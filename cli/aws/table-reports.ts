/** What a run of a job says it did: the JSON line a table that it prints to its log. */
import { CloudWatchLogsClient, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { JobRun } from '@aws-sdk/client-glue';

/** Rows that a run wrote to a table: `ingest` tells inserts from updates, `publish` cannot. */
export interface TableReport {
  readonly table: string;
  readonly inserted?: number;
  readonly updated?: number;
  readonly upserted?: number;
  readonly deleted: number;
  /** Why `ingest` leaves the table as it is until a later run. */
  readonly waiting?: string | null;
}

/** What a run of `maintain` removed of a row beside what the source has. */
export interface Erasure {
  readonly source: string;
  /** schema.table */
  readonly erased: string;
  /** Of the change log. */
  readonly changes: number;
  /** Past states, of the history. */
  readonly versions: number;
  /** Values, of the quarantine. */
  readonly quarantined: number;
  /** Rows that the lake has, as the source does. */
  readonly rows: number;
}

/** The run's reports, in the order in which it printed them. */
export async function tableReports(region: string, run: JobRun): Promise<TableReport[]> {
  return (await reports(region, run)) as TableReport[];
}

/** What the run erased. */
export async function erasures(region: string, run: JobRun): Promise<Erasure[]> {
  return (await reports(region, run)).filter((report): report is Erasure => 'erased' in report);
}

async function reports(region: string, run: JobRun): Promise<object[]> {
  const logs = new CloudWatchLogsClient({ region });
  const lines: string[] = [];
  let token: string | undefined;
  for (;;) {
    const page = await logs.send(
      new GetLogEventsCommand({
        logGroupName: `${run.LogGroupName}/output`,
        logStreamName: run.Id!,
        startFromHead: true,
        nextToken: token,
      }),
    );
    lines.push(...(page.events ?? []).map((event) => event.message ?? ''));
    if (page.nextForwardToken === token) break; // the same token again: the end
    token = page.nextForwardToken;
  }
  return lines.flatMap((line) => (isReport(line) ? [JSON.parse(line) as object] : []));
}

/** Rows written to all of the tables. */
export function rowsWritten(reports: readonly TableReport[]): number {
  return reports.reduce(
    (sum, { inserted = 0, updated = 0, upserted = 0, deleted }) => sum + inserted + updated + upserted + deleted,
    0,
  );
}

function isReport(line: string): boolean {
  return line.startsWith('{"run": ');
}
