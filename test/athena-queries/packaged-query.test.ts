import { encodeLiteral } from '../../athena-queries/literal';
import { loadPackagedQueries, parsePackagedQuery } from '../../athena-queries/packaged-query';
import { placeholders } from '../../athena-queries/placeholders';

const FRONT_MATTER = `description: What it answers.
owner: somebody
parameters:
  - { name: club, type: varchar, description: The club., default: driver }
columns:
  - { name: total, type: double, unit: m, description: A distance. }
chart: { type: bar, x: total, y: total }
byteLimit: 10000000`;
const SQL = 'SELECT total FROM shots WHERE club = ?';

const file = (frontMatter: string, sql = SQL): string => `/*---\n${frontMatter}\n---*/\n${sql}\n`;
/** The front matter with some text replaced. */
const matter = (from: string, to: string): string => FRONT_MATTER.replace(from, to);

describe('the packaged queries', () => {
  const queries = loadPackagedQueries();

  test('are found in order of their names', () => {
    expect(queries.map(({ name }) => name)).toEqual(['busiest_hours', 'club_distances', 'longest_drives']);
  });

  test.each(queries)(
    '$name: each ? of its WHERE clauses has a parameter with a default of its type',
    ({ sql, parameters }) => {
      expect(placeholders(sql)).toHaveLength(parameters.length);
      expect(placeholders(sql).every(({ inWhere }) => inWhere)).toBe(true);
      for (const { type, default: value } of parameters) expect(encodeLiteral(type, value)).not.toBe('');
    },
  );

  test.each(queries)('$name: its columns are those of its last select list', ({ sql, columns }) => {
    const list = sql.slice(sql.lastIndexOf('SELECT') + 'SELECT'.length, sql.lastIndexOf('\nFROM'));
    const names = list.split(/,\n/).map((item) => /(\w+)\s*$/.exec(item)![1]);
    expect(columns.map(({ name }) => name)).toEqual(names);
  });

  test('what is bound by default', () => {
    const literals = queries.map(({ parameters }) =>
      parameters.map(({ type, default: value }) => encodeLiteral(type, value)),
    );
    expect(literals).toEqual([
      ["'DK'", "DATE '2026-04-01'", "DATE '2027-01-01'"],
      ['18', "DATE '2026-04-01'", "DATE '2027-01-01'", '20'],
      ["DATE '2026-04-01'", "DATE '2027-01-01'", '60'],
    ]);
  });
});

test('a file is its front matter and its statement', () => {
  expect(parsePackagedQuery('far_shots', file(FRONT_MATTER))).toEqual({
    name: 'far_shots',
    description: 'What it answers.',
    owner: 'somebody',
    parameters: [{ name: 'club', type: 'varchar', description: 'The club.', default: 'driver' }],
    columns: [{ name: 'total', type: 'double', unit: 'm', description: 'A distance.' }],
    chart: { type: 'bar', x: 'total', y: 'total' },
    byteLimit: 10_000_000,
    sql: SQL,
  });
});

test.each([
  ['Far-Shots', file(FRONT_MATTER), 'name of a query is "Far-Shots": expected 2 to 128 lower-case letters'],
  ['q1', SQL, 'beginning of query q1 is "SELECT total FROM shots WHERE club = ?": expected front matter'],
  ['q1', file('owner: [', SQL), 'front matter of query q1 is not YAML'],
  [
    'q1',
    file(matter('owner: somebody\n', '')),
    'owner of query q1 is missing: expected a text; correct it in athena-queries/q1.sql',
  ],
  [
    'q1',
    file(matter('type: varchar', 'type: text')),
    'parameters.0.type of query q1 is "text": expected one of varchar, integer',
  ],
  [
    'q1',
    file(matter('type: varchar', 'type: date')),
    'parameters.0.default of query q1 is "driver": expected a value of its type (date parameter is "driver": expected a date as 2026-01-31)',
  ],
  [
    'q1',
    file(matter('type: double', 'type: float')),
    'columns.0.type of query q1 is "float": expected one of Athena\'s types',
  ],
  ['q1', file(matter('x: total', 'x: carry')), 'chart.x of query q1 is "carry": expected one of the columns total'],
  [
    'q1',
    file(matter('type: bar', 'type: pie')),
    'chart.type of query q1 is "pie": expected bar, line, scatter or table',
  ],
  [
    'q1',
    file(matter('byteLimit: 10000000', 'byteLimit: 1000')),
    'byteLimit of query q1 is 1000: expected a whole number of bytes of at least 10,000,000',
  ],
  ['q1', file(matter('owner:', 'ouner:')), 'ouner of query q1 is "somebody": expected no value of this name'],
  ['q1', file(FRONT_MATTER, 'SELECT 1'), 'parameters of query q1 is 1: expected 0, one for each ? in its SQL'],
  [
    'q1',
    file(FRONT_MATTER, `${SQL} AND total > ?`),
    'parameters of query q1 is 1: expected 2, one for each ? in its SQL',
  ],
  [
    'q1',
    file(FRONT_MATTER, 'SELECT total\nFROM shots\nLIMIT ?'),
    'placeholder of query q1 is "LIMIT ?": expected every ? in a WHERE clause: Athena takes parameters nowhere else',
  ],
])('%s with wrong content is refused', (name, text, message) => {
  expect(() => parsePackagedQuery(name, text)).toThrow(message);
});

test.each<[string, boolean[]]>([
  ['SELECT ? FROM t WHERE a = ?', [false, true]],
  ['SELECT a FROM t WHERE a IN (?, ?) AND (b = ? OR c = upper(?))', [true, true, true, true]],
  ['SELECT a FROM t WHERE a > ? GROUP BY a HAVING count(*) > ? ORDER BY ?', [true, false, false]],
  ['WITH u AS (SELECT a FROM t WHERE b = ?) SELECT a, ? FROM u WHERE a = ? LIMIT ?', [true, false, true, false]],
  ['SELECT a FROM t WHERE a = (SELECT max(?) FROM u WHERE b = ?) AND c = ?', [false, true, true]],
  ['SELECT a FROM t WHERE a = ? UNION SELECT ? FROM u', [true, false]],
  [`SELECT '?', "what?" -- ?\nFROM t /* ? */ WHERE a = 'it''s ?' AND b = ?`, [true]],
])('placeholders of %s', (sql, inWhere) => {
  expect(placeholders(sql).map((placeholder) => placeholder.inWhere)).toEqual(inWhere);
});
