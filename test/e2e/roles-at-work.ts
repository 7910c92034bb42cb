/** What the main job leaves undone: the roles that it does not need do here what they are for. */
import { randomUUID } from 'node:crypto';
import {
  AthenaClient,
  BatchGetNamedQueryCommand,
  BatchGetQueryExecutionCommand,
  GetNamedQueryCommand,
  GetPreparedStatementCommand,
  GetQueryRuntimeStatisticsCommand,
  GetWorkGroupCommand,
  ListNamedQueriesCommand,
  ListPreparedStatementsCommand,
  ListQueryExecutionsCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { AssumeRoleCommand, STSClient, type Credentials } from '@aws-sdk/client-sts';
import { runStatement } from '../../cli/aws/athena';
import { crawl, runJob } from '../../cli/aws/glue';
import { poll } from '../../cli/aws/poll';
import type { Environment } from '../../envs/environment';
import { landingBucket, names, roleArn } from '../../modules/naming';
import { bayTelemetry } from '../../sources/bay-telemetry';

const silently = (): void => undefined;

/** What the roles saw. */
interface Seen {
  /** How many players the analyst counted in Redshift. */
  readonly players: number;
  /** What the lake has of the file that landed: bay and speed. */
  readonly readings: readonly (string | null)[][];
}

/** A file lands, is crawled and taken; the jobs outside of the pipeline run; an analyst is at work. */
export async function rolesAtWork(environment: Environment): Promise<Seen> {
  const { region } = environment;
  await land(environment);
  const jobs = [names.jobs.ingestFiles, names.jobs.maintain, names.monitoring.freshness.job];
  const [players] = await Promise.all([
    analystAtWork(environment),
    crawl(region, names.crawler, silently),
    ...jobs.map((job) => runJob(region, job, silently)),
    runJob(region, names.jobs.snapshot, silently, { '--source': 'trackman-backend', '--table': 'public.bays' }),
  ]);
  const { rows } = await runStatement(
    { region },
    {
      sql: `select bay_id, radar_ball_speed from ${bayTelemetry.table}`,
      database: names.databases.lake,
      workgroup: names.workgroups.pipeline,
    },
  );
  return { players, readings: rows };
}

/** EventBridge tells Glue of it at once; Glue waits for more before it starts a run. */
async function land(environment: Environment): Promise<void> {
  await new S3Client({ region: environment.region }).send(
    new PutObjectCommand({
      Bucket: landingBucket(environment),
      Key: `${bayTelemetry.prefix}day=2026-11-24/bay-1.json`,
      Body: JSON.stringify([
        { bay_id: 1, measured_at: '2026-11-24T09:00:00Z', radar_ball_speed: 71.5, technician: 'Ann' },
      ]),
    }),
  );
}

/** @returns how many players Redshift counted */
async function analystAtWork(environment: Environment): Promise<number> {
  const { region } = environment;
  const { Credentials: credentials } = await new STSClient({ region }).send(
    new AssumeRoleCommand({ RoleArn: roleArn(environment, names.roles.analyst), RoleSessionName: 'at-work' }),
  );
  await inAthena(environment, credentials!);
  return inRedshift(environment, credentials!);
}

/** As the console does: looks up tables, the packaged queries and the queries that ran; begins one and stops it. */
async function inAthena({ region }: Environment, credentials: Credentials): Promise<void> {
  const config = { region, credentials: identity(credentials) };
  const athena = new AthenaClient(config);
  const WorkGroup = names.workgroups.analysts;
  for (const database of [names.databases.lake, names.databases.marts]) {
    await runStatement(config, { sql: 'SHOW TABLES', database, workgroup: WorkGroup });
  }
  const sql = 'SELECT count(*) FROM session_summary';
  await runStatement(config, { sql, database: names.databases.marts, workgroup: WorkGroup });
  await athena.send(new GetWorkGroupCommand({ WorkGroup }));
  const { NamedQueryIds } = await athena.send(new ListNamedQueriesCommand({ WorkGroup }));
  await athena.send(new BatchGetNamedQueryCommand({ NamedQueryIds }));
  await athena.send(new GetNamedQueryCommand({ NamedQueryId: NamedQueryIds![0] }));
  const { PreparedStatements } = await athena.send(new ListPreparedStatementsCommand({ WorkGroup }));
  const { StatementName } = PreparedStatements![0]!;
  await athena.send(new GetPreparedStatementCommand({ WorkGroup, StatementName }));

  const { QueryExecutionIds } = await athena.send(new ListQueryExecutionsCommand({ WorkGroup }));
  await athena.send(new BatchGetQueryExecutionCommand({ QueryExecutionIds }));
  await athena.send(new GetQueryRuntimeStatisticsCommand({ QueryExecutionId: QueryExecutionIds![0] }));
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({ WorkGroup, QueryString: `SELECT count(*) FROM ${names.databases.lake}.shots` }),
  );
  await athena.send(new StopQueryExecutionCommand({ QueryExecutionId }));
}

/** Counts the lake's players, and looks at a mart, through Spectrum. */
async function inRedshift({ region }: Environment, credentials: Credentials): Promise<number> {
  const data = (operation: string, input: object) => redshiftData(region, credentials, operation, input);
  const count = async (table: string): Promise<number> => {
    const { Id } = await data('ExecuteStatement', {
      WorkgroupName: names.warehouse.workgroup,
      Database: names.warehouse.database,
      ClientToken: randomUUID(),
      Sql: `SELECT count(*) FROM ${table}`,
    });
    const look = async () => {
      const { Status, Error: problem } = await data('DescribeStatement', { Id });
      if (Status === 'FAILED') throw new Error(`the statement failed: ${String(problem)}`);
      return Status === 'FINISHED' ? true : undefined;
    };
    await poll('the statement', look, { everyMs: 200, withinMs: 60_000 });
    const { Records } = await data('GetStatementResult', { Id });
    return (Records as [[{ longValue: number }]])[0][0].longValue;
  };
  await count(`${names.databases.marts}.session_summary`);
  return count(`${names.databases.lake}.players`);
}

/** By AWS's JSON protocol: the product never calls this service, and has no client for it. */
async function redshiftData(
  region: string,
  { AccessKeyId, SessionToken }: Credentials,
  operation: string,
  input: object,
): Promise<Record<string, unknown>> {
  const scope = `${AccessKeyId}/20261124/${region}/redshift-data/aws4_request`;
  const response = await fetch(process.env['AWS_ENDPOINT_URL']!, {
    method: 'POST',
    headers: {
      Authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none`,
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Security-Token': SessionToken!,
      'X-Amz-Target': `RedshiftData.${operation}`,
    },
    body: JSON.stringify(input),
  });
  const body = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`redshift-data ${operation}: ${JSON.stringify(body)}`);
  return body;
}

function identity({ AccessKeyId, SecretAccessKey, SessionToken }: Credentials) {
  return { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! };
}
