/**
 * One canonical text for a value, computed by each engine where the value lies, so that a checksum over all columns of
 * a row is the same in the source, the lake and dataengineering-db iff the values are.
 */

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A column of a source table, from the source's own catalog. */
export interface Column {
  readonly name: string;
  /** `pg_type.typname`: int4, numeric, timestamptz, _text …; an enum's own name for an enum. */
  readonly type: string;
  /** The element's `typname` when the column is an array. */
  readonly elementType: string | null;
  /** Scale in the lake of a numeric column; null for others. */
  readonly scale: number | null;
  readonly pii: 'keep' | 'hash';
}

const NULL_TEXT = '∅';
const SEPARATOR = '\u001f';

/** HMAC-SHA256's two key blocks, so that Postgres, which has sha256() but no hmac(), can hash as the platform does. */
export interface Pepper {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

/** @param key the pepper's bytes, at most one SHA-256 block (64) as every pepper of ours is. */
export function pepperBlocks(key: Buffer): Pepper {
  const block = Buffer.alloc(64);
  if (key.length > block.length) throw new RangeError(`the pepper has ${key.length} bytes, at most 64 are expected`);
  key.copy(block);
  return { inner: Buffer.from(block.map((byte) => byte ^ 0x36)), outer: Buffer.from(block.map((byte) => byte ^ 0x5c)) };
}

/** SQL of the canonical text of a row in Postgres. `hashed` renders the hash of a text expression (source only). */
export function postgresRow(columns: readonly Column[], hashed?: (text: string) => string): string {
  return row(
    columns.map((column) => {
      const value = quote(column.name);
      if (column.pii === 'hash') return hashed ? hashed(`${value}::text`) : value;
      return postgresValue(column, value);
    }),
    (parts) => `array_to_string(array[${parts}], '${SEPARATOR}')`,
  );
}

/** SQL of the canonical text of a row in the lake, for Athena. */
export function athenaRow(columns: readonly Column[]): string {
  return row(
    columns.map((column) => (column.pii === 'hash' ? quote(column.name) : athenaValue(column, quote(column.name)))),
    (parts) => `array_join(array[${parts}], '${SEPARATOR}')`,
  );
}

/** A name as an identifier in either dialect. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function row(values: string[], join: (parts: string) => string): string {
  return join(values.map((value) => `coalesce(${value}, '${NULL_TEXT}')`).join(', '));
}

function postgresValue(column: Column, value: string): string {
  if (column.elementType === null) return postgresScalar(column.type, column.scale, value);
  const element = `coalesce(${postgresScalar(column.elementType, column.scale, 'e')}, '${NULL_TEXT}')`;
  return `case when ${value} is null then null else
    (select '[' || coalesce(string_agg(${element}, ',' order by n), '') || ']' from unnest(${value}) with ordinality as u(e, n)) end`;
}

function postgresScalar(type: string, scale: number | null, value: string): string {
  switch (type) {
    case 'timestamptz':
      return `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;
    case 'timestamp':
      return `to_char(${value}, 'YYYY-MM-DD HH24:MI:SS.US')`;
    case 'date':
      return `to_char(${value}, 'YYYY-MM-DD')`;
    case 'float4':
      return `encode(float4send(${value}), 'hex')`;
    case 'float8':
      return `encode(float8send(${value}), 'hex')`;
    case 'bytea':
      return `encode(${value}, 'hex')`;
    case 'numeric':
      return `(${value})::numeric(38, ${scale})::text`;
    case 'bpchar':
      return `format('%s', ${value})`; // a cast to text would strip the padding
    default:
      return `${value}::text`;
  }
}

function athenaValue(column: Column, value: string): string {
  if (column.elementType === null) return athenaScalar(column.type, value);
  const element = `coalesce(${athenaScalar(column.elementType, 'e')}, '${NULL_TEXT}')`;
  return `'[' || array_join(transform(${value}, e -> ${element}), ',') || ']'`;
}

function athenaScalar(type: string, value: string): string {
  switch (type) {
    case 'bool':
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'date':
      return `cast(${value} as varchar)`;
    case 'timestamptz':
    case 'timestamp':
      return `cast(cast(${value} as timestamp(6)) as varchar)`;
    case 'float4':
      return `lower(to_hex(to_ieee754_32(${value})))`;
    case 'float8':
      return `lower(to_hex(to_ieee754_64(${value})))`;
    case 'bytea':
      return `lower(to_hex(${value}))`;
    default:
      return value;
  }
}
