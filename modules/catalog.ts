import { GlueCatalogDatabase } from '@cdktf/provider-aws/lib/glue-catalog-database';
import { GlueClassifier } from '@cdktf/provider-aws/lib/glue-classifier';
import {
  GlueDataCatalogEncryptionSettings,
  type GlueDataCatalogEncryptionSettingsDataCatalogEncryptionSettings as Encryption,
} from '@cdktf/provider-aws/lib/glue-data-catalog-encryption-settings';
import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import type { Grantee } from './grantee';
import type { Key } from './key';
import type { LakeFormation } from './lake-formation';
import { arn, names, type Location } from './naming';
import { Role } from './role';
import { check } from './validation';

export interface DatabaseProps {
  readonly name: string;
  readonly description: string;
  readonly location: Location;
  /** Encrypts its definitions, in the name of whoever reads and writes them. */
  readonly key: Key;
  readonly lakeFormation: LakeFormation;
  /** Where its tables' files are; an S3 URI. @default none: its tables describe what is kept elsewhere */
  readonly locationUri?: string;
  /** Whether Terraform refuses to remove it, and with it the definitions of its tables. */
  readonly deletionProtection: boolean;
  /** What has to be there before. @default nothing but Lake Formation's settings */
  readonly after?: readonly ITerraformDependable[];
}

const READ = ['glue:GetDatabase', 'glue:GetTable'];
const LIST = ['glue:GetTables'];
const CREATE = ['glue:CreateTable'];
const UPDATE = ['glue:UpdateTable'];

/** A database of the Glue Data Catalog. */
export class Database extends Construct {
  readonly name: string;
  private readonly resources: readonly string[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: DatabaseProps,
  ) {
    super(scope, id);
    const { name, description, location, locationUri } = props;
    check(/^[a-z][a-z0-9_]{0,251}$/.test(name), {
      name: 'database name',
      value: name,
      expected: 'lower-case letters, digits and underscores, a letter first: what Athena and Spark both take unquoted',
      remedy: 'change it in modules/naming.ts',
    });
    this.name = new GlueCatalogDatabase(this, 'database', {
      name,
      description,
      locationUri,
      lifecycle: { preventDestroy: props.deletionProtection },
      dependsOn: [props.lakeFormation.settings, ...(props.after ?? [])],
    }).name;
    // Glue asks for permission on a table and on everything that it is in.
    this.resources = [
      arn('glue', location, 'catalog'),
      arn('glue', location, `database/${name}`),
      arn('glue', location, `table/${name}/*`),
    ];
  }

  /** Allows to read the definitions of the database and of tables whose names are known. */
  grantRead(grantee: Grantee): void {
    this.allow(grantee, READ);
    this.grantByLakeFormation(grantee, 'read');
  }

  /** Allows to list its tables with their definitions. */
  grantList(grantee: Grantee): void {
    this.allow(grantee, LIST);
    this.grantByLakeFormation(grantee, 'read');
  }

  /** Allows to find out what there is: to list its tables and to read their definitions. */
  grantBrowse(grantee: Grantee): void {
    this.allow(grantee, [...READ, ...LIST]);
    this.grantByLakeFormation(grantee, 'read');
  }

  /** Allows to browse and to change its tables. */
  grantUpdate(grantee: Grantee): void {
    this.allow(grantee, [...READ, ...LIST, ...UPDATE]);
    this.props.key.grantUse(grantee);
    this.grantByLakeFormation(grantee, 'write');
  }

  /** Allows to read, create and change its tables. Dropping one is nobody's routine. */
  grantReadWrite(grantee: Grantee): void {
    this.allow(grantee, [...READ, ...UPDATE, ...CREATE]);
    this.props.key.grantUse(grantee);
    this.grantByLakeFormation(grantee, 'write');
  }

  /** Allows what a crawler does: beside tables, it keeps partitions, one by one or many at once. */
  grantCrawl(grantee: Grantee): void {
    const operations = ['Get', 'BatchGet', 'Create', 'BatchCreate', 'Update', 'BatchUpdate', 'Delete', 'BatchDelete'];
    const partitions = ['glue:GetPartitions', ...operations.map((operation) => `glue:${operation}Partition`)];
    this.allow(grantee, [...READ, ...LIST, ...UPDATE, ...CREATE, ...partitions]);
    this.props.key.grantUse(grantee);
    this.grantByLakeFormation(grantee, 'write');
  }

  /** With the key, by which definitions are read in the name of whoever asks. */
  private allow(grantee: Grantee, actions: readonly string[]): void {
    grantee.allow({ actions, resources: this.resources });
    this.props.key.grantDecrypt(grantee);
  }

  /** Lake Formation knows roles; whoever a policy is attached to is granted by its administrators. */
  private grantByLakeFormation(grantee: Grantee, access: 'read' | 'write'): void {
    if (grantee instanceof Role) this.props.lakeFormation.grant(grantee, this, access);
  }
}

export interface CatalogProps {
  readonly location: Location;
  /** The S3 URI below which a prefix's files are. */
  readonly uri: (prefix: string) => string;
  /** Encrypts the definitions. */
  readonly key: Key;
  readonly lakeFormation: LakeFormation;
  /** Whether Terraform refuses to remove a database. */
  readonly deletionProtection: boolean;
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
  /** Names of the classifiers by which telemetry that lands is recognized, in the order in which they are asked. */
  readonly classifiers: readonly string[];

  constructor(scope: Construct, id: string, { uri, ...common }: CatalogProps) {
    super(scope, id);
    const encryption = new GlueDataCatalogEncryptionSettings(this, 'encryption', {
      dataCatalogEncryptionSettings: encryptionWith(common.key),
    });
    const { databases, prefixes } = names;
    // What was defined before the catalog was encrypted stays as it is.
    const database = (id: string, name: string, description: string, locationUri?: string): Database =>
      new Database(this, id, { ...common, name, description, locationUri, after: [encryption] });
    this.backend = database('backend', databases.backend, 'What the sources look like, as the crawler found them');
    this.raw = database('raw', databases.raw, 'The change log: every change as it was received', uri(prefixes.raw));
    this.lake = database(
      'lake',
      databases.lake,
      "The sources' tables in their current state, typed",
      uri(prefixes.lake),
    );
    this.marts = database('marts', databases.marts, "What is derived from the sources' tables", uri(prefixes.marts));
    this.classifiers = this.classify();
  }

  /** Where Glue's own classifiers would guess: an array they take as one column, a header of mere text as data. */
  private classify(): string[] {
    const { classifiers } = names;
    const json = new GlueClassifier(this, 'telemetry-json', {
      name: classifiers.json,
      jsonClassifier: { jsonPath: '$[*]' },
    });
    const csv = new GlueClassifier(this, 'telemetry-csv', {
      name: classifiers.csv,
      csvClassifier: { containsHeader: 'PRESENT', delimiter: ',', quoteSymbol: '"' },
    });
    return [json.name, csv.name];
  }
}

/** The catalog under the key, or under the one that AWS manages for Glue. Passwords are in no connection of ours. */
function encryptionWith(key: Key): Encryption {
  return {
    encryptionAtRest: { catalogEncryptionMode: 'SSE-KMS', sseAwsKmsKeyId: key.arn },
    connectionPasswordEncryption: {
      returnConnectionPasswordEncrypted: key.arn !== undefined,
      awsKmsKeyId: key.arn,
    },
  };
}
