/** A figure, and what it is held against. */
export interface Row {
  /** For example "synth of all stacks". */
  readonly measure: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** What it has to reach. */
  readonly must: number;
  /** What we would like it to be. */
  readonly aim: number;
}

/** Measures once. One measurement may yield several rows. */
export type Measure = () => Promise<Row | readonly Row[]>;

/** Measures `runs` times; each row's value is the median of its values. */
export async function medians(measure: Measure, runs: number): Promise<Row[]> {
  const values = new Map<string, { row: Row; values: number[] }>();
  for (let run = 0; run < runs; run++) {
    for (const row of [await measure()].flat()) {
      const seen = values.get(row.measure) ?? { row, values: [] };
      seen.values.push(row.value);
      values.set(row.measure, seen);
    }
  }
  return [...values.values()].map(({ row, values }) => ({ ...row, value: median(values) }));
}

/** Whether a row reaches `bound`. */
export function reaches({ value, better }: Row, bound: number): boolean {
  return better === 'lower' ? value <= bound : value >= bound;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
