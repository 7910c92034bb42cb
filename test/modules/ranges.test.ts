import { contains, isRange, overlap } from '../../modules/ranges';

test.each(['10.0.0.0/8', '172.31.0.0/16', '10.41.16.0/20', '192.168.1.7/32', '0.0.0.0/0', '255.255.255.255/32'])(
  '%s is an address range',
  (text) => expect(isRange(text)).toBe(true),
);

test.each(['10.0.0.0', '10.0.0/8', '10.0.0.0/33', '10.0.0.256/32', '10.0.0.1/8', '10.41.8.0/20', 'fd00::/8', ''])(
  '%j is none',
  (text) => expect(isRange(text)).toBe(false),
);

test.each([
  ['10.41.0.0/16', '10.41.0.0/16', true],
  ['10.41.0.0/16', '10.41.255.0/24', true],
  ['10.41.255.0/24', '10.41.0.0/16', true],
  ['10.41.0.0/16', '10.42.0.0/16', false],
  ['10.40.0.0/15', '10.42.0.0/16', false],
  ['192.0.0.0/3', '223.255.255.255/32', true],
  ['128.0.0.0/1', '127.255.255.255/32', false],
  ['0.0.0.0/0', '255.255.255.255/32', true],
])('%s and %s have an address in common: %s', (one, other, expected) => {
  expect(overlap(one, other)).toBe(expected);
  expect(overlap(other, one)).toBe(expected);
});

test('a range contains itself and what is smaller, not what only begins or ends in it', () => {
  expect(contains('10.41.0.0/16', '10.41.0.0/16')).toBe(true);
  expect(contains('10.41.0.0/16', '10.41.240.0/20')).toBe(true);
  expect(contains('10.41.0.0/16', '10.40.0.0/15')).toBe(false);
  expect(contains('10.41.0.0/16', '10.42.0.0/20')).toBe(false);
});
