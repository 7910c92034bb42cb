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

/** Measures `runs` times. Each time may yield several rows; those of one name belong together. */
export type Measure = (runs: number, report: (line: string) => void) => Promise<readonly Row[]>;

/** A measure of one row that is taken again and again. */
export function repeated(once: () => Promise<Row>): Measure {
  return async (runs, report) => {
    const rows: Row[] = [];
    for (let run = 1; run <= runs; run++) {
      rows.push(await once());
      report(`${run} of ${runs}`);
    }
    return rows;
  };
}

/** One row a name, whose value is the median of its values. */
export function medians(rows: readonly Row[]): Row[] {
  const values = new Map<string, number[]>();
  for (const { measure, value } of rows) values.set(measure, [...(values.get(measure) ?? []), value]);
  return [...values].map(([measure, all]) => ({ ...rows.find((row) => row.measure === measure)!, value: median(all) }));
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
