import { GlueCrawler } from '@cdktf/provider-aws/lib/glue-crawler';
import { Construct } from 'constructs';
import type { Bucket } from './bucket';
import type { Database } from './catalog';
import type { GlueSecurity } from './glue-security';
import { isFolder } from './limits';
import { Role } from './role';
import { cronExpression, type Schedule } from './schedule';
import type { SourceConnection } from './source-connection';
import { check } from './validation';

/** What is crawled of a source. */
export interface CrawlerTarget {
  readonly connection: SourceConnection;
  /** Tables, as the source's contract includes them: "public.shots", "public.*". */
  readonly include: readonly string[];
}

/** What is crawled of a bucket. */
export interface LandingTarget {
  readonly bucket: Bucket;
  /** Its folders, one a feed: "telemetry/". */
  readonly prefixes: readonly string[];
}

export interface CrawlerProps {
  readonly name: string;
  readonly roleName: string;
  /** Where the tables that it finds are described. */
  readonly database: Database;
  readonly sources: readonly CrawlerTarget[];
  readonly landing: LandingTarget;
  /** Names of the classifiers that are asked before Glue's own, in this order. */
  readonly classifiers: readonly string[];
  readonly security: GlueSecurity;
  readonly schedule: Schedule;
}

/** How many files of a folder are looked at: a feed's files are alike, and there are more of them every day. */
const SAMPLE_FILES = 10;

/** Finds out on a schedule of its own what the sources and what has landed look like. Nothing waits for it. */
export class Crawler extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, props: CrawlerProps) {
    super(scope, id);
    const { sources, landing, database, security } = props;
    check(sources.length + landing.prefixes.length > 0, {
      name: `targets of crawler ${props.name}`,
      value: [],
      expected: 'at least one source or folder',
      remedy: 'add a contract to sources/',
    });
    for (const prefix of landing.prefixes) {
      check(isFolder(prefix), {
        name: `folder of crawler ${props.name}`,
        value: prefix,
        expected: 'a path that ends in a slash: without one it is the beginning of others, too',
        remedy: 'change it in modules/naming.ts',
      });
    }
    const role = new Role(this, 'role', {
      name: props.roleName,
      description: 'Crawls the sources and what has landed, and describes their tables in the catalog',
      trusts: { service: 'glue.amazonaws.com' },
    });
    for (const { connection } of sources) connection.grantCrawl(role);
    if (landing.prefixes.length > 0) {
      landing.bucket.grantList(role, ...landing.prefixes);
      landing.bucket.grantRead(role, ...landing.prefixes);
    }
    database.grantCrawl(role);

    this.name = new GlueCrawler(this, 'crawler', {
      name: props.name,
      role: role.arn,
      databaseName: database.name,
      schedule: cronExpression(props.schedule),
      classifiers: [...props.classifiers],
      securityConfiguration: security.configuration,
      jdbcTarget: sources.flatMap(jdbcTargets),
      s3Target: landing.prefixes.map((prefix) => ({ path: landing.bucket.uri(prefix), sampleSize: SAMPLE_FILES })),
      // A table that is gone stays described, and says so: dropping is no crawler's business.
      schemaChangePolicy: { updateBehavior: 'UPDATE_IN_DATABASE', deleteBehavior: 'DEPRECATE_IN_DATABASE' },
      recrawlPolicy: { recrawlBehavior: 'CRAWL_EVERYTHING' },
      // A partition has its table's columns, or a feed that gains one cannot be queried across the change.
      configuration: JSON.stringify({
        Version: 1,
        CrawlerOutput: { Partitions: { AddOrUpdateBehavior: 'InheritFromTable' } },
      }),
      dependsOn: security.keepLogs('crawlers', role, props.roleName),
    }).name;
  }
}

/** A target for each schema: Glue's paths have no patterns within a name, and the jobs narrow what was found. */
function jdbcTargets({ connection, include }: CrawlerTarget) {
  const schemas = new Set(include.map((pattern) => pattern.split('.')[0]));
  return [...schemas].map((schema) => ({
    connectionName: connection.glue.name,
    path: `${connection.database}/${schema}/%`,
    enableAdditionalMetadata: ['COMMENTS', 'RAWTYPES'],
  }));
}
