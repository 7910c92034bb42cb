import type { Measure } from './measure';
import { synth } from './measures/synth';

/** What `npm run bench` measures, by the names that `--only` takes, in this order. */
export const measures: Readonly<Record<string, Measure>> = { synth };
