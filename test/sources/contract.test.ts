import { lakeTableName, resolveContracts, type SourceContract } from '../../sources/contract';
import { trackmanBackend } from '../../sources/trackman-backend';

const dev = { name: 'dev' };

/** The contract with some values replaced, as somebody who is not held by types might write them. */
const contract = (values: object): SourceContract => ({ ...trackmanBackend, ...values });
const resolve = (...contracts: SourceContract[]) => resolveContracts(dev, contracts);

test('a contract is resolved to what the jobs read', () => {
  expect(resolveContracts(dev)).toEqual([
    {
      source: 'trackman-backend',
      mode: 'log',
      connection: {
        glueConnection: 'trackman-backend',
        urlParameter: '/trackman/dev/backend/url',
        caParameter: '/trackman/dev/backend/ca',
        secret: 'trackman/dev/backend',
      },
      catalogDatabase: 'trackman_backend',
      publication: 'trackman',
      slot: 'trackman',
      pepperSecret: 'trackman/dev/pii-pepper',
      walBytesPerStep: 1_073_741_824,
      inlineSnapshotBytes: 1_073_741_824,
      rejectLimit: 100,
      include: ['public.*'],
      exclude: [],
      tables: {
        'public.players': { pii: { name: 'hash', email: 'drop' }, history: true },
        'public.shots': { partitionBy: ['month(hit_at)'] },
      },
      serving: { include: ['public.*'], exclude: [] },
    },
  ]);
});

test('a contract names nothing of another environment', () => {
  expect(JSON.stringify(resolveContracts({ name: 'prod' }))).not.toContain('dev');
});

test.each([
  ['public', 'shots', 'shots'],
  ['radar', 'shots', 'radar_shots'],
  ['public', 'users', 'players'],
])('table %s.%s is %s in the lake', (schema, table, name) => {
  const [resolved] = resolve(contract({ tables: { 'public.users': { lakeTable: 'players' } } }));
  expect(lakeTableName(resolved!, schema, table)).toBe(name);
});

test.each([
  [
    { mode: 'watermark' },
    'mode of source trackman-backend is "watermark": expected log; correct it in sources/trackman-backend.ts',
  ],
  [
    { slot: 'Trackman Slot' },
    'slot of source trackman-backend is "Trackman Slot": expected a name of at most 63 lower-case letters',
  ],
  [{ include: [] }, 'include of source trackman-backend is []: expected at least one pattern'],
  [
    { include: ['shots'] },
    'include.0 of source trackman-backend is "shots": expected a table such as public.shots, in which *',
  ],
  [
    { include: ['*.shots'] },
    'include.0 of source trackman-backend is "*.shots": expected a table such as public.shots',
  ],
  [
    { walBytesPerStep: 1000 },
    'walBytesPerStep of source trackman-backend is 1000: expected a whole number of bytes of at least 1,048,576',
  ],
  [
    { tables: { shots: {} } },
    'tables.shots of source trackman-backend is "shots": expected a table such as public.shots',
  ],
  [
    { tables: { 'public.players': { pii: { email: 'erase' } } } },
    'tables.public.players.pii.email of source trackman-backend is "erase": expected keep, hash or drop',
  ],
  [
    { tables: { 'public.players': { pll: {} } } },
    'tables.public.players.pll of source trackman-backend is {}: expected no value of this name',
  ],
  [
    { tables: { 'public.shots': { partitionBy: ['week(hit_at)'] } } },
    'tables.public.shots.partitionBy.0 of source trackman-backend is "week(hit_at)": expected an Iceberg transform',
  ],
  [
    { tables: { 'public.players': { pii: { email: 'drop' }, partitionBy: ['email'] } } },
    'tables.public.players.partitionBy of source trackman-backend is "email": expected a column that is kept',
  ],
  [
    { tables: { 'public.shots': { decimals: { carry: [4, 6] } } } },
    'tables.public.shots.decimals.carry of source trackman-backend is [4,6]: expected a scale that is not above the precision',
  ],
])('%j is refused', (values, message) => {
  expect(() => resolve(contract(values))).toThrow(message);
});

describe('two sources', () => {
  const other = contract({ name: 'booking', ownerFolder: 'booking', tables: {} });

  test('with names of their own are taken', () => {
    expect(resolve(trackmanBackend, other).map(({ source }) => source)).toEqual(['trackman-backend', 'booking']);
  });

  test.each([
    [
      { name: 'trackman-backend' },
      'name of trackman-backend is "trackman-backend": expected one that trackman-backend does not have',
    ],
    [
      { ownerFolder: 'backend' },
      'ownerFolder of booking is "backend": expected one that trackman-backend does not have',
    ],
    [
      { include: ['public.shots'] },
      'lake table of booking public.shots is "shots": expected one that trackman-backend public.shots does not have; ' +
        'change one of the two contracts, for example by lakeTable',
    ],
    [{ tables: { 'radar.raw': { lakeTable: 'players' } } }, 'lake table of booking radar.raw is "players"'],
    [
      { tables: { 'radar.raw': { lakeTable: 'players_history' } } },
      'lake table of booking radar.raw is "players_history": ' +
        'expected one that the history of trackman-backend public.players does not have',
    ],
  ])('that share a name by %j are refused', (values, message) => {
    expect(() => resolve(trackmanBackend, { ...other, ...values })).toThrow(message);
  });
});
