import { renderBookmarks } from '../../cli/status/bookmarks';
import { aheadOfChangeLog, lakeFreshness, type Bookmark } from '../../cli/status/freshness';

const dev = { latency: { promiseMinutes: 60 } } as Parameters<typeof lakeFreshness>[0];
const now = Date.parse('2026-03-01T12:00:00Z');

function bookmark(table: string, frontier: string | null): Bookmark {
  return at(table, 0, '0/1', frontier);
}

function at(table: string, history: number, position: string, frontier: string | null = null): Bookmark {
  const source = 'trackman-backend';
  return { target: 'lake', table, source, history, position, isCatchingUp: false, committedAt: null, frontier };
}

test('the lake is as fresh as the table that is furthest behind, whatever the time zone it was written in', () => {
  const bookmarks = [
    bookmark('shots', '2026-03-01T11:59:00Z'),
    bookmark('players', '2026-03-01T12:50:00+01:00'),
    bookmark('bays', '2026-03-01T11:58:00Z'),
  ];
  expect(lakeFreshness(dev, bookmarks, now)).toEqual({
    target: 'lake',
    frontier: '2026-03-01T12:50:00+01:00',
    secondsBehind: 600,
    promiseSeconds: 3600,
    isKept: true,
  });
});

test('the promise is broken a second after it', () => {
  const bookmarks = [bookmark('shots', '2026-03-01T11:00:00Z')];
  expect(lakeFreshness(dev, bookmarks, now).isKept).toBe(true);
  expect(lakeFreshness(dev, bookmarks, now + 1000).isKept).toBe(false);
});

test.each([
  ['no table is there', []],
  ['one table was not published', [bookmark('shots', '2026-03-01T11:59:00Z'), bookmark('bays', null)]],
  ['there is only the change log', [bookmark('changes', null)]],
])('what is not known is not fresh: %s', (_what, bookmarks) => {
  expect(lakeFreshness(dev, bookmarks, now)).toMatchObject({ frontier: null, secondsBehind: null, isKept: false });
});

test('the change log has no frontier, and needs none', () => {
  const bookmarks = [bookmark('changes', null), bookmark('shots', '2026-03-01T11:59:00Z')];
  expect(lakeFreshness(dev, bookmarks, now)).toMatchObject({ secondsBehind: 60, isKept: true });
});

test('no table may be ahead of the change log that it is made from', () => {
  const log = at('changes', 1, '1/A0000000');
  const behind = [at('at', 1, '1/A0000000'), at('before', 1, '0/FFFFFFFF'), at('of the past', 0, '9/0')];
  const ahead = [at('ahead', 1, '1/A0000001'), at('of the future', 2, '0/1')];
  expect(aheadOfChangeLog([log, ...behind, ...ahead])).toEqual(ahead);
  expect(aheadOfChangeLog(behind)).toEqual(behind); // there is no change log
});

describe('what dataengineering-db holds', () => {
  const served = (table: string, values: Partial<Bookmark>): Bookmark => ({
    ...bookmark(table, '2026-03-01T10:00:00Z'),
    target: 'dataengineering-db',
    ...values,
  });
  const log = at('changes', 1, '1/A0000000');

  test('is no part of how fresh the lake is', () => {
    const bookmarks = [bookmark('shots', '2026-03-01T11:59:00Z'), served('shots', {})];
    expect(lakeFreshness(dev, bookmarks, now)).toMatchObject({ secondsBehind: 60 });
  });

  test('is ahead of the change log only where it follows it', () => {
    const ahead = served('shots', { history: 1, position: '1/A0000001' });
    const mart = served('player_clubs', { history: null, source: 'trackman_marts', position: '7304523429854928523' });
    expect(aheadOfChangeLog([log, ahead, mart])).toEqual([ahead]);
  });

  test('is shown beside the lake', () => {
    const text = renderBookmarks([
      log,
      bookmark('shots', '2026-03-01T11:59:00Z'),
      served('bay_telemetry', { source: 'bay-telemetry', history: null, position: '7304523429854928523' }),
    ]);
    expect(text).toMatch(/lake +changes +trackman-backend +1 +1\/A0000000/);
    expect(text).toMatch(
      /dataengineering-db +bay_telemetry +bay-telemetry +snapshot 7304523429854928523 +2026-03-01 10:00:00/,
    );
  });
});
