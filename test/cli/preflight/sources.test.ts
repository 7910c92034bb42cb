import { renderFinding, type Finding } from '../../../cli/preflight/finding';
import { judgePublication, judgeTables, type Table } from '../../../cli/preflight/source-publication';
import * as watermarks from '../../../cli/preflight/source-watermarks';
import { judgeServer, judgeSlot, judgeSlotLimit } from '../../../cli/preflight/source-server';

const wrongOnes = (found: readonly Finding[]): string[] =>
  found.filter(({ state }) => state !== 'good').map(renderFinding);

describe('the server', () => {
  const fitting = { version: 140_012, isInRecovery: false, walLevel: 'logical' };

  test('that can be followed', () => expect(wrongOnes(judgeServer('golf', 'log', fitting))).toEqual([]));

  test('needs no logical log to be read by watermarks', () =>
    expect(wrongOnes(judgeServer('golf', 'watermark', { ...fitting, walLevel: 'replica' }))).toEqual([]));

  test.each([
    [{ version: 130_014 }, '✗ version of golf: Postgres 13; expected Postgres 14 or later'],
    [{ isInRecovery: true }, '✗ server of golf: in recovery: a standby; expected the primary'],
    [{ walLevel: 'replica' }, '✗ wal_level of golf: replica; expected logical; its owners set it (on RDS rds.logical'],
  ])('with %j cannot, and only that is told', (deviation, line) => {
    expect(wrongOnes(judgeServer('golf', 'log', { ...fitting, ...deviation }))).toEqual([
      expect.stringContaining(line),
    ]);
  });
});

test.each([
  [{}, 'good', 'its log kept'],
  [{ isLost: true }, 'wrong', 'was invalidated'],
  [{ isHere: false }, 'wrong', 'of pgoutput in database trackman'],
  [{ plugin: 'wal2json' }, 'wrong', 'of wal2json'],
])('a slot with %j is %s', (deviation, state, found) => {
  const slot = { plugin: 'pgoutput', database: 'trackman', isHere: true, isLost: false, ...deviation };
  expect(judgeSlot('slot', slot)).toMatchObject({ state, found: expect.stringContaining(found) });
});

describe('how much log the server keeps for a slot', () => {
  const judge = (megabytes: number) => judgeSlotLimit('limit', megabytes, 50);

  test('is more than what somebody is called at', () => {
    expect(judge(51_201)).toMatchObject({ state: 'good', found: '51201 MB' });
  });

  test.each([
    [-1, 'no limit: when the platform stands still'],
    [51_200, '51200 MB: the slot may be lost before anybody is called'],
    [0, '0 MB: the slot may be lost'],
  ])('%d MB is told to the owners, and what to set', (megabytes, found) => {
    expect(judge(megabytes)).toMatchObject({
      state: 'told',
      found: expect.stringContaining(found),
      expected: 'more than the 50 GiB at which somebody is called, and less than half of the disk',
    });
  });
});

describe('the publication', () => {
  const fitting = { isForAllTables: false, isComplete: true, isViaRoot: true };

  test('that is complete', () => expect(judgePublication('p', 'trackman', fitting).state).toBe('good'));

  test.each([
    [undefined, 'missing', 'CREATE PUBLICATION "trackman" FOR TABLE'],
    [{ ...fitting, isForAllTables: true }, 'is FOR ALL TABLES', 'after dropping it'],
    [{ ...fitting, isComplete: false }, 'leaves kinds of changes out', 'ALTER PUBLICATION "trackman" SET (publish ='],
    [{ ...fitting, isViaRoot: false }, 'publishes partitions by themselves', 'publish_via_partition_root = true'],
  ])('%j is wrong, and its owner is told what to run', (publication, found, remedy) => {
    expect(judgePublication('p', 'trackman', publication)).toMatchObject({
      state: 'wrong',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });
});

describe('tables', () => {
  const contract = { source: 'golf', publication: 'trackman', include: ['public.*'] };
  const table = (name: string, deviation: Partial<Table> = {}): Table => ({
    name,
    isPublished: true,
    isWhole: true,
    isReadable: true,
    replicaIdentity: 'd',
    hasKey: true,
    ...deviation,
  });

  test('that can be followed are one line', () => {
    expect(judgeTables(contract, [table('public.bays'), table('public.shots')]).map(renderFinding)).toEqual([
      '✓ tables of golf: 2 can be followed: public.bays, public.shots',
    ]);
  });

  test.each<[Partial<Table>, string]>([
    [{ isPublished: false }, 'ALTER PUBLICATION "trackman" ADD TABLE "public"."shots"'],
    [{ isWhole: false }, 'row filter'],
    [{ isReadable: false }, 'SELECT on "public"."shots"'],
    [{ replicaIdentity: 'n' }, 'ALTER TABLE "public"."shots" REPLICA IDENTITY DEFAULT'],
    [{ hasKey: false }, 'has no primary key'],
  ])('with %j cannot be: a line of its own says who does what', (deviation, said) => {
    const lines = judgeTables(contract, [table('public.bays'), table('public.shots', deviation)]).map(renderFinding);
    expect(lines).toEqual([
      '✓ tables of golf: 1 can be followed: public.bays',
      expect.stringMatching(/^✗ table public\.shots: /),
    ]);
    expect(lines[1]).toContain(said);
  });

  test('none at all is wrong', () => {
    expect(judgeTables(contract, [])).toEqual([
      expect.objectContaining({ state: 'wrong', found: 'none can be followed' }),
    ]);
  });
});

describe('tables that are read by watermarks', () => {
  const contract = {
    source: 'clubs',
    include: ['membership.*'],
    watermark: { column: 'updated_at', setBy: 'trigger' as const },
    tables: { 'membership.visits': { watermark: { column: 'entered_at', setBy: 'default' as const } } },
  };
  const table = (name: string, values: Partial<watermarks.Table> = {}): watermarks.Table => ({
    name: `membership.${name}`,
    isReadable: true,
    hasKey: true,
    times: ['updated_at'],
    ...values,
  });

  test('are told, each with its own watermark', () => {
    const tables = [table('members'), table('visits', { times: ['entered_at'] })];
    expect(watermarks.judgeTables(contract, tables).map(renderFinding)).toEqual([
      expect.stringContaining('✓ tables of clubs: 2 can be read: membership.members, membership.visits'),
    ]);
  });

  test.each([
    [{ isReadable: false }, 'may not be read; expected the right to read it'],
    [{ hasKey: false }, 'has no primary key; expected one that is not deferrable'],
    [{ times: ['created_at'] }, 'has no watermark updated_at; expected a column of this name'],
  ])('are refused with %j', (deviation, line) => {
    const lines = watermarks.judgeTables(contract, [table('members', deviation)]).map(renderFinding);
    expect(lines).toEqual([
      expect.stringContaining('none can be read'),
      expect.stringContaining(`table membership.members: ${line}`),
    ]);
  });
});
