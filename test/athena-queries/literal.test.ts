import {
  encodeLiteral,
  MAX_LITERAL_LENGTH,
  type ParameterType,
  type ParameterValue,
} from '../../athena-queries/literal';

test.each<[ParameterType, ParameterValue, string]>([
  ['varchar', 'driver', "'driver'"],
  ['varchar', "O'Hara", "'O''Hara'"],
  ['varchar', "'; DROP TABLE shots; --", "'''; DROP TABLE shots; --'"],
  ['varchar', '', "''"],
  ['varchar', 'Sørén 🏌️ \\ %', "'Sørén 🏌️ \\ %'"],
  ['integer', 7, '7'],
  ['integer', '-2147483648', '-2147483648'],
  ['integer', '007', '7'],
  ['bigint', 9007199254740991, '9007199254740991'],
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['bigint', -9223372036854775808n, '-9223372036854775808'],
  ['decimal', 60, '60'],
  ['decimal', 0.1, '0.1'],
  ['decimal', '-00012.500', '-12.500'],
  ['double', 0.1, '1E-1'],
  ['double', '12', '1.2E+1'],
  ['double', '-1.5e300', '-1.5E+300'],
  ['boolean', true, 'TRUE'],
  ['boolean', 'false', 'FALSE'],
  ['date', '2024-02-29', "DATE '2024-02-29'"],
  ['timestamp', '2026-04-01 06:30:00', "TIMESTAMP '2026-04-01 06:30:00'"],
  ['timestamp', '2026-04-01T23:59:59.123456', "TIMESTAMP '2026-04-01 23:59:59.123456'"],
])('%s %p is %s', (type, value, literal) => {
  expect(encodeLiteral(type, value)).toBe(literal);
});

test.each<[ParameterType, ParameterValue, string]>([
  [
    'varchar',
    'a\u0000b',
    'varchar parameter is "a\\u0000b": expected a text without control characters and lone surrogates',
  ],
  ['varchar', 'a\nb', 'varchar parameter is "a\\nb": expected a text without control characters'],
  ['varchar', '\ud800', 'expected a text without control characters and lone surrogates'],
  ['varchar', 5, 'varchar parameter is 5: expected a text'],
  ['integer', 2147483648, 'integer parameter is 2147483648: expected a whole number of 32 bits'],
  ['integer', 1.5, 'integer parameter is 1.5: expected a whole number'],
  ['integer', '1e3', 'integer parameter is "1e3": expected a whole number'],
  ['integer', '1 OR 1=1', 'integer parameter is "1 OR 1=1": expected a whole number'],
  ['integer', '', 'integer parameter is "": expected a whole number'],
  ['integer', true, 'integer parameter is true: expected a whole number'],
  ['integer', NaN, 'integer parameter is NaN: expected a whole number'],
  ['bigint', 9007199254740992, 'bigint parameter is 9007199254740992: expected a whole number of 64 bits'],
  ['bigint', '9223372036854775808', 'expected a whole number of 64 bits'],
  ['decimal', 'NaN', 'decimal parameter is "NaN": expected a number of at most 38 digits, without exponent'],
  ['decimal', 1e21, 'decimal parameter is 1e+21: expected a number of at most 38 digits'],
  ['decimal', '1'.repeat(39), 'expected a number of at most 38 digits'],
  ['decimal', '1.', 'decimal parameter is "1.": expected a number'],
  ['decimal', false, 'decimal parameter is false: expected a number'],
  ['double', NaN, 'double parameter is NaN: expected a finite number'],
  ['double', Infinity, 'double parameter is Infinity: expected a finite number'],
  ['double', '1e999', 'double parameter is "1e999": expected a finite number'],
  ['double', 'Infinity', 'double parameter is "Infinity": expected a finite number'],
  ['double', ' ', 'double parameter is " ": expected a finite number'],
  ['boolean', 'TRUE', 'boolean parameter is "TRUE": expected true or false'],
  ['boolean', 1, 'boolean parameter is 1: expected true or false'],
  ['date', '2026-02-29', 'date parameter is "2026-02-29": expected a date as 2026-01-31'],
  ['date', '31.01.2026', 'expected a date as 2026-01-31'],
  ['date', "2026-01-31' OR '1'='1", 'expected a date as 2026-01-31'],
  ['date', '0000-01-01', 'expected a date as 2026-01-31'],
  ['timestamp', '2026-04-01', 'timestamp parameter is "2026-04-01": expected a timestamp in UTC without zone'],
  ['timestamp', '2026-04-01 24:00:00', 'expected a timestamp in UTC without zone'],
  ['timestamp', '2026-04-01 12:00:00+02:00', 'expected a timestamp in UTC without zone'],
  ['timestamp', '2026-04-31 12:00:00', 'expected a timestamp in UTC without zone'],
  ['timestamp', '2026-04-01 12:00:00.1234567', 'expected a timestamp in UTC without zone'],
])('%s %p is refused', (type, value, message) => {
  expect(() => encodeLiteral(type, value)).toThrow(message);
});

