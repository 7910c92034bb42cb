/** The one encoder of values as SQL literals: what Athena takes as execution parameters, never spliced into a text. */
import { InvalidValueError } from '../modules/validation';

export const parameterTypes = [
  'varchar',
  'integer',
  'bigint',
  'decimal',
  'double',
  'boolean',
  'date',
  'timestamp',
] as const;

export type ParameterType = (typeof parameterTypes)[number];

/** A value as it comes: typed (from code, from a query's front matter) or as text (from a command line). */
export type ParameterValue = string | number | bigint | boolean;

/** Athena's limit on one execution parameter, in characters. */
export const MAX_LITERAL_LENGTH = 1024;

const encoders: Record<ParameterType, (value: ParameterValue) => string | undefined> = {
  varchar,
  integer: wholeNumber(32n),
  bigint: wholeNumber(64n),
  decimal,
  double,
  boolean,
  date,
  timestamp,
};

const expectations: Record<ParameterType, string> = {
  varchar: 'a text without control characters and lone surrogates',
  integer: 'a whole number of 32 bits',
  bigint: 'a whole number of 64 bits',
  decimal: 'a number of at most 38 digits, without exponent',
  double: 'a finite number',
  boolean: 'true or false',
  date: 'a date as 2026-01-31',
  timestamp: 'a timestamp in UTC without zone, as 2026-01-31 12:00:00 or with up to 6 digits of fraction',
};

/**
 * A value as a SQL literal of its type.
 * @throws InvalidValueError when the value is not of the type, or its literal exceeds Athena's limit
 */
export function encodeLiteral(type: ParameterType, value: ParameterValue): string {
  const literal = encoders[type](value);
  if (literal === undefined) {
    throw new InvalidValueError(`${type} parameter is ${show(value)}: expected ${expectations[type]}`);
  }
  if (literal.length > MAX_LITERAL_LENGTH) {
    throw new InvalidValueError(
      `${type} parameter ${show(value)} makes a literal of ${literal.length} characters: ` +
        `expected at most ${MAX_LITERAL_LENGTH}, Athena's limit for an execution parameter; pass a shorter value`,
    );
  }
  return literal;
}

function varchar(value: ParameterValue): string | undefined {
  if (typeof value !== 'string' || /\p{Cc}|\p{Cs}/u.test(value)) return undefined;
  return quote(value);
}

function wholeNumber(bits: bigint): (value: ParameterValue) => string | undefined {
  const limit = 2n ** (bits - 1n);
  return (value) => {
    // A double beyond 2^53 is not the number that was written: such values come as bigint or text.
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return undefined;
    if (typeof value === 'boolean' || !/^-?\d+$/.test(String(value))) return undefined;
    const number = BigInt(value);
    return -limit <= number && number < limit ? number.toString() : undefined;
  };
}

function decimal(value: ParameterValue): string | undefined {
  const match = /^(-?)0*(\d+)(\.\d+)?$/.exec(typeof value === 'boolean' ? '' : String(value));
  if (!match) return undefined;
  const [, sign, whole, fraction = ''] = match as unknown as [string, string, string, string?];
  return whole.length + Math.max(fraction.length - 1, 0) <= 38 ? `${sign}${whole}${fraction}` : undefined;
}

function double(value: ParameterValue): string | undefined {
  const isNumeric = typeof value === 'number' || /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(String(value));
  const number = isNumeric ? Number(value) : NaN;
  return Number.isFinite(number) ? number.toExponential().replace('e', 'E') : undefined;
}

function boolean(value: ParameterValue): string | undefined {
  const text = typeof value === 'boolean' ? String(value) : value;
  return text === 'true' || text === 'false' ? text.toUpperCase() : undefined;
}

function date(value: ParameterValue): string | undefined {
  return typeof value === 'string' && isDate(value) ? `DATE ${quote(value)}` : undefined;
}

function timestamp(value: ParameterValue): string | undefined {
  const match = /^(.{10})[ T]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?)$/.exec(String(value));
  if (!match || !isDate(match[1]!)) return undefined;
  return `TIMESTAMP ${quote(`${match[1]} ${match[2]}`)}`;
}

/** Whether the text is a day of the calendar, years 0001 to 9999. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || text < '0001') return false;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text); // 30 February would become March
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function show(value: ParameterValue): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
