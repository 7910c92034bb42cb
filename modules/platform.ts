import type { Construct } from 'constructs';
import { loadPackagedQueries } from '../athena-queries/packaged-query';
import type { Environment } from '../envs/environment';
import { inMode, resolveContracts, withDatabases, type SourceContract } from '../sources/contract';
import { Analytics } from './analytics';
import { Catalog } from './catalog';
import { Crawler } from './crawler';
import { GlueConnection } from './glue-connection';
import { GlueSecurity } from './glue-security';
import { Key } from './key';
import { Lake } from './lake';
import { LakeFormation } from './lake-formation';
import { Monitoring } from './monitoring/monitoring';
import * as naming from './naming';
import { names } from './naming';
import { Network } from './network';
import { artifactFiles, JobArtifacts } from './pipeline/artifacts';
import { loadMarts } from './pipeline/marts';
import { Pipeline } from './pipeline/pipeline';
import { projectRoot } from './project';
import { Secret } from './secret';
import { ServingDb } from './serving-db';
import { SourceConnection } from './source-connection';
import { EnvironmentStack } from './stack';
import { check } from './validation';
import { Warehouse } from './warehouse';

/** The platform of one environment. Read from top to bottom it is the architecture, in the order in which data flows. */
export class Platform extends EnvironmentStack {
  /** @param followed contracts with the sources. @default those of sources/ */
  constructor(scope: Construct, environment: Environment, followed?: readonly SourceContract[]) {
    super(scope, environment, { name: naming.stackName(environment), stateKey: naming.stateKey(environment) });
    this.limitRoles(naming.boundaryArn(environment));
    this.takeSecondKey(environment);
    const { account, region, deletionProtection } = environment;
    const location = { account, region };

    const key = new Key(this, 'key', {
      name: names.platform,
      location,
      managedBy: environment.encryptionKey,
      deletionProtection,
    });
    const lake = new Lake(this, 'lake', {
      location,
      lakeBucket: naming.lakeBucket(environment),
      landingBucket: naming.landingBucket(environment),
      artifactsBucket: naming.artifactsBucket(environment),
      resultsBucket: naming.resultsBucket(environment),
      logsBucket: naming.logsBucket(environment),
      rawPrefix: names.prefixes.raw,
      key,
      ...environment.lake,
      resultDays: environment.analytics.resultDays,
      deletionProtection,
    });
    const lakeFormation = new LakeFormation(this, 'lake-formation', {
      mode: environment.lakeFormation,
      admins: environment.lakeFormation === 'grants' ? [naming.roleArn(environment, names.access.apply)] : [],
    });
    const catalog = new Catalog(this, 'catalog', {
      location,
      uri: (prefix) => lake.tables.uri(prefix),
      key,
      lakeFormation,
      deletionProtection,
    });

    const zones = (letters: readonly string[]): string[] => letters.map((letter) => `${region}${letter}`);
    const network = new Network(this, 'network', {
      ...environment.network,
      name: names.platform,
      location,
      zones: zones(environment.network.zones),
      endpointZones: zones(environment.network.endpointZones),
      peerings: environment.network.peerings.map(({ ownerFolder, port, account }) => {
        const { vpc, cidr } = naming.ownerPaths(environment, ownerFolder);
        return { name: ownerFolder, vpcParameter: vpc, cidrParameter: cidr, port, account };
      }),
      flowLogs: lake.logs,
    });

    const security = new GlueSecurity(this, 'glue-security', {
      name: names.glue.securityConfiguration,
      location,
      key,
      retentionDays: environment.logs.retentionDays,
    });
    const { subnetId, availabilityZone, securityGroup } = network.glue;
    const placement = { subnetId, availabilityZone, securityGroupIds: [securityGroup.id] };
    const networkConnection = new GlueConnection(this, 'network-connection', {
      name: names.glue.networkConnection,
      description: 'The platform’s network: dataengineering-db',
      location,
      placement,
    });

    const contracts = resolveContracts(environment, followed);
    const sources = withDatabases(contracts).map(({ source, connection, include }) => ({
      connection: new SourceConnection(this, `source-${source}`, {
        name: connection.glueConnection,
        location,
        urlParameter: connection.urlParameter,
        caParameter: connection.caParameter,
        secret: connection.secret,
        placement,
      }),
      include,
    }));
    const landing = { bucket: lake.landing, prefixes: inMode('files', contracts).map(({ prefix }) => prefix) };
    const crawler = new Crawler(this, 'crawler', {
      name: names.crawler,
      roleName: names.roles.crawler,
      database: catalog.backend,
      sources,
      landing,
      classifiers: catalog.classifiers,
      security,
      schedule: environment.schedules.crawl,
    });

    const pepper = new Secret(this, 'pii-pepper', {
      name: naming.pepperSecret(environment),
      description: 'Key of the hashes that stand for personal data; written once, by the job migrate',
      location,
      key,
      deletionProtection,
    });
    const servingDb = new ServingDb(this, 'serving-db', {
      identifier: names.serving.identifier,
      database: names.serving.database,
      masterUser: names.serving.masterUser,
      monitoringRoleName: names.roles.databaseMonitoring,
      location,
      network,
      key,
      ...environment.servingDb,
      ...environment.logs,
      deletionProtection,
      secrets: naming.servingSecrets(environment),
      caParameter: naming.servingCaParameter(environment),
    });

    const artifacts = new JobArtifacts(this, 'artifacts', {
      bucket: lake.artifacts,
      files: artifactFiles(projectRoot),
      scripts: [...Object.values(names.jobs), names.monitoring.freshness.job],
      contracts,
      marts: loadMarts(),
    });
    const { jobs } = new Pipeline(this, 'pipeline', {
      artifacts,
      lakeUri: lake.tables.uri(),
      landing,
      servingDb,
      pepper,
      connections: { sources: sources.map(({ connection }) => connection.glue), network: networkConnection },
      security,
      schedules: environment.schedules,
      workers: environment.sparkJobs,
      budgets: environment.latency,
      snapshotDays: environment.lake.snapshotDays,
    });

    const { analysts, analyst } = new Analytics(this, 'analytics', {
      workgroups: names.workgroups,
      policyName: names.policies.analysts,
      roleName: names.roles.analyst,
      location,
      results: lake.results,
      key,
      maxScannedBytes: environment.analytics.maxScannedBytes,
      queries: loadPackagedQueries(),
      database: catalog.lake,
      deletionProtection,
    });

    const warehouseGroup = network.securityGroup('warehouse', 'Redshift reads the catalog and the lake');
    network.callServices(warehouseGroup);
    const warehouse = new Warehouse(this, 'warehouse', {
      ...names.warehouse,
      location,
      key,
      subnetIds: network.subnetIds,
      securityGroupIds: [warehouseGroup.id],
      ...environment.warehouse,
      ...environment.logs,
      schemas: [catalog.lake, catalog.marts],
      deletionProtection,
    });

    new Monitoring(this, 'monitoring', {
      location,
      key,
      artifacts,
      security,
      tables: lake.tables,
      lake: catalog.lake,
      jobs: [jobs.ingest, jobs.publish],
      backgroundJobs: [jobs.ingestFiles, jobs.snapshot, jobs.maintain, jobs.migrate],
      measuringJobs: [jobs.ingest, jobs.snapshot],
      crawler,
      sources: inMode('log', contracts).map(({ source }) => source),
      servingDb,
      workgroups: Object.values(names.workgroups),
      pipelineMinutes: environment.schedules.pipeline.everyMinutes,
      promise: environment.latency,
      subscribers: environment.alarms,
      limits: environment.alarms,
      monthlyBudgetUsd: environment.budget.monthlyUsd,
    });

    // Who may do what.
    const { prefixes } = names;
    const { ingest, snapshot, publish, ingestFiles, maintain, migrate } = jobs;

    for (const { role } of [ingest, snapshot, publish, ingestFiles, maintain]) artifacts.grantReadContracts(role);

    for (const { role } of [ingest, snapshot]) {
      for (const { connection } of sources) connection.grantConnect(role);
      pepper.grantRead(role);
      catalog.raw.grantReadWrite(role);
      catalog.lake.grantReadWrite(role);
      lake.tables.grantReadWrite(role, prefixes.raw, prefixes.lake);
    }
    catalog.backend.grantList(ingest.role);
    snapshot.grantStart(ingest.role);

    catalog.raw.grantRead(publish.role);
    catalog.lake.grantBrowse(publish.role);
    lake.tables.grantRead(publish.role, prefixes.raw, prefixes.lake);
    artifacts.grantReadMarts(publish.role);
    catalog.marts.grantReadWrite(publish.role);
    lake.tables.grantReadWrite(publish.role, prefixes.marts);
    lake.tables.grantWrite(publish.role, prefixes.frontiers);
    servingDb.grantLoad(publish.role);

    catalog.raw.grantUpdate(maintain.role);
    catalog.lake.grantUpdate(maintain.role);
    catalog.marts.grantUpdate(maintain.role);
    lake.tables.grantList(maintain.role, prefixes.raw, prefixes.lake, prefixes.marts, prefixes.frontiers);
    lake.tables.grantRead(maintain.role, prefixes.frontiers);
    lake.tables.grantReadWrite(maintain.role, prefixes.raw, prefixes.lake, prefixes.marts);

    servingDb.grantAdminister(migrate.role);
    pepper.grantReadWrite(migrate.role);

    lake.landing.grantListVersions(ingestFiles.role, ...landing.prefixes);
    lake.landing.grantReadVersions(ingestFiles.role, ...landing.prefixes);
    pepper.grantRead(ingestFiles.role);
    catalog.raw.grantReadWrite(ingestFiles.role);
    catalog.lake.grantReadWrite(ingestFiles.role);
    lake.tables.grantReadWrite(ingestFiles.role, prefixes.raw, prefixes.lake);

    warehouse.grantQuery(analysts);
    for (const database of [catalog.lake, catalog.marts]) {
      database.grantBrowse(analysts);
      lakeFormation.grant(analyst, database, 'read');
    }
    for (const reader of [analysts, warehouse.spectrum]) {
      lake.tables.grantList(reader, prefixes.lake, prefixes.marts);
      lake.tables.grantRead(reader, prefixes.lake, prefixes.marts);
    }
  }

  /** Data can be destroyed only where two files agree: the environment's own and the list in cdktf.json. */
  private takeSecondKey({ name, deletionProtection }: Environment): void {
    const destroyable = (this.node.tryGetContext('destroyable') ?? []) as string[];
    check(deletionProtection || destroyable.includes(name), {
      name: `deletionProtection of environment ${name}`,
      value: deletionProtection,
      expected: `true, for ${name} is not one of the destroyable environments: ${destroyable.join(', ')}`,
      remedy: `set it in envs/${name}.ts; if its data may really be lost, add ${name} to destroyable in cdktf.json`,
    });
  }
}
