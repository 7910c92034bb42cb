/**
 * Packaged queries: one file `<name>.sql` each, which begins with its front matter. Terraform, the command line, docs
 * and tests all read them here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readFrontMatter } from '../modules/front-matter';
import { projectRoot } from '../modules/project';
import { check, InvalidValueError, parse } from '../modules/validation';
import { encodeLiteral, parameterTypes } from './literal';
import { placeholders } from './placeholders';

const text = z.string('a text').min(1, 'a text that is not empty');
const name = z
  .string('a name')
  .regex(/^[a-z][a-z0-9_]*$/, 'lower-case letters, digits and underscores, a letter first');
const wholeBytes = 'a whole number of bytes of at least 10,000,000 (10 MB): what Athena counts at least';

const parameter = z
  .strictObject({
    name,
    type: z.enum(parameterTypes, `one of ${parameterTypes.join(', ')}`),
    description: text,
    /** What the parameter is when nothing is given; also its example. */
    default: z.union([z.string(), z.number(), z.boolean()], 'a text, a number, true or false'),
  })
  .superRefine(({ type, default: value }, issues) => {
    try {
      encodeLiteral(type, value);
    } catch (error) {
      if (!(error instanceof InvalidValueError)) throw error;
      issues.addIssue({
        code: 'custom',
        path: ['default'],
        input: value,
        message: `a value of its type (${error.message})`,
      });
    }
  });

const column = z.strictObject({
  name,
  /** Athena's type of the column. */
  type: z
    .string('a type')
    .regex(
      /^(varchar|integer|bigint|decimal\(\d+,\d+\)|double|boolean|date|timestamp)$/,
      "one of Athena's types varchar, integer, bigint, decimal(p,s), double, boolean, date, timestamp",
    ),
  /** Unit of its values: m, m/s … @default none */
  unit: text.optional(),
  description: text,
});

const frontMatter = z
  .strictObject({
    /** What the query answers. */
    description: z.string('a text').min(1, 'a text that is not empty').max(1024, 'at most 1,024 characters'),
    /** Who is asked about it. */
    owner: text,
    /** In the order of the `?` in the SQL. */
    parameters: z.array(parameter),
    /** In the order of the select list. */
    columns: z.array(column).min(1, 'at least one column'),
    /** How the result is best drawn; `x` and `y` name columns. */
    chart: z.strictObject({
      type: z.enum(['bar', 'line', 'scatter', 'table'], 'bar, line, scatter or table'),
      x: name,
      y: name,
    }),
    /** What it may scan at most, in bytes. */
    byteLimit: z.int(wholeBytes).min(10_000_000, wholeBytes),
  })
  .superRefine(({ columns, chart }, issues) => {
    const names = columns.map((each) => each.name);
    for (const axis of ['x', 'y'] as const) {
      if (names.includes(chart[axis])) continue;
      const message = `one of the columns ${names.join(', ')}`;
      issues.addIssue({ code: 'custom', path: ['chart', axis], input: chart[axis], message });
    }
  });

export interface PackagedQuery extends Readonly<z.output<typeof frontMatter>> {
  readonly name: string;
  /** The statement, without front matter. */
  readonly sql: string;
}

/** Every packaged query, in order of their names. */
export function loadPackagedQueries(directory = join(projectRoot, 'athena-queries')): PackagedQuery[] {
  const files = readdirSync(directory).filter((file) => file.endsWith('.sql'));
  return files
    .sort()
    .map((file) => parsePackagedQuery(basename(file, '.sql'), readFileSync(join(directory, file), 'utf8')));
}

/**
 * A packaged query from its file's text.
 * @throws InvalidValueError naming each value that is wrong
 */
export function parsePackagedQuery(queryName: string, fileText: string): PackagedQuery {
  const subject = `query ${queryName}`;
  const remedy = `correct it in athena-queries/${queryName}.sql`;
  check(/^[a-z][a-z0-9_]{1,127}$/.test(queryName), {
    name: 'name of a query',
    value: queryName,
    expected: '2 to 128 lower-case letters, digits and underscores, a letter first',
    remedy: 'rename its file',
  });
  const { matter, sql } = readFrontMatter(fileText, subject, remedy);
  const described = parse(frontMatter, matter, subject, remedy);
  checkPlaceholders(sql, described.parameters.length, subject, remedy);
  return { name: queryName, ...described, sql };
}

function checkPlaceholders(sql: string, parameters: number, subject: string, remedy: string): void {
  const found = placeholders(sql);
  check(found.length === parameters, {
    name: `parameters of ${subject}`,
    value: parameters,
    expected: `${found.length}, one for each ? in its SQL`,
    remedy,
  });
  const misplaced = found.find(({ inWhere }) => !inWhere);
  check(misplaced === undefined, {
    name: `placeholder of ${subject}`,
    value: misplaced?.line,
    expected: 'every ? in a WHERE clause: Athena takes parameters nowhere else',
    remedy,
  });
}
