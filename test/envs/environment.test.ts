import { defaults } from '../../envs/defaults';
import { environments } from '../../envs';
import { defineEnvironment } from '../../envs/environment';

const minimal = {
  name: 'test',
  account: '123456789012',
  network: { cidr: '10.9.0.0/16' },
  alarms: { page: ['on-call@example.com'] },
};

/** Deltas as somebody who is not held by types might write them. */
const define = (deltas: object) => defineEnvironment({ ...minimal, ...deltas });

test('an environment that says nothing else has the defaults', () => {
  expect(defineEnvironment(minimal)).toEqual({
    ...defaults,
    ...minimal,
    network: { ...defaults.network, ...minimal.network },
    alarms: { ...defaults.alarms, ...minimal.alarms },
  });
  expect(defineEnvironment(minimal)).toMatchObject({
    region: 'eu-central-1',
    tags: { owner: 'data-engineering', costCentre: 'golf-data', dataClassification: 'confidential' },
    deletionProtection: true,
    encryptionKey: 'customer',
    lakeFormation: 'iam',
    network: { zones: ['a', 'b', 'c'], endpointZones: ['a'], nat: false },
    latency: { promiseMinutes: 60, startMinutes: 2, ingestMinutes: 8, publishMinutes: 8, retryMinutes: 10 },
    schedules: {
      crawl: { everyMinutes: 30, offsetMinutes: 0 },
      pipeline: { everyMinutes: 30, offsetMinutes: 10 },
      landing: { everyMinutes: 360, offsetMinutes: 5 },
      maintain: { everyMinutes: 1440, offsetMinutes: 145 },
    },
    sparkJobs: { workerType: 'G.1X', workers: 2 },
    servingDb: { instanceClass: 'db.t4g.medium', storageGiB: 20, maxStorageGiB: 100, backupDays: 7, multiAz: true },
    lake: { versionDays: 30 },
    analytics: { maxScannedBytes: 10_000_000_000, resultDays: 30 },
  });
});

test('a delta changes its value and leaves its neighbours', () => {
  const environment = defineEnvironment({ ...minimal, servingDb: { storageGiB: 50 }, tags: { costCentre: '7' } });
  expect(environment.servingDb).toEqual({ ...defaults.servingDb, storageGiB: 50 });
  expect(environment.tags).toEqual({ ...defaults.tags, costCentre: '7' });
});

