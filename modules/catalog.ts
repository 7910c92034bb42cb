import { GlueCatalogDatabase } from '@cdktf/provider-aws/lib/glue-catalog-database';
import { Construct } from 'constructs';
import { arn, names, type Location } from './naming';
import type { Grantee } from './grantee';
import { check } from './validation';

export interface DatabaseProps {
  readonly name: string;
  readonly description: string;
  readonly location: Location;
  /** Where its tables' files are; an S3 URI. @default none: its tables describe what is kept elsewhere */
  readonly locationUri?: string;
}

/** A database of the Glue Data Catalog. */
export class Database extends Construct {
  readonly name: string;
  private readonly resources: readonly string[];

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    const { name, description, location, locationUri } = props;
    check(/^[a-z][a-z0-9_]{0,251}$/.test(name), {
      name: 'database name',
      value: name,
      expected: 'lower-case letters, digits and underscores, a letter first: what Athena and Spark both take unquoted',
      remedy: 'change it in modules/naming.ts',
    });
    this.name = new GlueCatalogDatabase(this, 'database', { name, description, locationUri }).name;
    // Glue asks for permission on a table and on everything that it is in.
    this.resources = [
      arn('glue', location, 'catalog'),
      arn('glue', location, `database/${name}`),
      arn('glue', location, `table/${name}/*`),
    ];
  }

  /** Allows to read the definitions of the database and its tables. */
  grantRead(role: Grantee): void {
    role.allow({ actions: ['glue:GetDatabase', 'glue:GetTable', 'glue:GetTables'], resources: this.resources });
  }

  /** Allows to list its tables with their definitions. */
  grantList(role: Grantee): void {
    role.allow({ actions: ['glue:GetTables'], resources: this.resources });
  }

  /** Allows to read, create and change its tables. Dropping one is nobody's routine. */
  grantReadWrite(role: Grantee): void {
    this.grantRead(role);
    role.allow({ actions: ['glue:CreateTable', 'glue:UpdateTable'], resources: this.resources });
  }
}

export interface CatalogProps {
  readonly location: Location;
  /** The S3 URI below which a prefix's files are. */
  readonly uri: (prefix: string) => string;
}

/** The databases of the Glue Data Catalog, in the order in which data passes them. */
export class Catalog extends Construct {
  /** What the sources look like: filled by the crawler. */
  readonly backend: Database;
  /** The change log: what was received, as received. */
  readonly raw: Database;
  /** The sources' tables in their current state, typed. */
  readonly lake: Database;
  /** What is derived from them. */
  readonly marts: Database;

  constructor(scope: Construct, id: string, { location, uri }: CatalogProps) {
    super(scope, id);
    const { databases, prefixes } = names;
    this.backend = new Database(this, 'backend', {
      name: databases.backend,
      description: 'What the sources look like, as the crawler found them',
      location,
    });
    this.raw = new Database(this, 'raw', {
      name: databases.raw,
      description: 'The change log: every change as it was received',
      location,
      locationUri: uri(prefixes.raw),
    });
    this.lake = new Database(this, 'lake', {
      name: databases.lake,
      description: "The sources' tables in their current state, typed",
      location,
      locationUri: uri(prefixes.lake),
    });
    this.marts = new Database(this, 'marts', {
      name: databases.marts,
      description: "What is derived from the sources' tables",
      location,
      locationUri: uri(prefixes.marts),
    });
  }
}
