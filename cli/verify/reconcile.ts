/**
 * Proves that a table is the same in the source, the lake and dataengineering-db, row by row, without moving the rows:
 * each store sums the checksums of its rows in 256 buckets of the key's hash; only the rows of buckets that differ are
 * compared one by one.
 */

/** One store's copy of a table. Checksums are 60 bits of the MD5 of a row's canonical text. */
export interface Copy {
  readonly store: 'source' | 'lake' | 'serving';
  /** bucket → rows and the sum of their checksums (a decimal number as text). */
  buckets(): Promise<Map<string, { rows: number; sum: string }>>;
  /** The rows of some buckets, canonical text by key. */
  rows(buckets: readonly string[]): Promise<Map<string, string>>;
}

export interface Difference {
  readonly key: string;
  /** The row in each store; undefined where it is missing. */
  readonly rows: Partial<Record<Copy['store'], string>>;
}

export interface TableComparison {
  /** Rows in each store. */
  readonly counts: Record<Copy['store'], number>;
  /** Rows that are not the same everywhere, at most `limit`. */
  readonly differences: Difference[];
}

/** Compares the copies; `limit` bounds the differing rows that are returned, never whether one is found. */
export async function compare(copies: readonly Copy[], limit = 10): Promise<TableComparison> {
  const summaries = await Promise.all(copies.map((copy) => copy.buckets()));
  const counts = Object.fromEntries(
    copies.map((copy, i) => [
      copy.store,
      [...summaries[i]!.values()].reduce((total, bucket) => total + bucket.rows, 0),
    ]),
  ) as TableComparison['counts'];
  const names = new Set(summaries.flatMap((summary) => [...summary.keys()]));
  const differing = [...names].filter((name) => {
    const seen = summaries.map((summary) => summary.get(name)).map((bucket) => `${bucket?.rows} ${bucket?.sum}`);
    return new Set(seen).size > 1;
  });
  if (differing.length === 0) return { counts, differences: [] };
  return { counts, differences: await differingRows(copies, differing.sort(), limit) };
}

async function differingRows(copies: readonly Copy[], buckets: string[], limit: number): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const bucket of buckets) {
    const rows = await Promise.all(copies.map((copy) => copy.rows([bucket])));
    const keys = new Set(rows.flatMap((byKey) => [...byKey.keys()]));
    for (const key of [...keys].sort()) {
      const texts = rows.map((byKey) => byKey.get(key));
      if (new Set(texts).size === 1) continue;
      differences.push({ key, rows: Object.fromEntries(copies.map((copy, i) => [copy.store, texts[i]])) });
      if (differences.length === limit) return differences;
    }
  }
  return differences;
}
