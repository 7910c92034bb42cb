/** Plays the owners of the clubs' membership system, which is a database on the server of trackman-backend. */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import type { Environment } from '../envs/environment';
import { clubMemberships } from '../sources/club-memberships';
import { connectAsOwner, handOver, sqlFile, type SourceOwner } from './source';
import type { Changes } from './traffic';

const DATABASE = 'clubs';
const PLATFORM_ROLE = 'trackman_reader';

/** Creates and fills the database and hands the platform its address, authority and credentials. */
export async function createClubs(server: SourceOwner, environment: Environment): Promise<void> {
  const master = await connectAsOwner(server);
  try {
    await master.query(`create database ${DATABASE}`);
  } finally {
    await master.end();
  }
  const owner = { ...server, database: DATABASE };
  const password = randomBytes(24).toString('base64url');
  const client = await connectAsOwner(owner);
  try {
    await client.query(sqlFile('clubs.sql'));
    await client.query(`alter role ${PLATFORM_ROLE} password ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
  await handOver(environment, clubMemberships.ownerFolder, owner, { username: PLATFORM_ROLE, password });
}

/** Changes of the kinds that a watermark tells, one of them committed after what began later. */
export async function runClubsTraffic(server: SourceOwner): Promise<Changes> {
  const owner = { ...server, database: DATABASE };
  const main = await connectAsOwner(owner);
  const late = await connectAsOwner(owner);
  try {
    const changes = { inserted: 0, updated: 0, deleted: 0 };
    for (const client of [main, late]) await client.query('set search_path = membership');
    // Its rows are locked until it commits: nothing else may touch them meanwhile.
    await late.query('begin');
    changes.updated += await count(late, `update members set tier = 'gold' where id % 10 = 3`);
    changes.inserted += await count(
      main,
      `insert into members select i, 1, 'Member ' || i, 'member' || i || '@example.com', 'silver', 49.5, '2026-09-01'
       from generate_series(301, 310) as i`,
    );
    changes.inserted += await count(main, 'insert into visits (member_id) select id from members where id <= 40');
    changes.updated += await count(main, 'update bookings set minutes = minutes + 30 where member_id % 9 = 0');
    changes.updated += await count(main, 'update members set cancelled_at = null where id = 20');
    // The rows stay, and say that they are deleted.
    changes.deleted += await count(main, 'update members set cancelled_at = now() where id between 104 and 108');
    changes.deleted += await count(main, 'update bookings set withdrawn = true where member_id = 7 and not withdrawn');
    await late.query('commit');
    return changes;
  } finally {
    await Promise.all([main.end(), late.end()]);
  }
}

async function count(client: Client, statement: string): Promise<number> {
  const { rowCount } = await client.query(statement);
  return rowCount ?? 0;
}
