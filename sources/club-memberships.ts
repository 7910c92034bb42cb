import type { WatermarkContract } from './contract';

/** Members of the clubs at our facilities and their bookings: a system that gives nobody its log. */
export const clubMemberships: WatermarkContract = {
  name: 'club-memberships',
  ownerFolder: 'clubs',
  mode: 'watermark',
  watermark: { column: 'updated_at', setBy: 'trigger' },
  marginSeconds: 5,
  reconcileHours: 24,
  inlineSnapshotBytes: 1024 ** 3,
  rejectLimit: 100,
  retention: { changeDays: 90, quarantineDays: 365 },
  include: ['membership.*'],
  exclude: [],
  tables: {
    'membership.members': { pii: { name: 'drop', email: 'hash' }, softDelete: 'cancelled_at' },
    'membership.bookings': { softDelete: 'withdrawn' },
    'membership.visits': { watermark: { column: 'entered_at', setBy: 'default' } },
  },
  serving: { include: ['membership.*'], exclude: [] },
};
