import { environments } from '../../envs';
import { defineEnvironment } from '../../envs/environment';

const minimal = { name: 'test', account: '123456789012' };

/** Deltas as somebody who is not held by types might write them. */
const define = (deltas: object) => defineEnvironment({ ...minimal, ...deltas });

test('an environment that says nothing else has the defaults', () => {
  expect(defineEnvironment(minimal)).toEqual({
    name: 'test',
    account: '123456789012',
    region: 'eu-central-1',
    tags: { owner: 'data-engineering' },
    deletionProtection: true,
    latency: { promiseMinutes: 60, startMinutes: 2, ingestMinutes: 8, publishMinutes: 8, retryMinutes: 10 },
    schedules: {
      crawl: { everyMinutes: 30, offsetMinutes: 0 },
      pipeline: { everyMinutes: 30, offsetMinutes: 10 },
    },
    sparkJobs: { workerType: 'G.1X', workers: 2 },
    servingDb: { instanceClass: 'db.t4g.medium', storageGiB: 20, maxStorageGiB: 100, backupDays: 7 },
    lake: { versionDays: 30 },
    analytics: { maxScannedBytes: 10_000_000_000, resultDays: 30 },
  });
});

test('a delta changes its value and leaves its neighbours', () => {
  const environment = defineEnvironment({ ...minimal, servingDb: { storageGiB: 50 }, tags: { costCentre: '7' } });
  expect(environment.servingDb).toEqual({
    instanceClass: 'db.t4g.medium',
    storageGiB: 50,
    maxStorageGiB: 100,
    backupDays: 7,
  });
  expect(environment.tags).toEqual({ owner: 'data-engineering', costCentre: '7' });
});

test('every environment has a name and an account of its own', () => {
  expect(environments.map(({ name }) => name)).toEqual(['dev']);
  expect(new Set(environments.map(({ account }) => account)).size).toBe(environments.length);
});

test.each([
  [
    { account: '1234' },
    'account of environment test is "1234": expected the 12 digits of an AWS account, as text; set it in envs/test.ts',
  ],
  [
    { account: 123456789012 },
    'account of environment test is 123456789012: expected the 12 digits of an AWS account, as text',
  ],
  [
    { name: 'Test' },
    'name of environment Test is "Test": expected 2 to 12 lower-case letters and digits, a letter first',
  ],
  [{ region: 'frankfurt' }, 'region of environment test is "frankfurt": expected an AWS region such as eu-central-1'],
  [
    { servingDb: { storageGiB: 5 } },
    'servingDb.storageGiB of environment test is 5: expected a whole number of GiB from 20 to 65,536',
  ],
  [
    { servingDb: { backupDays: 1.5 } },
    'servingDb.backupDays of environment test is 1.5: expected a whole number of days from 1 to 35',
  ],
  [
    { servingDb: { storageGiB: 200 } },
    'servingDb.maxStorageGiB of environment test is 100: expected more than storageGiB, 200 GiB, so that storage can grow',
  ],
  [
    { sparkJobs: { workerType: 'G.3X' } },
    'sparkJobs.workerType of environment test is "G.3X": expected one of G.1X, G.2X, G.4X, G.8X',
  ],
  [
    { sparkJobs: { workers: 1 } },
    'sparkJobs.workers of environment test is 1: expected a whole number of workers from 2 to 299',
  ],
  [
    { sparkJobs: { wokers: 3 } },
    'sparkJobs.wokers of environment test is 3: expected no value of this name; set it in envs/test.ts',
  ],
  [
    { lake: { versionDays: undefined } },
    'lake.versionDays of environment test is missing: expected a whole number of days from 1 to 3,650',
  ],
  [
    { schedules: { crawl: { everyMinutes: 45 } } },
    'schedules.crawl of environment test is {"everyMinutes":45,"offsetMinutes":0}: expected a period that divides the hour',
  ],
  [
    { latency: { ingestMinutes: 20 } },
    'latency.promiseMinutes of environment test is 60: expected at least 30 + 2 + 20 + 8 + 10 = 70 minutes',
  ],
  [
    { schedules: { pipeline: { everyMinutes: 60 } } },
    'latency.promiseMinutes of environment test is 60: expected at least 60 + 2 + 8 + 8 + 10 = 88 minutes',
  ],
])('%j is refused', (deltas, message) => {
  expect(() => define(deltas)).toThrow(message);
});

test('everything that is wrong is said at once', () => {
  expect(() => define({ region: 'x', lake: { versionDays: 0 } })).toThrow(
    'region of environment test is "x": expected an AWS region such as eu-central-1; set it in envs/test.ts\n' +
      'lake.versionDays of environment test is 0: expected a whole number of days from 1 to 3,650; set it in envs/test.ts',
  );
});
