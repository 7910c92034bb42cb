import { defineEnvironment } from './environment';

/** What prod is, smaller: a release proves itself here. */
export const staging = defineEnvironment({
  name: 'staging',
  account: '222222222222',
  network: { cidr: '10.42.0.0/16' },
  servingDb: { multiAz: false },
  warehouse: { dailyRpuHours: 8 },
  alarms: { page: ['data-engineering@example.com'], ticket: ['data-engineering@example.com'] },
});
