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
  include: ['public.*'],
  exclude: [],
  tables: {
    'public.players': { pii: { name: 'hash', email: 'drop' }, history: true },
    'public.shots': { partitionBy: ['month(hit_at)'] },
  },
  serving: {
    include: ['public.*'],
    exclude: [],
    indexes: {
      'public.bays': [['facility_id']],
      'public.sessions': [['player_id', 'started_at'], ['bay_id']],
      'public.shots': [['session_id'], ['hit_at']],
    },
  },
};
