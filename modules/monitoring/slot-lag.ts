import { names } from '../naming';
import type { Metric } from './alarm';

/** One way in which a source's replication slot can be behind. */
export interface SlotLag {
  readonly source: string;
  /** In names of alarms. */
  readonly kind: 'restart' | 'confirmed';
  /** Continues "<source>: …". */
  readonly meaning: string;
  /** In bytes. */
  readonly metric: Metric;
}

/** What `ingest` measures of a source's slot at the start of each run. */
export function slotLags(source: string): SlotLag[] {
  const { namespace, restartLag, confirmedLag } = names.metrics;
  const metric = (name: string): Metric => ({ namespace, name, dimensions: { Source: source } });
  return [
    {
      source,
      kind: 'restart',
      meaning: 'the source has to keep a lot of log for us, and its disk may fill up.',
      metric: metric(restartLag),
    },
    {
      source,
      kind: 'confirmed',
      meaning: 'a lot of log is not in the change log yet.',
      metric: metric(confirmedLag),
    },
  ];
}
