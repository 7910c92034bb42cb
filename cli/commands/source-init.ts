import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { projectRoot } from '../../modules/project';
import { resolveContracts } from '../../sources/contract';
import { sourceName } from '../../sources/values';
import { InputError } from '../errors';
import { connectTo, parseSourceUrl, place } from '../source/address';
import { readCatalog } from '../source/catalog';
import { contractFile } from '../source/contract-file';
import { draftContract, PUBLICATION, type Draft } from '../source/draft';
import { ownerKeeps, ownerSql } from '../source/owner-sql';

interface Options {
  readonly name?: string;
  readonly role: string;
}

export function sourceInitCommand(): Command {
  return new Command('init')
    .description(
      'writes sources/<name>.ts, a contract with every table of a Postgres that can be followed; prints the SQL that its owners run, and names the other tables on stderr. It changes nothing in the Postgres',
    )
    .argument(
      '<url>',
      'postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE; PGPASSWORD for the password',
    )
    .option('--name <name>', "the source's name", validName)
    .option('--role <role>', 'as which the platform connects', 'trackman_platform')
    .action(async (urlText: string, { name, role }: Options) => {
      const url = parseSourceUrl(urlText);
      const source = name ?? nameOf(url.database);
      const file = join('sources', `${source}.ts`);
      if (existsSync(join(projectRoot, file))) {
        throw new InputError(`${file} is there already: expected a new source; give another --name, or edit the file`);
      }
      const client = await connectTo(url);
      try {
        const catalog = await readCatalog(client, role, PUBLICATION);
        const draft = draftContract(source, catalog);
        tellLeftOut(draft);
        if (draft.followed.length === 0) {
          throw new InputError(`${place(url)} has no table that can be followed: nothing was written`);
        }
        resolveContracts({ name: 'dev' }, [draft.contract]);
        writeFileSync(
          join(projectRoot, file),
          contractFile(draft, `From the catalog of ${place(url)}: its tables with a key.`),
          { flag: 'wx' },
        );
        process.stderr.write(`wrote ${file}: ${draft.followed.length} tables\n`);
        process.stdout.write(`${ownerSql(draft, catalog, place(url))}\n${ownerKeeps(draft, catalog, place(url))}`);
      } finally {
        await client.end();
      }
    });
}

/** On stderr, a line each. */
export function tellLeftOut({ leftOut }: Draft): void {
  for (const { table, why } of leftOut) process.stderr.write(`  ✗ ${table}: left out, it ${why}\n`);
}

/** A source's name from its database's. @throws InputError when there is none */
export function nameOf(database: string): string {
  const name = database
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '');
  if (sourceName.safeParse(name).success) return name;
  throw new InputError(`no source can be named by the database "${database}": give it a --name`);
}

function validName(name: string): string {
  const parsed = sourceName.safeParse(name);
  if (parsed.success) return name;
  throw new InvalidArgumentError(`expected ${parsed.error.issues[0]!.message}`);
}
