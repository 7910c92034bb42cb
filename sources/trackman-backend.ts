import type { LogContract } from './contract';

/** The operational database of golf ball tracking. */
export const trackmanBackend: LogContract = {
  name: 'trackman-backend',
  ownerFolder: 'backend',
  mode: 'log',
  publication: 'trackman',
  slot: 'trackman',
  walBytesPerStep: 1024 ** 3,
  inlineSnapshotBytes: 1024 ** 3,
  rejectLimit: 100,
  retention: { changeDays: 90, quarantineDays: 365 },
  include: ['public.*'],
  exclude: [],
  tables: {
    'public.players': { pii: { name: 'hash', email: 'drop' }, history: true },
    'public.shots': { partitionBy: ['month(hit_at)'] },
  },
  serving: { include: ['public.*'], exclude: [] },
};
