/**
 * Marts: what is derived from the lake's tables, group by group. One file `glue-jobs/marts/<name>.sql` each, which
 * begins with its front matter. They are checked here, at synth, and shipped to the job `publish` as JSON.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readFrontMatter } from '../front-matter';
import { projectRoot } from '../project';
import { check, parse } from '../validation';

const text = z.string('a text').min(1, 'a text that is not empty');
const name = z
  .string('a name')
  .regex(/^[a-z][a-z0-9_]{0,62}$/, 'at most 63 lower-case letters, digits and underscores, a letter first');

const column = z.strictObject({
  name,
  /** What the lake has for it; a uuid is a string there and a uuid in dataengineering-db. */
  type: z
    .string('a type')
    .regex(
      /^(boolean|int|long|decimal\(\d+,\d+\)|date|timestamp|string|uuid)$/,
      'one of boolean, int, long, decimal(p,s), date, timestamp, string, uuid: ' +
        'sums of floating numbers depend on the order in which they are added',
    ),
  /** Unit of its values: m, m/s … @default none */
  unit: text.optional(),
  description: text,
});

const frontMatter = z
  .strictObject({
    /** What a row of it is. */
    description: text,
    /** Who is asked about it. */
    owner: text,
    /** The columns that tell its groups apart; a group has at most one row, and no null among them. */
    key: z.array(name, 'a list of columns').min(1, 'at least one column'),
    /**
     * The lake's tables that it reads, all of them, each with a query for the groups that rows of the table are part
     * of: the columns of the key, from the table `changed`, joined to others where a row does not say it all. It is
     * run on the changed rows as they were, among the other tables as they were then, and on them as they are now. It
     * may name more groups than necessary, and never fewer.
     */
    tables: z
      .record(name, text, 'tables, each with a query')
      .refine((tables) => Object.keys(tables).length > 0, 'at least one table'),
    /** In the order in which the mart has them. */
    columns: z.array(column, 'a list of columns').min(1, 'at least one column'),
  })
  .superRefine(({ key, columns }, issues) => {
    const names = columns.map((each) => each.name);
    names.forEach((each, index) => {
      if (names.indexOf(each) === index) return;
      issues.addIssue({
        code: 'custom',
        path: ['columns', index, 'name'],
        input: each,
        message: 'each name only once',
      });
    });
    key.forEach((each, index) => {
      if (names.includes(each) && key.indexOf(each) === index) return;
      const message = `one of the columns ${names.join(', ')}, and each only once`;
      issues.addIssue({ code: 'custom', path: ['key', index], input: each, message });
    });
  });

/** A mart as the job `publish` reads it. */
export interface Mart {
  readonly name: string;
  readonly description: string;
  readonly key: readonly string[];
  /** The query for the groups of each table's rows. */
  readonly tables: Readonly<Record<string, string>>;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly comment: string }[];
  /** All its rows, from all rows of the tables. */
  readonly sql: string;
}

/** Every mart, in order of their names. */
export function loadMarts(directory = join(projectRoot, 'glue-jobs/marts')): Mart[] {
  const files = readdirSync(directory).filter((file) => file.endsWith('.sql'));
  return files.sort().map((file) => parseMart(basename(file, '.sql'), readFileSync(join(directory, file), 'utf8')));
}

/**
 * A mart from its file's text.
 * @throws InvalidValueError naming each value that is wrong
 */
export function parseMart(martName: string, fileText: string): Mart {
  const subject = `mart ${martName}`;
  const remedy = `correct it in glue-jobs/marts/${martName}.sql`;
  check(name.safeParse(martName).success, {
    name: 'name of a mart',
    value: martName,
    expected: 'at most 63 lower-case letters, digits and underscores, a letter first',
    remedy: 'rename its file',
  });
  const { matter, sql } = readFrontMatter(fileText, subject, remedy);
  const { description, key, tables, columns } = parse(frontMatter, matter, subject, remedy);
  check(sql !== '', { name: `statement of ${subject}`, value: sql, expected: 'a SELECT', remedy });
  return { name: martName, description, key, tables, columns: columns.map(described), sql };
}

function described({ name, type, unit, description }: z.output<typeof column>): Mart['columns'][number] {
  return { name, type, comment: unit === undefined ? description : `${description} In ${unit}.` };
}
