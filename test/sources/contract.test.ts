import { bayTelemetry } from '../../sources/bay-telemetry';
import { inMode, lakeTableName, resolveContracts, type SourceContract } from '../../sources/contract';
import { trackmanBackend } from '../../sources/trackman-backend';

const dev = { name: 'dev' };

/** The contract with some values replaced, as somebody who is not held by types might write them. */
const contract = (values: object): SourceContract => ({ ...trackmanBackend, ...values });
const feed = (values: object): SourceContract => ({ ...bayTelemetry, ...values });
const resolve = (...contracts: SourceContract[]) => resolveContracts(dev, contracts);

test('a contract is resolved to what the jobs read', () => {
  expect(resolve(trackmanBackend)).toEqual([
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
      retention: { changeDays: 90, quarantineDays: 365 },
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

test('a contract of files is shipped as it is, with the key of its hashes', () => {
  const { name, ...values } = bayTelemetry;
  expect(resolve(bayTelemetry)).toEqual([{ source: name, ...values, pepperSecret: 'trackman/dev/pii-pepper' }]);
});

test('contracts are told by their mode', () => {
  const contracts = resolveContracts(dev);
  expect(inMode('log', contracts).map(({ slot }) => slot)).toEqual(['trackman']);
  expect(inMode('files', contracts).map(({ prefix }) => prefix)).toEqual(['telemetry/']);
});

test('a contract names nothing of another environment', () => {
  expect(JSON.stringify(resolveContracts({ name: 'prod' }))).not.toContain('dev');
});

test.each([
  ['public', 'shots', 'shots'],
  ['radar', 'shots', 'radar_shots'],
  ['public', 'users', 'players'],
])('table %s.%s is %s in the lake', (schema, table, name) => {
  const [resolved] = inMode('log', resolve(contract({ tables: { 'public.users': { lakeTable: 'players' } } })));
  expect(lakeTableName(resolved!, schema, table)).toBe(name);
});

test.each([
  [
    { mode: 'watermark' },
    'mode of source trackman-backend is "watermark": expected log or files; correct it in sources/trackman-backend.ts',
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
    { retention: { changeDays: 0, quarantineDays: 365 } },
    'retention.changeDays of source trackman-backend is 0: expected a whole number of days from 1 to 3,650',
  ],
  [{ retention: { changeDays: 30 } }, 'retention.quarantineDays of source trackman-backend is'],
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

const column = (values: object) => ({ columns: { ...bayTelemetry.columns, extra: values } });

test.each([
  [{ prefix: 'telemetry' }, 'prefix of source bay-telemetry is "telemetry": expected a folder'],
  [{ prefix: '/telemetry/' }, 'prefix of source bay-telemetry is "/telemetry/": expected a folder'],
  [{ table: 'Bay' }, 'table of source bay-telemetry is "Bay": expected a name of at most 63 lower-case letters'],
  [{ publication: 'p' }, 'publication of source bay-telemetry is "p": expected no value of this name'],
  [
    column({ type: 'bigint' }),
    'columns.extra.type of source bay-telemetry is "bigint": expected boolean, int, long, float',
  ],
  [
    column({ type: 'decimal(39, 2)' }),
    'columns.extra.type of source bay-telemetry is "decimal(39, 2)": expected boolean, int, long, float',
  ],
  [
    column({ type: 'decimal(3, 4)' }),
    'columns.extra.type of source bay-telemetry is "decimal(3, 4)": expected a scale that is not above the precision',
  ],
  [
    column({ type: 'double', pii: 'hash' }),
    'columns.extra.pii of source bay-telemetry is "hash": expected keep or drop: only string, int and long',
  ],
  [
    { columns: { ...bayTelemetry.columns, trackman_row: { type: 'long' } } },
    'columns.trackman_row of source bay-telemetry is "trackman_row": expected a name that does not begin with the platform\'s',
  ],
  [
    { columns: { phone: { type: 'string', pii: 'drop' } }, key: undefined, partitionBy: undefined },
    'columns of source bay-telemetry is ["phone"]: expected at least one that is kept',
  ],
  [{ key: ['bay'] }, 'key.0 of source bay-telemetry is "bay": expected a column that is kept and has nullable: false'],
  [{ key: ['firmware'] }, 'key.0 of source bay-telemetry is "firmware": expected a column that is kept and has'],
  [{ key: [] }, 'key of source bay-telemetry is []: expected at least one column'],
  [
    { partitionBy: ['technician_phone'] },
    'partitionBy.0 of source bay-telemetry is "technician_phone": expected a column that is kept',
  ],
  [
    { partitionBy: ['hour(calibrated_on)'] },
    'partitionBy.0 of source bay-telemetry is "hour(calibrated_on)": expected',
  ],
  [{ partitionBy: ['radar_signal'] }, 'partitionBy.0 of source bay-telemetry is "radar_signal": expected a column'],
  [{ badRowShare: 1 }, 'badRowShare of source bay-telemetry is 1: expected a share from 0 to less than 1'],
  [{ maxFileBytes: 1 }, 'maxFileBytes of source bay-telemetry is 1: expected a whole number of bytes of at least'],
  [{ serving: true }, 'serving of source bay-telemetry is true: expected false: what came as files is not served'],
])('of a feed, %j is refused', (values, message) => {
  expect(() => resolve(feed(values))).toThrow(message);
});

test.each([
  [
    { name: 'bay-telemetry' },
    'name of bay-telemetry is "bay-telemetry": expected one that bay-telemetry does not have',
  ],
  [
    { prefix: 'telemetry/indoor/' },
    'prefix of radar is "telemetry/indoor/": expected a folder that is not in telemetry/, which bay-telemetry has',
  ],
  [{ table: 'bay_telemetry' }, 'lake table of radar is "bay_telemetry": expected one that bay-telemetry does not have'],
])('two feeds that share by %j are refused', (values, message) => {
  const radar = { name: 'radar', prefix: 'radar/', table: 'radar' };
  expect(() => resolve(bayTelemetry, feed({ ...radar, ...values }))).toThrow(message);
});

test('a feed and a database that share a table are refused', () => {
  const message =
    'lake table of bay-telemetry is "players": expected one that trackman-backend public.players does not';
  expect(() => resolve(trackmanBackend, feed({ table: 'players' }))).toThrow(message);
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
