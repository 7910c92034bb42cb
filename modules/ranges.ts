/** IPv4 address ranges in CIDR notation. */

/** Whether the text is a range, all bits after its prefix 0. */
export function isRange(text: string): boolean {
  const parsed = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!parsed) return false;
  const [bits, ...octets] = [parsed[5], ...parsed.slice(1, 5)].map(Number);
  if (bits! > 32 || octets.some((octet) => octet > 255)) return false;
  return bounds(text).first % size(text) === 0;
}

/** Bits of the prefix: 16 of 10.0.0.0/16. */
export function prefixLength(range: string): number {
  return Number(range.split('/')[1]);
}

/** Whether two ranges have an address in common. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [bounds(one), bounds(other)];
  return a.first <= b.last && b.first <= a.last;
}

/** Whether every address of `inner` is in `outer`. */
export function contains(outer: string, inner: string): boolean {
  const [a, b] = [bounds(outer), bounds(inner)];
  return a.first <= b.first && b.last <= a.last;
}

function bounds(range: string): { first: number; last: number } {
  const first = range
    .split('/')[0]!
    .split('.')
    .reduce((number, octet) => number * 256 + Number(octet), 0);
  return { first, last: first + size(range) - 1 };
}

function size(range: string): number {
  return 2 ** (32 - prefixLength(range));
}
