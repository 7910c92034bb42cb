import type { Measure } from './measure';
import { changes, largeTransaction, merge, servingUpsert, snapshot, tableSize } from './measures/jobs';
import { synth } from './measures/synth';
import { workflow } from './measures/workflow';

/** What `npm run bench` measures, by the names that `--only` takes, in this order. */
export const measures: Readonly<Record<string, Measure>> = {
  synth,
  snapshot,
  changes,
  largeTransaction,
  merge,
  tableSize,
  servingUpsert,
  workflow,
};
