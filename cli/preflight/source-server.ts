/** Whether a source's server can be followed: its version, its log, and who connects. */
import type { Client } from 'pg';
import type { ResolvedDatabaseContract, ResolvedLogContract } from '../../sources/contract';
import { findings, good, told, wrong, type Finding } from './finding';

const OLDEST_VERSION = 14;

interface Server {
  /** `server_version_num`, for example 160004. */
  readonly version: number;
  readonly isInRecovery: boolean;
  readonly walLevel: string;
}

export async function checkServer(
  client: Client,
  { source, mode }: ResolvedDatabaseContract,
): Promise<readonly Finding[]> {
  return findings(`server of ${source}`, async () => {
    const { rows } = await client.query<Server>(
      `select current_setting('server_version_num')::int as version, pg_is_in_recovery() as "isInRecovery",
              current_setting('wal_level') as "walLevel"`,
    );
    return judgeServer(source, mode, rows[0]!);
  });
}

export function judgeServer(
  source: string,
  mode: ResolvedDatabaseContract['mode'],
  { version, isInRecovery, walLevel }: Server,
): Finding[] {
  const major = Math.floor(version / 10_000);
  const judge = (subject: string, fits: boolean, found: string, expected: string, remedy: string): Finding =>
    fits ? good(subject, found) : wrong(subject, { found, expected, remedy });
  const judged = [
    judge(
      `version of ${source}`,
      major >= OLDEST_VERSION,
      `Postgres ${major}`,
      `Postgres ${OLDEST_VERSION} or later`,
      'its owners upgrade it',
    ),
    judge(
      `server of ${source}`,
      !isInRecovery,
      isInRecovery ? 'in recovery: a standby' : 'primary',
      'the primary',
      "its owners put the primary's address into the parameter",
    ),
  ];
  if (mode !== 'log') return judged;
  const remedy = 'its owners set it (on RDS rds.logical_replication = 1) and restart the server';
  return [...judged, judge(`wal_level of ${source}`, walLevel === 'logical', walLevel, 'logical', remedy)];
}

/** A role may make and read slots by its own attribute; on RDS, where nobody gets that, by membership. */
export async function checkRole(client: Client, { source }: ResolvedLogContract): Promise<readonly Finding[]> {
  const subject = `the platform's role in ${source}`;
  return findings(subject, async () => {
    const { rows } = await client.query<{ role: string; mayReplicate: boolean }>(
      `select rolname as role,
              rolsuper or rolreplication
              or exists (select from pg_roles r where r.rolname = 'rds_replication' and pg_has_role(r.oid, 'member'))
                as "mayReplicate"
       from pg_roles where rolname = current_user`,
    );
    const { role, mayReplicate } = rows[0]!;
    if (mayReplicate) return good(subject, `${role} may replicate`);
    return wrong(subject, {
      found: `${role} may not replicate`,
      expected: 'the right to make a replication slot and read it',
      remedy: `its owners run: ALTER ROLE "${role}" REPLICATION (on RDS: GRANT rds_replication TO "${role}")`,
    });
  });
}

interface Slot {
  readonly plugin: string;
  readonly database: string;
  readonly isHere: boolean;
  readonly isLost: boolean;
}

/** Before the first run there is none, and one must be free; afterwards it must be as `ingest` left it. */
export async function checkSlot(client: Client, { source, slot }: ResolvedLogContract): Promise<readonly Finding[]> {
  const subject = `replication slot ${slot} of ${source}`;
  return findings(subject, async () => {
    const { rows } = await client.query<Slot>(
      `select plugin, database, database = current_database() as "isHere", wal_status = 'lost' as "isLost"
       from pg_replication_slots where slot_name = $1`,
      [slot],
    );
    return rows[0] ? judgeSlot(subject, rows[0]) : checkFreeSlot(client, subject);
  });
}

export function judgeSlot(subject: string, { plugin, database, isHere, isLost }: Slot): Finding {
  if (plugin !== 'pgoutput' || !isHere) {
    return wrong(subject, {
      found: `is there, of ${plugin} in database ${database}`,
      expected: 'none, or one of pgoutput in this database',
      remedy: 'you give the contract in sources/ a slot name of its own',
    });
  }
  if (!isLost) return good(subject, 'is there, its log kept');
  return wrong(subject, {
    found: 'was invalidated: the server removed log that was not read yet',
    expected: 'one whose log is kept',
    remedy: 'its owners raise max_slot_wal_keep_size and drop the slot; ingest then copies the tables again',
  });
}

async function checkFreeSlot(client: Client, subject: string): Promise<Finding> {
  const { rows } = await client.query<{ used: number; allowed: number }>(
    `select (select count(*)::int from pg_replication_slots) as used,
            current_setting('max_replication_slots')::int as allowed`,
  );
  const { used, allowed } = rows[0]!;
  const found = `not made yet; ${used} of ${allowed} slots are taken`;
  if (used < allowed) return good(subject, found);
  const remedy = 'its owners raise max_replication_slots and restart the server';
  return wrong(subject, { found, expected: 'a free one', remedy });
}

/** @param pageGiB how much log a source keeps when somebody is called */
export async function checkSlotLimit(
  client: Client,
  { source }: ResolvedLogContract,
  pageGiB: number,
): Promise<readonly Finding[]> {
  const subject = `max_slot_wal_keep_size of ${source}`;
  return findings(subject, async () => {
    const { rows } = await client.query<{ megabytes: number }>(
      "select setting::int as megabytes from pg_settings where name = 'max_slot_wal_keep_size'",
    );
    return judgeSlotLimit(subject, rows[0]!.megabytes, pageGiB);
  });
}

/** @param megabytes −1 is no limit */
export function judgeSlotLimit(subject: string, megabytes: number, pageGiB: number): Finding {
  const found = `${megabytes} MB`;
  if (megabytes > pageGiB * 1024) return good(subject, found);
  const limit = {
    expected: `more than the ${pageGiB} GiB at which somebody is called, and less than half of the disk`,
    remedy: 'its owners set it; where the disk is too small for that, you lower alarms.slotLagGiB',
  };
  if (megabytes < 0) {
    return told(subject, {
      found: 'no limit: when the platform stands still, the log grows until the disk is full',
      ...limit,
    });
  }
  return told(subject, { found: `${found}: the slot may be lost before anybody is called`, ...limit });
}
