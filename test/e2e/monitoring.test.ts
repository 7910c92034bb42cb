/**
 * Two alarms are tripped from their real cause, and the message arrives: a job that fails, a pipeline that stops. The
 * module is applied by Terraform; its freshness job runs on its schedule under its own role. Minutes last two seconds.
 */
import { join } from 'node:path';
import { CreateTableCommand, GlueClient, StartJobRunCommand, StopTriggerCommand } from '@aws-sdk/client-glue';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Testing } from 'cdktf';
import { names } from '../../modules/naming';
import { LAKE_BUCKET, location, monitoredStack } from '../modules/monitored-stack';
import { EmulatedAws } from './emulated-aws';
import { MINUTE } from './trackman';

const PROMISE_SECONDS = 40;
const METADATA_KEY = 'lake/shots/metadata/1.json';

interface Notification {
  readonly subject: string | undefined;
  readonly message: Record<string, unknown>;
}

describe('monitoring', () => {
  let aws: EmulatedAws;
  let glue: GlueClient;
  let s3: S3Client;
  let page: Inbox;
  let ticket: Inbox;
  let pipeline: NodeJS.Timeout | undefined;

  /** A topic's messages, as a queue that is subscribed to it receives them. */
  class Inbox {
    private readonly received: Notification[] = [];

    private constructor(private readonly queue: string) {}

    static async of(topic: string): Promise<Inbox> {
      const { account, region } = location;
      const topicArn = `arn:aws:sns:${region}:${account}:${topic}`;
      const queueArn = `arn:aws:sqs:${region}:${account}:${topic}`;
      const policy = {
        Effect: 'Allow',
        Principal: { Service: 'sns.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: queueArn,
        Condition: { ArnEquals: { 'aws:SourceArn': topicArn } },
      };
      await sqs({
        Action: 'CreateQueue',
        QueueName: topic,
        'Attribute.1.Name': 'Policy',
        'Attribute.1.Value': JSON.stringify({ Version: '2012-10-17', Statement: [policy] }),
      });
      const subscription = { TopicArn: topicArn, Protocol: 'sqs', Endpoint: queueArn };
      await aws.query('sns', region, account, { Action: 'Subscribe', ...subscription });
      return new Inbox(`${aws.endpoint}/${account}/${topic}`);
    }

    /** Waits for a message that satisfies the condition; earlier ones count. */
    async await(what: string, isIt: (notification: Notification) => boolean): Promise<Notification> {
      const deadline = Date.now() + 2 * MINUTE;
      for (;;) {
        await this.receive();
        const found = this.received.find(isIt);
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`no message: ${what}; there are ${JSON.stringify(this.received)}`);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }

    /** Forgets what came so far. */
    async clear(): Promise<void> {
      await this.receive();
      this.received.length = 0;
    }

    private async receive(): Promise<void> {
      const call = {
        Action: 'ReceiveMessage',
        QueueUrl: this.queue,
        MaxNumberOfMessages: '10',
        VisibilityTimeout: '3600',
      };
      const bodies = [...(await sqs(call)).matchAll(/<Body>([\s\S]*?)<\/Body>/g)].map(([, body]) => unescape(body!));
      for (const body of bodies) {
        const { Subject, Message } = JSON.parse(body) as { Subject?: string; Message: string };
        this.received.push({ subject: Subject, message: JSON.parse(Message) as Record<string, unknown> });
      }
    }
  }

  function sqs(call: Record<string, string>): Promise<string> {
    return aws.query('sqs', location.region, location.account, call);
  }

  async function put(key: string, content: object): Promise<void> {
    await s3.send(new PutObjectCommand({ Bucket: LAKE_BUCKET, Key: key, Body: JSON.stringify(content) }));
  }

  /** What a run of the pipeline leaves: frontiers of this moment. */
  async function runPipeline(): Promise<void> {
    const frontier = new Date().toISOString().replace('Z', '000Z');
    await put(METADATA_KEY, { properties: { 'trackman.frontier': frontier } });
    const serving = `${names.prefixes.frontiers}${names.serving.identifier}.json`;
    await put(serving, { frontier, tables: { shots: frontier } });
  }

  function startPipeline(): void {
    pipeline = setInterval(() => void runPipeline(), 3000);
  }

  const brokenPromise = `trackman-${names.metrics.lakeTarget}-promise-broken`;
  const says =
    (state: string) =>
    ({ subject }: Notification) =>
      subject?.startsWith(`${state}: "${brokenPromise}"`) === true;

  beforeAll(async () => {
    aws = await EmulatedAws.start('--minute-seconds', '2', '--schedules');
    Object.assign(process.env, aws.variables(location.account, location.region));
    glue = new GlueClient({});
    s3 = new S3Client({});
    const promiseMinutes = PROMISE_SECONDS / 60;
    const stack = monitoredStack({
      promise: { promiseMinutes, lakeWarnMinutes: promiseMinutes / 2, servingWarnMinutes: promiseMinutes / 2 },
    });
    await aws.apply(join(Testing.fullSynth(stack), 'stacks', 'stack'), location.account, location.region);
    page = await Inbox.of(names.monitoring.topics.page);
    ticket = await Inbox.of(names.monitoring.topics.ticket);
  }, 5 * MINUTE);

  afterAll(async () => {
    clearInterval(pipeline);
    await aws.stop();
  }, MINUTE);

  test(
    'a job that fails calls somebody',
    async () => {
      const { JobRunId } = await glue.send(new StartJobRunCommand({ JobName: 'ingest' }));
      const { message } = await page.await(
        'the job failed',
        ({ message }) => message['alert'] === 'trackman-job-failed',
      );
      expect(message).toMatchObject({
        runbook: 'docs/runbooks/alarms.md',
        event: {
          source: 'aws.glue',
          'detail-type': 'Glue Job State Change',
          detail: { jobName: 'ingest', jobRunId: JobRunId, state: 'FAILED' },
        },
      });
    },
    3 * MINUTE,
  );

  test(
    'what cannot be measured is named in a ticket',
    async () => {
      const { message } = await ticket.await(
        'freshness failed',
        ({ message }) => message['alert'] === 'trackman-background-job-failed',
      );
      expect(message['event']).toMatchObject({
        detail: { jobName: 'freshness', message: expect.stringContaining('trackman_lake holds no table') },
      });
    },
    3 * MINUTE,
  );

  test(
    'a pipeline that runs keeps the promise',
    async () => {
      await runPipeline();
      const Parameters = { metadata_location: `s3://${LAKE_BUCKET}/${METADATA_KEY}`, table_type: 'ICEBERG' };
      const TableInput = { Name: 'shots', Parameters };
      await glue.send(new CreateTableCommand({ DatabaseName: names.databases.lake, TableInput }));
      startPipeline();
      const { message } = await page.await('the promise holds', says('OK'));
      expect(message).toMatchObject({ OldStateValue: 'ALARM', NewStateValue: 'OK' });
    },
    3 * MINUTE,
  );

  test(
    'a pipeline that stops calls somebody',
    async () => {
      await page.clear();
      clearInterval(pipeline);
      const { message } = await page.await('the promise is broken', says('ALARM'));
      expect(message['NewStateReason']).toMatch(/was greater than the threshold \(40/);
      expect(message['Trigger']).toMatchObject({ MetricName: 'Freshness', TreatMissingData: 'breaching' });
    },
    3 * MINUTE,
  );

  test(
    'a freshness job that stops does too',
    async () => {
      startPipeline();
      await page.await('the promise holds again', says('OK'));
      await page.clear();
      await glue.send(new StopTriggerCommand({ Name: names.monitoring.freshness.schedule }));
      const { message } = await page.await('nobody knows', says('ALARM'));
      expect(message['NewStateReason']).toContain('missing datapoint');
    },
    3 * MINUTE,
  );
});

/** Text out of XML. */
function unescape(xml: string): string {
  const signs: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#10': '\n', '#13': '\r' };
  return xml.replace(/&(#?\w+);/g, (whole, name: string) => signs[name] ?? whole);
}
