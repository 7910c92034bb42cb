import { bayTelemetry } from '../../sources/bay-telemetry';
import { clubMemberships } from '../../sources/club-memberships';
import { inMode, lakeTableName, resolveContracts, withDatabases, type SourceContract } from '../../sources/contract';
import { trackmanBackend } from '../../sources/trackman-backend';

const dev = { name: 'dev' };

/** The contract with some values replaced, as somebody who is not held by types might write them. */
const contract = (values: object): SourceContract => ({ ...trackmanBackend, ...values });
const indexed = (indexes: object) => ({ serving: { include: ['public.*'], exclude: [], indexes } });
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
        'public.shots': trackmanBackend.tables['public.shots'],
      },
      serving: trackmanBackend.serving,
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
  expect(inMode('watermark', contracts).map(({ reconcileHours }) => reconcileHours)).toEqual([24]);
  expect(withDatabases(contracts).map(({ source }) => source)).toEqual(['club-memberships', 'trackman-backend']);
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
    { mode: 'trigger' },
    'mode of source trackman-backend is "trigger": expected log, watermark or files; ' +
      'correct it in sources/trackman-backend.ts',
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
  [
    indexed({ 'radar.shots': [['id']] }),
    'serving.indexes.radar.shots of source trackman-backend is [["id"]]: expected no indexes, or a table that is followed',
  ],
  [
    { ...indexed({ 'public.bays': [['id']] }), exclude: ['public.bays'] },
    'serving.indexes.public.bays of source trackman-backend is [["id"]]: expected no indexes, or a table that is',
  ],
  [
    indexed({ 'public.players': [['handicap'], ['handicap', 'email']] }),
    'serving.indexes.public.players.1 of source trackman-backend is ["handicap","email"]: expected columns that are kept',
  ],
  [
    indexed({ 'public.shots': [['club'], ['carry'], ['club']] }),
    'serving.indexes.public.shots.2 of source trackman-backend is ["club"]: expected columns that are kept, each once, and',
  ],
  [indexed({ 'public.shots': [[]] }), 'serving.indexes.public.shots.0 of source trackman-backend is []: expected at'],
])('%j is refused', (values, message) => {
  expect(() => resolve(contract(values))).toThrow(message);
});

const action = 'warn';
const ofMembers = { rule: 'reference', column: 'member_id', table: 'membership.members', to: 'id', action };

test('a contract of watermarks is shipped as it is, with the names of its environment', () => {
  const { name, ownerFolder, ...values } = clubMemberships;
  expect(resolve(clubMemberships)).toEqual([
    {
      source: name,
      ...values,
      connection: {
        glueConnection: 'club-memberships',
        urlParameter: `/trackman/dev/${ownerFolder}/url`,
        caParameter: `/trackman/dev/${ownerFolder}/ca`,
        secret: `trackman/dev/${ownerFolder}`,
      },
      catalogDatabase: 'trackman_backend',
      pepperSecret: 'trackman/dev/pii-pepper',
    },
  ]);
});

test.each([
  [{ watermark: undefined }, 'watermark of source club-memberships is missing: expected a column and who sets it'],
  [
    { watermark: { column: 'updated_at', setBy: 'application' } },
    'watermark.setBy of source club-memberships is "application": expected trigger or default',
  ],
  [{ marginSeconds: 0 }, 'marginSeconds of source club-memberships is 0: expected a number of seconds from 1 to 3,600'],
  [
    { reconcileHours: 0.5 },
    'reconcileHours of source club-memberships is 0.5: expected a whole number of hours from 1 to 168',
  ],
  [{ slot: 'trackman' }, 'slot of source club-memberships is "trackman": expected no value of this name'],
  [
    { serving: { include: ['membership.*'], exclude: [], indexes: { 'public.members': [['id']] } } },
    'serving.indexes.public.members of source club-memberships is [["id"]]: expected no indexes, or a table that is',
  ],
  [
    {
      tables: {
        'membership.members': { pii: { name: 'drop' }, quality: [{ rule: 'notNull', column: 'name', action }] },
      },
    },
    'quality.0.column of source club-memberships is "name": expected a column that is kept',
  ],
  [
    { tables: { 'membership.visits': { quality: [ofMembers] } } },
    'tables.membership.visits.quality.0.rule of source club-memberships is "reference": expected another kind',
  ],
  [
    { tables: { 'membership.members': { softDelete: 'updated_at' } } },
    'tables.membership.members.softDelete of source club-memberships is "updated_at": ' +
      'expected another column than the watermark',
  ],
  [
    { tables: { 'membership.members': { pii: { email: 'drop' }, partitionBy: ['email'] } } },
    'tables.membership.members.partitionBy of source club-memberships is "email": expected a column that is kept',
  ],
])('of watermarks, %j is refused', (values, message) => {
  expect(() => resolve({ ...clubMemberships, ...values } as SourceContract)).toThrow(message);
});

