/** What a Postgres says of itself: its tables, and what it has already for the platform to follow them. */
import type { Client } from 'pg';

export interface CatalogColumn {
  readonly name: string;
  /** `pg_type.typname`. */
  readonly type: string;
  readonly isGenerated: boolean;
}

/** A table of its own or the root of partitions. */
export interface CatalogTable {
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  /** `relkind`: r table, p partitioned, f foreign. */
  readonly kind: string;
  readonly isUnlogged: boolean;
  /** The extension that it is part of. */
  readonly extension: string | null;
  /** `relreplident`: d default, i index, f full, n nothing. */
  readonly replicaIdentity: string;
  /** Columns that name a row: of the primary key, or of the index that is the replica identity; not deferrable. */
  readonly key: readonly string[];
  readonly columns: readonly CatalogColumn[];
  /** What of it the platform's role may not read: the table and its partitions, as quoted names. */
  readonly unreadable: readonly string[];
  /** Whether the platform's role may use its schema. */
  readonly isSchemaUsable: boolean;
  readonly isPublished: boolean;
}

export interface SourceCatalog {
  readonly database: string;
  /** Major version of Postgres. */
  readonly version: number;
  readonly walLevel: string;
  /** Whether it is RDS, where replication is granted by membership. */
  readonly isRds: boolean;
  /** Of the platform. */
  readonly role: {
    readonly name: string;
    readonly exists: boolean;
    readonly mayReplicate: boolean;
    readonly mayConnect: boolean;
  };
  readonly publication: { readonly name: string; readonly exists: boolean };
  /** Replication slots, of all databases of the server. */
  readonly slots: readonly string[];
  readonly tables: readonly CatalogTable[];
}

type Server = Omit<SourceCatalog, 'role' | 'publication' | 'tables'> &
  Omit<SourceCatalog['role'], 'name' | 'exists'> & {
    readonly roleExists: boolean;
    readonly publicationExists: boolean;
  };

const SERVER = `
select current_database() as database, current_setting('server_version_num')::int / 10000 as version,
       current_setting('wal_level') as "walLevel",
       exists (select from pg_roles where rolname = 'rds_replication') as "isRds",
       role.oid is not null as "roleExists",
       coalesce(role.rolsuper or role.rolreplication
                or exists (select from pg_roles r where r.rolname = 'rds_replication' and pg_has_role(role.oid, r.oid, 'member')),
                false) as "mayReplicate",
       coalesce(has_database_privilege(role.oid, current_database(), 'connect'), false) as "mayConnect",
       exists (select from pg_publication where pubname = $2) as "publicationExists",
       array(select slot_name::text from pg_replication_slots order by 1) as slots
from (select) one left join pg_roles role on role.rolname = $1
`;

const TABLES = `
select n.nspname as schema, c.relname as name, pg_get_userbyid(c.relowner) as owner, c.relkind as kind,
       c.relpersistence = 'u' as "isUnlogged",
       (select e.extname from pg_depend d join pg_extension e on e.oid = d.refobjid
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') as extension,
       c.relreplident as "replicaIdentity",
       array(select a.attname::text
             from pg_index i
             cross join unnest(i.indkey) with ordinality as k (number, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
             where k.place <= i.indnkeyatts and i.indrelid = c.oid and i.indimmediate and i.indisvalid
               and case when c.relreplident = 'i' then i.indisreplident else i.indisprimary end
             order by k.place) as key,
       (select coalesce(json_agg(json_build_object('name', a.attname, 'type', t.typname,
                                                   'isGenerated', a.attgenerated <> '') order by a.attnum), '[]')
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
       array(select format('%I.%I', rn.nspname, r.relname)
             from pg_class r join pg_namespace rn on rn.oid = r.relnamespace
             where (r.oid = c.oid or r.oid in (select relid from pg_partition_tree(c.oid)))
               and not coalesce(has_table_privilege(role.oid, r.oid, 'select'), false)
             order by r.oid) as unreadable,
       coalesce(has_schema_privilege(role.oid, n.oid, 'usage'), false) as "isSchemaUsable",
       exists (select from pg_publication_tables p
               where p.pubname = $2 and p.schemaname = n.nspname and p.tablename = c.relname) as "isPublished"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_roles role on role.rolname = $1
where c.relkind in ('r', 'p', 'f') and not c.relispartition and c.relpersistence <> 't'
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
order by 1, 2
`;

/**
 * Reads the catalog and changes nothing.
 * @param role as which the platform connects, or will
 * @param publication that it follows, or will
 */
export async function readCatalog(client: Client, role: string, publication: string): Promise<SourceCatalog> {
  const { rows } = await client.query<Server>(SERVER, [role, publication]);
  const { roleExists, mayReplicate, mayConnect, publicationExists, ...server } = rows[0]!;
  const { rows: tables } = await client.query<CatalogTable>(TABLES, [role, publication]);
  return {
    ...server,
    role: { name: role, exists: roleExists, mayReplicate, mayConnect },
    publication: { name: publication, exists: publicationExists },
    tables,
  };
}
