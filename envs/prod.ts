import { defineEnvironment } from './environment';

export const prod = defineEnvironment({
  name: 'prod',
  account: '333333333333',
  network: { cidr: '10.43.0.0/16', endpointZones: ['a', 'b'] },
  sparkJobs: { workers: 4 },
  servingDb: {
    instanceClass: 'db.m7g.large',
    storageGiB: 100,
    maxStorageGiB: 1000,
    backupDays: 35,
    monitoringSeconds: 15,
    insights: 'advanced',
  },
  lake: { landingDays: 365, accessLogDays: 365 },
  logs: { retentionDays: 365 },
  warehouse: { dailyRpuHours: 64 },
  alarms: { page: ['on-call@example.com'], ticket: ['data-engineering@example.com'], freeStorageGiB: 5 },
  budget: { monthlyUsd: 2500 },
});
