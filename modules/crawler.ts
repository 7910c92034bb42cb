import { GlueCrawler } from '@cdktf/provider-aws/lib/glue-crawler';
import { Construct } from 'constructs';
import type { Database } from './catalog';
import { grantLogs } from './logs';
import type { Location } from './naming';
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

export interface CrawlerProps {
  readonly name: string;
  readonly roleName: string;
  readonly location: Location;
  /** Where the tables that it finds are described. */
  readonly database: Database;
  readonly targets: readonly CrawlerTarget[];
  readonly schedule: Schedule;
}

/** Finds out on a schedule of its own what the sources look like. Nothing waits for it. */
export class Crawler extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, props: CrawlerProps) {
    super(scope, id);
    const { targets, database, location } = props;
    check(targets.length > 0, {
      name: `targets of crawler ${props.name}`,
      value: targets,
      expected: 'at least one source',
      remedy: 'add a contract to sources/index.ts',
    });
    const role = new Role(this, 'role', {
      name: props.roleName,
      description: 'Crawls the sources and describes their tables in the catalog',
      trusts: { service: 'glue.amazonaws.com' },
    });
    for (const { connection } of targets) connection.grantCrawl(role);
    database.grantReadWrite(role);
    grantLogs(role, location, '/aws-glue/crawlers');

    this.name = new GlueCrawler(this, 'crawler', {
      name: props.name,
      role: role.arn,
      databaseName: database.name,
      schedule: cronExpression(props.schedule),
      jdbcTarget: targets.flatMap(jdbcTargets),
      // A table that is gone from the source stays described, and says so: dropping is no crawler's business.
      schemaChangePolicy: { updateBehavior: 'UPDATE_IN_DATABASE', deleteBehavior: 'DEPRECATE_IN_DATABASE' },
      recrawlPolicy: { recrawlBehavior: 'CRAWL_EVERYTHING' },
    }).name;
  }
}

/** A target for each schema: Glue's paths have no patterns within a name, and the jobs narrow what was found. */
function jdbcTargets({ connection, include }: CrawlerTarget) {
  const schemas = new Set(include.map((pattern) => pattern.split('.')[0]));
  return [...schemas].map((schema) => ({
    connectionName: connection.name,
    path: `${connection.database}/${schema}/%`,
    enableAdditionalMetadata: ['COMMENTS', 'RAWTYPES'],
  }));
}
