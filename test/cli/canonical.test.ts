import { createHash, createHmac } from 'node:crypto';
import { athenaRow, pepperBlocks, postgresRow, quote, type Column } from '../../cli/verify/canonical';

const column = (overrides: Partial<Column>): Column => ({
  name: 'c',
  type: 'text',
  elementType: null,
  scale: null,
  pii: 'keep',
  ...overrides,
});

describe('pepperBlocks', () => {
  test.each([1, 32, 64])('two SHA-256 with the blocks are the HMAC, key of %d bytes', (length) => {
    const key = Buffer.from(Array.from({ length }, (_, i) => (i * 37) % 256));
    const { inner, outer } = pepperBlocks(key);
    const sha256 = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
    const text = Buffer.from('Søren "the hammer"');
    expect(sha256(outer, sha256(inner, text))).toEqual(createHmac('sha256', key).update(text).digest());
  });

  test('a key longer than a block is refused', () => {
    expect(() => pepperBlocks(Buffer.alloc(65))).toThrow('the pepper has 65 bytes, at most 64 are expected');
  });
});

describe('canonical rows', () => {
  test('a name with a quote stays one identifier', () => {
    expect(quote('a"b')).toBe('"a""b"');
  });

  test('a null is distinct from an empty text in both dialects', () => {
    expect(postgresRow([column({})])).toContain(`coalesce("c"::text, '∅')`);
    expect(athenaRow([column({})])).toContain(`coalesce("c", '∅')`);
  });

  test('floating point is compared bit by bit', () => {
    expect(postgresRow([column({ type: 'float8' })])).toContain('float8send("c")');
    expect(athenaRow([column({ type: 'float8' })])).toContain('to_ieee754_64("c")');
  });

  test('personal data are hashed where they are still plain and read as they are where they were hashed', () => {
    const hashed = column({ pii: 'hash' });
    expect(postgresRow([hashed], (text) => `hash(${text})`)).toContain('hash("c"::text)');
    expect(postgresRow([hashed])).not.toContain('hash(');
    expect(athenaRow([hashed])).toContain(`coalesce("c", '∅')`);
  });
});