test('every environment has a name and an account of its own', () => {
  expect(environments.map(({ name }) => name)).toEqual(['dev', 'staging', 'prod']);
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
    'schedules.crawl of environment test is {"everyMinutes":45,"offsetMinutes":0}: expected a period of at least 5 minutes that divides the hour, or whole hours',
  ],
  [
    { latency: { ingestMinutes: 20 } },
    'latency.promiseMinutes of environment test is 60: expected at least 30 + 2 + 20 + 8 + 10 = 70 minutes',
  ],
  [
    { latency: { startMinutes: 15 } },
    'latency.promiseMinutes of environment test is 60: expected at least 30 + 15 + 8 + 8 + 10 = 71 minutes',
  ],
  [
    { latency: { retryMinutes: 13 } },
    'latency.promiseMinutes of environment test is 60: expected at least 30 + 2 + 8 + 8 + 13 = 61 minutes',
  ],
  [
    { latency: { startMinutes: 8 } },
    'latency.lakeWarnMinutes of environment test is 45: expected at least 30 + 8 + 8 = 46 minutes',
  ],
  [
    { latency: { publishMinutes: 13 } },
    'latency.servingWarnMinutes of environment test is 52: expected at least 30 + 2 + 8 + 13 = 53 minutes',
  ],
  [
    { latency: { servingWarnMinutes: 60 } },
    'latency.servingWarnMinutes of environment test is 60: expected less than the promised 60 minutes',
  ],
  [
    { latency: { promiseMinutes: 1440, ingestMinutes: 161 } },
    'latency.ingestMinutes of environment test is 161: expected a whole number of minutes (a run is ended after 3 ' +
      'times that, and none after 480) from 1 to 160',
  ],
  [
    { network: { zones: ['a', 'a', 'b'] } },
    'network.zones of environment test is ["a","a","b"]: expected three different availability zones',
  ],
  [
    { network: { sourcePorts: [5432] } },
    'network.sourcePorts of environment test is [5432]: expected none: no source is in a VPC that is made here',
  ],
  [
    { network: { cidr: undefined } },
    'network.cidr of environment test is missing: expected either cidr, for a VPC of its own, or existing, for one that is there',
  ],
  [
    { network: { cidr: '10.9.0.0/24' } },
    'network.cidr of environment test is "10.9.0.0/24": expected an address range of /16 to /20, such as 10.40.0.0/16',
  ],
  [
    { network: { cidr: '10.9.0.0' } },
    'network.cidr of environment test is "10.9.0.0": expected an address range of /16 to /20, such as 10.40.0.0/16',
  ],
  [
    { network: { zones: ['a', 'b'] } },
    'network.zones of environment test is ["a","b"]: expected three different availability zones',
  ],
  [
    { network: { endpointZones: ['d'] } },
    'network.endpointZones of environment test is ["d"]: expected some of the zones a, b, c, each once',
  ],
  [
    { network: { endpoints: ['sqs'] } },
    'network.endpoints.0 of environment test is "sqs": expected one of glue, logs,',
  ],
  [
    {
      network: {
        existing: { vpcId: 'vpc-1', subnetIds: ['subnet-1', 'subnet-2'], routeTableIds: ['rtb-1'] },
        cidr: undefined,
      },
    },
    'network.existing.subnetIds of environment test is ["subnet-1","subnet-2"]: expected the ids of three subnets, one in each zone',
  ],
  [{ logs: { retentionDays: 10 } }, 'logs.retentionDays of environment test is 10: expected one of 1, 3, 5, 7, 14,'],
  [
    { servingDb: { monitoringSeconds: 2 } },
    'servingDb.monitoringSeconds of environment test is 2: expected one of 0, 1, 5, 10, 15, 30, 60 seconds',
  ],
  [
    { warehouse: { baseCapacityRpu: 12 } },
    'warehouse.baseCapacityRpu of environment test is 12: expected 4, or a multiple of 8 from 8 to 512 RPU',
  ],
  [
    { alarms: { page: ['http://x.example'] } },
    'alarms.page.0 of environment test is "http://x.example": expected an e-mail address or an https:// URL',
  ],
  [
    { alarms: { page: [] } },
    'alarms.page of environment test is []: expected at least one e-mail address or https:// URL: where ' +
      'deletionProtection is true, somebody is called when the promise is broken; set it in envs/test.ts',
  ],
  [
    { alarms: { ...minimal.alarms, slotLagGiB: { ticket: 50 } } },
    'alarms.slotLagGiB of environment test is {"ticket":50,"page":50}: expected a ticket at more than 0 GiB, and a page',
  ],
  [
    { servingDb: { clientCidrs: ['10.8.1.0/16'] } },
    'servingDb.clientCidrs.0 of environment test is "10.8.1.0/16": expected an address range of /8 to /32',
  ],
  [
    { warehouse: { baseCapacityRpu: 64 } },
    'warehouse.maxCapacityRpu of environment test is 32: expected a multiple of 8 from baseCapacityRpu, 64, to 512 RPU',
  ],
  [{ tags: { owner: '' } }, 'tags.owner of environment test is "": expected a text of 1 to 256 characters'],
  [
    { schedules: { pipeline: { everyMinutes: 60 } } },
    'latency.promiseMinutes of environment test is 60: expected at least 60 + 2 + 8 + 8 + 10 = 88 minutes',
  ],
])('%j is refused', (deltas, message) => {
  expect(() => define(deltas)).toThrow(message);
});

test('an environment whose data may be lost may have nobody to call', () => {
  expect(define({ deletionProtection: false, alarms: {} }).alarms.page).toEqual([]);
});

test('everything that is wrong is said at once', () => {
  expect(() => define({ region: 'x', lake: { versionDays: 0 } })).toThrow(
    'region of environment test is "x": expected an AWS region such as eu-central-1; set it in envs/test.ts\n' +
      'lake.versionDays of environment test is 0: expected a whole number of days from 1 to 3,650; set it in envs/test.ts',
  );
});