test('what Athena would refuse as too long is refused with its limit', () => {
  expect(encodeLiteral('varchar', 'x'.repeat(1022))).toHaveLength(MAX_LITERAL_LENGTH);
  expect(() => encodeLiteral('varchar', 'x'.repeat(1023))).toThrow(
    "makes a literal of 1025 characters: expected at most 1024, Athena's limit for an execution parameter",
  );
  expect(() => encodeLiteral('varchar', "'".repeat(512))).toThrow('makes a literal of 1026 characters');
});

describe('whatever is given', () => {
  const PIECES = [
    "'",
    "''",
    '"',
    '`',
    ';',
    '--',
    '/*',
    '*/',
    '\\',
    '\\u0027',
    'ʼ',
    '’',
    '?',
    '%',
    '(',
    ')',
    ' ',
    'OR 1=1',
    'é',
    '🏌',
    'DATE',
    '\u00a0',
  ];
  const CASES = 5_000;

  /** Deterministic texts made of what an injection is made of. */
  function* nastyTexts(): Generator<string> {
    let state = 20260401;
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let i = 0; i < CASES; i++) yield Array.from({ length: next(12) }, () => PIECES[next(PIECES.length)]).join('');
  }

  /** What a SQL parser reads from a string literal; undefined unless the text is that one literal and nothing else. */
  function readLiteral(sql: string): string | undefined {
    return /^'((?:[^']|'')*)'$/su.exec(sql)?.[1]!.replaceAll("''", "'");
  }

  test('a text comes out of its literal as it went in, and nothing of it stands outside', () => {
    for (const text of nastyTexts()) expect(readLiteral(encodeLiteral('varchar', text))).toBe(text);
  });

  test.each<[ParameterType, RegExp]>([
    ['integer', /^-?\d+$/],
    ['bigint', /^-?\d+$/],
    ['decimal', /^-?\d+(\.\d+)?$/],
    ['double', /^-?\d(\.\d+)?E[+-]\d+$/],
    ['boolean', /^(TRUE|FALSE)$/],
    ['date', /^DATE '\d{4}-\d\d-\d\d'$/],
    ['timestamp', /^TIMESTAMP '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?'$/],
  ])('no text becomes anything but a literal of type %s', (type, literal) => {
    const starts = ['1', '-5', '1.5', '1e3', 'true', '2026-01-31', '2026-01-31 12:00:00'];
    let refused = 0;
    for (const text of nastyTexts()) {
      const value = starts[text.length % starts.length]! + text;
      try {
        expect(encodeLiteral(type, value)).toMatch(literal);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith(`${type} parameter is `))) throw error;
        refused++;
      }
    }
    // Only the few texts that are empty leave a value of the type.
    expect(refused).toBeGreaterThan(CASES * 0.8);
  });
});
