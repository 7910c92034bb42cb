import { defineEnvironment } from './environment';

/** Small, cheap, and destroyed without ceremony: it is one of the `destroyable` of cdktf.json. */
export const dev = defineEnvironment({
  name: 'dev',
  account: '111111111111',
  deletionProtection: false,
  network: { cidr: '10.41.0.0/16' },
  servingDb: { instanceClass: 'db.t4g.micro', backupDays: 1, multiAz: false, monitoringSeconds: 0 },
  lake: { versionDays: 7, landingDays: 30, accessLogDays: 30 },
  logs: { retentionDays: 14 },
  warehouse: { dailyRpuHours: 4 },
  budget: { monthlyUsd: 250 },
});
