import type { Environment } from './environment';

/** What holds in every environment that says nothing else. Units and meaning: see environment.ts. */
export const defaults = {
  repository: 'trackman/data-platform',
  region: 'eu-central-1',
  tags: { owner: 'data-engineering' },
  deletionProtection: true,
  latency: { promiseMinutes: 60, startMinutes: 2, ingestMinutes: 8, publishMinutes: 8, retryMinutes: 10 },
  schedules: {
    crawl: { everyMinutes: 30, offsetMinutes: 0 },
    // A crawl takes some minutes: the run that follows it finds the tables that it found.
    pipeline: { everyMinutes: 30, offsetMinutes: 10 },
  },
  sparkJobs: { workerType: 'G.1X', workers: 2 },
  servingDb: { instanceClass: 'db.t4g.medium', storageGiB: 20, maxStorageGiB: 100, backupDays: 7 },
  lake: { versionDays: 30 },
  analytics: { maxScannedBytes: 10_000_000_000, resultDays: 30 },
} satisfies Omit<Environment, 'name' | 'account'>;
