import type { Environment } from './environment';

/** What holds in every environment that says nothing else. Units and meaning: see environment.ts. */
export const defaults = {
  repository: 'trackman/data-platform',
  region: 'eu-central-1',
  tags: { owner: 'data-engineering', costCentre: 'golf-data', dataClassification: 'confidential' },
  deletionProtection: true,
  encryptionKey: 'customer',
  lakeFormation: 'iam',
  network: {
    zones: ['a', 'b', 'c'],
    endpoints: ['glue', 'logs', 'monitoring', 'secretsmanager', 'ssm', 'kms', 'sts'],
    endpointZones: ['a'],
    peerings: [{ ownerFolder: 'backend', port: 5432 }],
    sourcePorts: [],
    nat: false,
  },
  latency: {
    promiseMinutes: 60,
    lakeWarnMinutes: 45,
    servingWarnMinutes: 52,
    startMinutes: 2,
    ingestMinutes: 8,
    publishMinutes: 8,
    retryMinutes: 10,
  },
  schedules: {
    crawl: { everyMinutes: 30, offsetMinutes: 0 },
    // A crawl takes some minutes: the run that follows it finds the tables that it found.
    pipeline: { everyMinutes: 30, offsetMinutes: 10 },
    landing: { everyMinutes: 360, offsetMinutes: 5 },
    // Between two runs of the pipeline.
    maintain: { everyMinutes: 1440, offsetMinutes: 145 },
  },
  sparkJobs: { workerType: 'G.1X', workers: 2 },
  servingDb: {
    instanceClass: 'db.t4g.medium',
    storageGiB: 20,
    maxStorageGiB: 100,
    backupDays: 7,
    multiAz: true,
    monitoringSeconds: 60,
    insights: 'standard',
    clientCidrs: [],
  },
  lake: { snapshotDays: 7, versionDays: 30, rawInfrequentDays: 30, landingDays: 90, accessLogDays: 90 },
  logs: { retentionDays: 90 },
  analytics: { maxScannedBytes: 10_000_000_000, resultDays: 30 },
  warehouse: { baseCapacityRpu: 8, maxCapacityRpu: 32, dailyRpuHours: 16 },
  alarms: { page: [], ticket: [], slotLagGiB: { ticket: 10, page: 50 }, freeStorageGiB: 1, cpuPercent: 80 },
  budget: { monthlyUsd: 500 },
} satisfies Omit<Environment, 'name' | 'account'>;
