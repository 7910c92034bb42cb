import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMarts, parseMart } from '../../modules/pipeline/marts';

const FRONT_MATTER = `description: One row a club.
owner: somebody
key: [club]
tables:
  shots: SELECT club FROM changed
columns:
  - { name: club, type: string, description: Club. }
  - { name: carry, type: "decimal(6,2)", unit: m, description: Longest carry. }`;
const SQL = 'SELECT club, max(carry) AS carry FROM shots GROUP BY club';

const file = (frontMatter: string, sql = SQL): string => `/*---\n${frontMatter}\n---*/\n${sql}\n`;
/** A file whose front matter has some text replaced. */
const changed = (from: string, to: string): string => file(FRONT_MATTER.replace(from, to));

test('the marts are found in order of their names', () => {
  expect(loadMarts().map(({ name, key }) => [name, ...key])).toEqual([
    ['facility_by_hour', 'facility_id', 'hour'],
    ['player_by_day', 'player_id', 'day'],
    ['player_clubs', 'player_id', 'club'],
    ['session_summary', 'session_id'],
  ]);
});

test.each(loadMarts())('$name holds no personal data', ({ columns, sql }) => {
  expect(columns.map(({ name }) => name).filter((name) => /name|email/.test(name))).toEqual([]);
  expect(sql).not.toMatch(/\bplayers\b/);
});

test('a file is its front matter and its statement', () => {
  expect(parseMart('far_clubs', file(FRONT_MATTER))).toEqual({
    name: 'far_clubs',
    description: 'One row a club.',
    key: ['club'],
    tables: { shots: 'SELECT club FROM changed' },
    columns: [
      { name: 'club', type: 'string', comment: 'Club.' },
      { name: 'carry', type: 'decimal(6,2)', comment: 'Longest carry. In m.' },
    ],
    sql: SQL,
  });
});

test.each([
  ['no front matter', SQL, 'beginning of mart m is "SELECT club, max(carry) AS carry FROM sh": expected front matter'],
  ['no YAML', file('key: ['), 'front matter of mart m is not YAML: '],
  ['no statement', file(FRONT_MATTER, ''), 'statement of mart m is "": expected a SELECT'],
  [
    'a key that is no column',
    changed('[club]', '[player]'),
    'key.0 of mart m is "player": expected one of the columns',
  ],
  [
    'a key twice',
    changed('[club]', '[club, club]'),
    'key.1 of mart m is "club": expected one of the columns club, carry',
  ],
  ['no key', changed('[club]', '[]'), 'key of mart m is []: expected at least one column'],
  ['no tables', changed('\n  shots: SELECT club FROM changed', ' {}'), 'tables of mart m is {}: expected at least one'],
  [
    'a table without query',
    changed(' SELECT club FROM changed', ''),
    'tables.shots of mart m is null: expected a text',
  ],
  [
    'a floating number',
    changed('decimal(6,2)', 'double'),
    'columns.1.type of mart m is "double": expected one of boolean',
  ],
  [
    'a column twice',
    changed('name: carry', 'name: club'),
    'columns.1.name of mart m is "club": expected each name only',
  ],
  [
    'what nobody reads',
    changed('owner:', 'schedule: daily\nowner:'),
    'schedule of mart m is "daily": expected no value',
  ],
])('%s is refused with the file’s name', (_, text, complaint) => {
  expect(() => parseMart('m', text)).toThrow(complaint);
  expect(() => parseMart('m', text)).toThrow('correct it in glue-jobs/marts/m.sql');
});

test('a file is named as tables are', () => {
  const directory = mkdtempSync(join(tmpdir(), 'marts-'));
  writeFileSync(join(directory, 'Far-clubs.sql'), file(FRONT_MATTER));
  expect(() => loadMarts(directory)).toThrow(
    'name of a mart is "Far-clubs": expected at most 63 lower-case letters, digits and underscores, a letter first; ' +
      'rename its file',
  );
  rmSync(directory, { recursive: true });
});
