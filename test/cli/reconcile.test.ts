import { compare, type Copy } from '../../cli/verify/reconcile';

/** A store whose rows are given; a bucket is the key's first letter, a checksum the length of the text. */
function copyOf(store: Copy['store'], rows: Record<string, string>): Copy & { asked: string[][] } {
  const asked: string[][] = [];
  return {
    store,
    asked,
    buckets() {
      const buckets = new Map<string, { rows: number; sum: string }>();
      for (const [key, text] of Object.entries(rows)) {
        const bucket = buckets.get(key[0]!) ?? { rows: 0, sum: '0' };
        buckets.set(key[0]!, { rows: bucket.rows + 1, sum: String(Number(bucket.sum) + text.length) });
      }
      return Promise.resolve(buckets);
    },
    rows(names) {
      asked.push([...names]);
      return Promise.resolve(new Map(Object.entries(rows).filter(([key]) => names.includes(key[0]!))));
    },
  };
}

describe('compare', () => {
  const rows = { a1: 'one', a2: 'two', b1: 'three' };

  test('equal copies have no differences and no row is read', async () => {
    const copies = [copyOf('source', rows), copyOf('lake', rows), copyOf('serving', rows)];
    expect(await compare(copies)).toEqual({ counts: { source: 3, lake: 3, serving: 3 }, differences: [] });
    expect(copies.flatMap((copy) => copy.asked)).toEqual([]);
  });

  test('a changed, a missing and an additional row are each named with what every store holds', async () => {
    const { differences, counts } = await compare([
      copyOf('source', rows),
      copyOf('lake', { ...rows, a2: 'changed' }),
      copyOf('serving', { a1: 'one', a2: 'two', c9: 'stray' }),
    ]);
    expect(counts).toEqual({ source: 3, lake: 3, serving: 3 });
    expect(differences).toEqual([
      { key: 'a2', rows: { source: 'two', lake: 'changed', serving: 'two' } },
      { key: 'b1', rows: { source: 'three', lake: 'three', serving: undefined } },
      { key: 'c9', rows: { source: undefined, lake: undefined, serving: 'stray' } },
    ]);
  });

  test('only the rows of buckets that differ are read', async () => {
    const source = copyOf('source', rows);
    await compare([source, copyOf('lake', { ...rows, b1: 'another' })]);
    expect(source.asked).toEqual([['b']]);
  });

  test('the limit bounds the rows that are shown, never whether a difference is found', async () => {
    const { differences } = await compare([copyOf('source', rows), copyOf('lake', {})], 1);
    expect(differences).toHaveLength(1);
  });
});
