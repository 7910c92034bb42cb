/** Live traffic on the sources, of the kinds that change data capture gets wrong. */
import type { Client } from 'pg';
import { runClubsTraffic } from './clubs';
import { connectAsOwner, type SourceOwner } from './source';

/** Rows that the traffic touched, over all tables. */
export interface Changes {
  inserted: number;
  updated: number;
  deleted: number;
}

/** Runs the traffic and returns once all of it is committed. `shots` is the size of the history it runs on. */
export async function runTraffic(owner: SourceOwner, shots: number): Promise<Changes> {
  const [backend, clubs] = await Promise.all([runBackendTraffic(owner, shots), runClubsTraffic(owner)]);
  return {
    inserted: backend.inserted + clubs.inserted,
    updated: backend.updated + clubs.updated,
    deleted: backend.deleted + clubs.deleted,
  };
}

async function runBackendTraffic(owner: SourceOwner, shots: number): Promise<Changes> {
  const main = await connectAsOwner(owner);
  const late = await connectAsOwner(owner);
  try {
    const changes = { inserted: 0, updated: 0, deleted: 0 };
    // Begun first, committed last: what a bookmark on ids or timestamps would have stepped over.
    await late.query('begin');
    changes.inserted += await count(late, insertShots(shots, 1, 5));

    changes.inserted += await count(main, newSession());
    changes.inserted += await count(main, insertShots(shots, 101, 400));
    changes.updated += await count(main, closeSession());
    changes.updated += await count(main, correctDistances());
    changes.updated += await count(main, annotateLargeShots());
    changes.updated += await count(main, renamePlayer());
    changes.updated += await count(main, renumberShot(shots));
    changes.deleted += await count(main, deleteMisreads());
    changes.updated += await count(main, detachSessions());
    changes.deleted += await count(main, erasePlayer());

    await late.query('commit');
    return changes;
  } finally {
    await main.end();
    await late.end();
  }
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

async function count(client: Client, { text, values }: Statement): Promise<number> {
  const { rowCount } = await client.query(text, [...values]);
  return rowCount ?? 0;
}

function newSession(): Statement {
  return {
    text: `insert into sessions
           select md5('live session')::uuid, p.id, 1, now() - interval '40 minutes', null,
                  (now() - interval '40 minutes') at time zone 'Europe/Copenhagen', interval '1 hour', 'live'
           from (select id from players order by id limit 1) as p`,
    values: [],
  };
}

/** `count` shots whose ids follow the history's, from `offset` on, in a session of the history. */
function insertShots(shots: number, offset: number, rows: number): Statement {
  return {
    text: `insert into shots
           select $1::bigint + $2::bigint + i, md5('session1')::uuid, 1000 + i, 'driver', 70 + (i % 10) * 0.35, 48.5, 1.45,
                  11.8, 2600 + i, 220 + (i % 30), 232 + (i % 30), (i % 21) - 10,
                  timestamptz '2026-09-30 18:00Z' + make_interval(secs => i), jsonb_build_object('radar', 'TM4', 'live', true)
           from generate_series(1, $3::integer) as i`,
    values: [shots, offset, rows],
  };
}

function closeSession(): Statement {
  return { text: `update sessions set ended_at = now() where id = md5('live session')::uuid`, values: [] };
}

/** Late corrections: the radar was recalibrated. */
function correctDistances(): Statement {
  return {
    text: `update shots set carry = carry + 1.25, total = total + 1.25 where id % 400 = 7`,
    values: [],
  };
}

/** Updates beside a large value: Postgres does not send the unchanged `raw`. */
function annotateLargeShots(): Statement {
  return { text: `update shots set side = side + 0.5 where id % 50 = 0 and id <= 5000`, values: [] };
}

function renamePlayer(): Statement {
  return {
    text: `update players set name = name || ' "the hammer"', tags = array['renamed', null, 'a,b'], handicap = null
           where id = md5('player1')::uuid`,
    values: [],
  };
}

/** A primary key that changes, on a row whose large value is not sent. */
function renumberShot(shots: number): Statement {
  return { text: `update shots set id = $1::bigint + 100000 where id = 50`, values: [shots] };
}

function deleteMisreads(): Statement {
  return { text: `delete from shots where id % 1000 = 13`, values: [] };
}

/** A player asks to be forgotten; the sessions stay, without the player. */
function detachSessions(): Statement {
  return { text: `update sessions set player_id = null where player_id = md5('player2')::uuid`, values: [] };
}

function erasePlayer(): Statement {
  return { text: `delete from players where id = md5('player2')::uuid`, values: [] };
}
