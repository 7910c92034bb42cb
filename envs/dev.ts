import { defineEnvironment } from './environment';

export const dev = defineEnvironment({
  name: 'dev',
  account: '111111111111',
  deletionProtection: false,
  servingDb: { instanceClass: 'db.t4g.micro', backupDays: 1 },
  lake: { versionDays: 7 },
});