test('a soft delete is of watermarks only: a log tells of rows that are removed', () => {
  expect(() => resolve(contract({ tables: { 'public.players': { softDelete: 'gone' } } }))).toThrow(
    'tables.public.players.softDelete of source trackman-backend is "gone": expected no value of this name',
  );
});

const quality = (...rules: object[]) => ({ tables: { 'public.shots': { quality: rules } } });
const ofBays = { rule: 'reference', column: 'bay_id', table: 'public.bays', to: 'id', action };

test('rules on quality are shipped as they are', () => {
  const rules = [
    { rule: 'notNull', column: 'club', action: 'quarantine' },
    { rule: 'range', column: 'hit_at', min: '2015-01-01', max: '2099-12-31T23:59:59', action },
    { rule: 'range', column: 'carry', max: 400.5, action: 'fail' },
    { rule: 'allowed', column: 'shot_number', values: [1, 2], action },
    ofBays,
    { rule: 'rowCount', min: 1, max: 10, maxLoss: 0.2, maxGrowth: 3, action: 'fail' },
  ];
  const [resolved] = inMode('log', resolve(contract(quality(...rules))));
  expect(resolved!.tables['public.shots']!.quality).toEqual(rules);
});

test.each([
  [quality(), '.quality of source trackman-backend is []: expected at least one rule'],
  [
    quality({ rule: 'unique', column: 'id', action }),
    '.quality.0.rule of source trackman-backend is "unique": expected notNull, range',
  ],
  [
    quality({ rule: 'notNull', column: 'club', action: 'drop' }),
    '.0.action of source trackman-backend is "drop": expected warn, quar',
  ],
  [quality({ rule: 'range', column: 'carry', action }), 'expected min, max or both'],
  [
    quality({ rule: 'range', column: 'carry', min: 2, max: 1, action }),
    '.0.max of source trackman-backend is 1: expected at least min, which is 2',
  ],
  [
    quality({ rule: 'range', column: 'carry', min: 2, max: '2026-01-01', action }),
    'is "2026-01-01": expected of the kind that min is',
  ],
  [
    quality({ rule: 'range', column: 'hit_at', min: '2026-13-01', action }),
    '.0.min of source trackman-backend is "2026-13-01": expected a number, or a time in UTC',
  ],
  [
    quality({ rule: 'allowed', column: 'club', values: [], action }),
    '.0.values of source trackman-backend is []: expected at least one',
  ],
  [
    quality({ rule: 'allowed', column: 'club', values: ['a', 1], action }),
    '.0.values of source trackman-backend is ["a",1]: expected values of one kind',
  ],
  [quality({ rule: 'rowCount', action }), 'expected at least one limit'],
  [
    quality({ rule: 'rowCount', min: 1, action: 'quarantine' }),
    '.0.action of source trackman-backend is "quarantine": expected warn or fail',
  ],
  [
    quality({ rule: 'rowCount', maxLoss: 1.5, action }),
    '.0.maxLoss of source trackman-backend is 1.5: expected a share of at most 1',
  ],
  [
    quality({ rule: 'notNull', column: 'club', action }, { rule: 'notNull', column: 'club', action: 'fail' }),
    'quality.1 of source trackman-backend is "notNull(club)": expected one rule of a kind for a column',
  ],
  [
    {
      tables: { 'public.players': { pii: { email: 'drop' }, quality: [{ rule: 'notNull', column: 'email', action }] } },
    },
    'tables.public.players.quality.0.column of source trackman-backend is "email": expected a column that is kept',
  ],
  [
    {
      tables: {
        'public.players': { pii: { name: 'hash' }, quality: [{ rule: 'range', column: 'name', min: 1, action }] },
      },
    },
    'is "name": expected a column that is not hashed: range is of the value itself',
  ],
  [
    { tables: { 'radar.raw': { quality: [{ rule: 'notNull', column: 'id', action }] } } },
    'tables.radar.raw.quality of source trackman-backend is "radar.raw": expected rules of a table that the contract follows',
  ],
  [quality({ ...ofBays, table: 'radar.bays' }), 'is "radar.bays": expected another table that the contract follows'],
  [
    quality({ ...ofBays, table: 'public.shots' }),
    'is "public.shots": expected another table that the contract follows',
  ],
  [
    { tables: { 'public.shots': { quality: [ofBays] }, 'public.bays': { pii: { id: 'drop' } } } },
    'quality.0.to of source trackman-backend is "id": expected a column that is kept of public.bays',
  ],
  [
    { tables: { 'public.shots': { quality: [ofBays] }, 'public.bays': { pii: { id: 'hash' } } } },
    'quality.0.to of source trackman-backend is "id": expected a column that is hashed like bay_id',
  ],
  [
    { tables: { 'public.shots': { history: true, quality: [{ ...ofBays, action: 'quarantine' }] } } },
    'quality.0.action of source trackman-backend is "quarantine": expected warn or fail on a table with history',
  ],
  [
    {
      tables: {
        'public.shots': { quality: [ofBays] },
        'public.bays': { quality: [{ ...ofBays, table: 'public.players' }] },
        'public.players': { quality: [{ ...ofBays, table: 'public.shots' }] },
      },
    },
    'is "public.bays": expected a table that does not refer to public.shots in turn',
  ],
])('%j is refused by what it says of quality', (values, message) => {
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
  [
    { quality: [{ ...ofBays }] },
    'quality.0.rule of source bay-telemetry is "reference": expected notNull, range, allowed or row',
  ],
  [
    { quality: [{ rule: 'notNull', column: 'radar', action }] },
    'quality.0.column of source bay-telemetry is "radar": expected a column of the feed',
  ],
  [
    { quality: [{ rule: 'range', column: 'firmware', min: 1, action }] },
    'expected a rule for values of type string, which column firmware has',
  ],
  [
    { quality: [{ rule: 'range', column: 'measured_at', min: 1, action }] },
    'expected a rule for values of type timestamptz',
  ],
  [
    { quality: [{ rule: 'allowed', column: 'bay_id', values: [1.5], action }] },
    'expected a rule for values of type int',
  ],
  [
    { quality: [{ rule: 'allowed', column: 'humidity', values: [1], action }] },
    'expected a rule for values of type float',
  ],
  [
    { quality: [{ rule: 'rowCount', maxLoss: 0.1, action }] },
    'quality.0.maxLoss of source bay-telemetry is 0.1: expected no',
  ],
  [{ badRowShare: 1 }, 'badRowShare of source bay-telemetry is 1: expected a share from 0 to less than 1'],
  [{ maxFileBytes: 1 }, 'maxFileBytes of source bay-telemetry is 1: expected a whole number of bytes of at least'],
  [{ serving: true }, 'serving of source bay-telemetry is true: expected false or { indexes }'],
  [
    { key: undefined },
    'key of source bay-telemetry is missing: expected columns by which dataengineering-db tells its',
  ],
  [
    { serving: { indexes: [['technician_phone']] } },
    'serving.indexes.0 of source bay-telemetry is ["technician_phone"]: expected columns that are kept, each once',
  ],
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
  const serving = { include: ['public.*'], exclude: [] };
  const other = contract({ name: 'booking', ownerFolder: 'booking', tables: {}, serving });

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
