/** A Postgres that nobody made for the platform: a server of another AWS, with odd tables. */
import {
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
  DescribeDBInstancesCommand,
  ModifyDBParameterGroupCommand,
  RDSClient,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import { Client } from 'pg';
import { EmulatedAws } from './emulated-aws';

const ACCOUNT = '999999999999';
const REGION = 'eu-central-1';
const DATABASE = 'Shop';
const OWNER = 'shop_owner';
export const OWNERS_PASSWORD = 'owners:canary#1';

/** Followed: composite key, quoted names, partitions, a generated column. Not: no key, unlogged, identity nothing. */
const SCHEMA = `
  create schema sales;
  create table sales.order_lines (order_id bigint, line smallint, sku text not null, price numeric(10, 2),
    quantity integer, amount numeric(12, 2) generated always as (price * quantity) stored,
    primary key (order_id, line));
  create table public."Customers" ("Id" uuid primary key default gen_random_uuid(), "FullName" text, email text);
  create table public.readings (device integer, read_at timestamptz, value double precision,
    primary key (device, read_at)) partition by range (read_at);
  create table public.readings_2025 partition of public.readings for values from ('2025-01-01') to ('2026-01-01');
  create table public.readings_rest partition of public.readings default;
  create table public.audit (at timestamptz, what text);
  create unlogged table public.cache (k text primary key, v text);
  create table public.silent (id integer primary key);
  alter table public.silent replica identity nothing;
  insert into sales.order_lines (order_id, line, sku, price, quantity)
    select o, l, 'sku-' || o % 7, o * 1.25, l from generate_series(1, 200) o, generate_series(1, 3) l;
  insert into public."Customers" ("FullName", email) select 'Name ' || i, 'c' || i || '@example.com'
    from generate_series(1, 50) i;
  insert into public.readings select i % 5, timestamptz '2025-11-01' + i * interval '6 h', sin(i)
    from generate_series(1, 400) i;
  insert into public.audit values (now(), 'made');
`;

export class OwnPostgres {
  private constructor(
    private readonly aws: EmulatedAws,
    private readonly host: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<OwnPostgres> {
    const aws = await EmulatedAws.start();
    const rds = new RDSClient({
      endpoint: aws.endpoint,
      region: REGION,
      credentials: { accessKeyId: `AKIAADMN${ACCOUNT}`, secretAccessKey: 'any' },
    });
    const DBParameterGroupName = 'shop';
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName,
        DBParameterGroupFamily: 'postgres16',
        Description: 'Logical decoding; TLS is offered and not required',
      }),
    );
    await rds.send(
      new ModifyDBParameterGroupCommand({
        DBParameterGroupName,
        Parameters: [
          { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' },
          { ParameterName: 'rds.force_ssl', ParameterValue: '0', ApplyMethod: 'immediate' },
        ],
      }),
    );
    const DBInstanceIdentifier = 'shop';
    await rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier,
        DBParameterGroupName,
        Engine: 'postgres',
        EngineVersion: '16',
        DBInstanceClass: 'db.t4g.medium',
        AllocatedStorage: 20,
        DBName: DATABASE,
        MasterUsername: OWNER,
        MasterUserPassword: OWNERS_PASSWORD,
      }),
    );
    await waitUntilDBInstanceAvailable(
      { client: rds, maxWaitTime: 60, minDelay: 1, maxDelay: 1 },
      { DBInstanceIdentifier },
    );
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
    const { Address, Port } = DBInstances![0]!.Endpoint!;
    const postgres = new OwnPostgres(aws, Address!, Port!);
    await postgres.run(SCHEMA);
    return postgres;
  }

  stop(): Promise<void> {
    return this.aws.stop();
  }

  get place(): string {
    return `${this.host}:${this.port}/${DATABASE}`;
  }

  /** @param password none: PGPASSWORD has it */
  url(user: string, password?: string, options = ''): string {
    return `postgresql://${user}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@${this.place}${options}`;
  }

  get owners(): string {
    return this.url(OWNER, OWNERS_PASSWORD);
  }

  /** By verified TLS. */
  get tlsOptions(): string {
    return `?sslmode=verify-full&sslrootcert=${encodeURIComponent(this.aws.caFile)}`;
  }

  /** As the owner. @returns the rows of the only statement */
  async run(sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({
      host: this.host,
      port: this.port,
      database: DATABASE,
      user: OWNER,
      password: OWNERS_PASSWORD,
    });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }
}
