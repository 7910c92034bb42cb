/** What a source's owners do for the platform: as SQL, with all else as its comments. */
import { ownerPaths } from '../../modules/naming';
import { quote } from '../verify/canonical';
import type { SourceCatalog } from './catalog';
import type { Draft } from './draft';

/**
 * Exactly what is missing. What is there already is not asked for again; a source that is ready gets comments only.
 * @param where host:port/database
 */
export function ownerSql({ contract, followed }: Draft, catalog: SourceCatalog, where: string): string {
  const { role, publication } = catalog;
  const platform = quote(role.name);
  const schemas = followed.filter(({ isSchemaUsable }) => !isSchemaUsable).map(({ schema }) => schema);
  const unreadable = followed.flatMap((table) => table.unreadable);
  const isPartitioned = followed.some(({ kind }) => kind === 'p');
  const unpublished = followed.filter(({ isPublished }) => !isPublished).map(tableName);
  const owners = [...new Set(followed.map(({ owner }) => owner))];
  const full = followed.filter(({ replicaIdentity }) => replicaIdentity === 'f').map(tableName);
  const sections = [
    { title: 'The server, by its administrators.', lines: serverLines(catalog) },
    { title: `The platform's role, by an administrator.`, lines: roleLines(catalog) },
    {
      title: `What it may read, by the tables' owner: ${owners.join(', ')}.`,
      lines: [
        ...[...new Set(schemas)].map((schema) => `GRANT USAGE ON SCHEMA ${quote(schema)} TO ${platform};`),
        ...(unreadable.length > 0 ? [`GRANT SELECT ON TABLE\n  ${unreadable.join(',\n  ')}\nTO ${platform};`] : []),
        ...(unreadable.length > 0 && isPartitioned ? ['-- Each partition to come needs the same grant.'] : []),
      ],
    },
    {
      title: `What it follows, by the tables' owner, who may CREATE in the database; of several owners, by a role that is a member of all.`,
      lines: publicationLines(quote(publication.name), publication.exists, unpublished),
    },
    {
      title:
        'Their REPLICA IDENTITY is FULL: each change writes the old row into the log. The key is enough, if nobody else needs more.',
      lines: full.map((table) => `-- ALTER TABLE ${table} REPLICA IDENTITY DEFAULT;`),
    },
  ].filter(({ lines }) => lines.length > 0);
  const numbered = sections.map(({ title, lines }, i) => [`-- ${i + 1}. ${title}`, ...lines, ''].join('\n'));
  return [
    `-- What the owners of ${contract.name} run in ${where} (Postgres ${catalog.version}).`,
    numbered.length === 0 ? '-- Nothing: it has all that the platform needs.\n' : '',
    ...numbered,
  ].join('\n');
}

/** What owners keep in each environment's account, as comments of the SQL. */
export function ownerKeeps({ contract }: Draft, { role }: SourceCatalog, where: string): string {
  const { url, ca, vpc, cidr, secret } = ownerPaths({ name: '<env>' }, contract.ownerFolder);
  return [
    `-- What they keep for the platform, in the account of each environment <env>:`,
    `--   parameter ${url}   postgresql://${where}, by a name that leads to its private address`,
    `--   parameter ${ca}    the authority that signs its certificate, in PEM`,
    `--   parameters ${vpc}, …/cidr   its VPC, where a peering leads to it (network.peerings in envs/)`,
    `--   secret ${secret}   {"username": "${role.name}", "password": …}`,
    `-- They set max_slot_wal_keep_size: more than alarms.slotLagGiB.page, and less than half of the disk.`,
    `-- Then: npx trackman preflight <env> --source`,
    '',
  ]
    .join('\n')
    .replaceAll(cidr, '…/cidr');
}

function serverLines({ walLevel, isRds }: SourceCatalog): string[] {
  if (walLevel === 'logical') return [];
  if (isRds)
    return [`-- wal_level is ${walLevel}. In its parameter group: rds.logical_replication = 1, then a reboot.`];
  return [`-- wal_level is ${walLevel}; a restart follows.`, "ALTER SYSTEM SET wal_level = 'logical';"];
}

function roleLines({ role, isRds, database }: SourceCatalog): string[] {
  const name = quote(role.name);
  const replicate = isRds ? `GRANT rds_replication TO ${name};` : `ALTER ROLE ${name} REPLICATION;`;
  return [
    ...(role.exists
      ? []
      : [
          `CREATE ROLE ${name} LOGIN;`,
          `-- Its password, so that nothing remembers it, by psql's: \\password ${role.name}`,
        ]),
    ...(role.mayReplicate ? [] : [replicate]),
    ...(role.mayConnect ? [] : [`GRANT CONNECT ON DATABASE ${quote(database)} TO ${name};`]),
  ];
}

function publicationLines(name: string, exists: boolean, tables: readonly string[]): string[] {
  const all = tables.join(',\n  ');
  if (!exists) {
    return [`CREATE PUBLICATION ${name} FOR TABLE\n  ${all}\nWITH (publish_via_partition_root = true);`];
  }
  return tables.length > 0 ? [`ALTER PUBLICATION ${name} ADD TABLE\n  ${all};`] : [];
}

function tableName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${quote(schema)}.${quote(name)}`;
}
