import type { LogContract } from './contract';

const woods = ['driver', ...[2, 3, 4, 5, 7, 9].map((number) => `${number}-wood`)];
const irons = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `${number}-iron`);
const hybrids = [2, 3, 4, 5, 6, 7].map((number) => `${number}-hybrid`);
const wedges = ['pitching wedge', 'gap wedge', 'sand wedge', 'lob wedge'];
const clubs = [...woods, ...irons, ...hybrids, ...wedges, 'putter'];

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
    'public.shots': {
      partitionBy: ['month(hit_at)'],
      quality: [
        // Faster than any ball was ever hit: a radar that saw something else. Its speed is in no average.
        { rule: 'range', column: 'ball_speed', min: 1, max: 110, action: 'quarantine' },
        { rule: 'range', column: 'smash_factor', min: 0.5, max: 1.6, action: 'warn' },
        { rule: 'range', column: 'spin_rate', min: 0, max: 20_000, action: 'warn' },
        { rule: 'allowed', column: 'club', values: clubs, action: 'warn' },
        { rule: 'rowCount', maxLoss: 0.2, action: 'warn' },
      ],
    },
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
