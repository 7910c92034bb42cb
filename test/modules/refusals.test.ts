/** What modules refuse at synth, of which AWS would tell only at apply. */
import { Fn } from 'cdktf';
import { dev } from '../../envs/dev';
import { Bucket } from '../../modules/bucket';
import { GlueSecurity } from '../../modules/glue-security';
import { Key } from '../../modules/key';
import { Alarm, type AlarmProps } from '../../modules/monitoring/alarm';
import { Budget } from '../../modules/monitoring/budget';
import { EventRule } from '../../modules/monitoring/event-rule';
import { AlertTopic } from '../../modules/monitoring/topics';
import { Network, type NetworkProps } from '../../modules/network';
import { GlueJob, type GlueJobProps } from '../../modules/pipeline/glue-job';
import { Landing } from '../../modules/pipeline/landing';
import { Role } from '../../modules/role';
import { cronExpression } from '../../modules/schedule';
import { Secret } from '../../modules/secret';
import { SecurityGroup } from '../../modules/security-group';
import { SourceConnection, type SourceConnectionProps } from '../../modules/source-connection';
import { monitoredStack } from './monitored-stack';
import { emptyStack } from './stack';
import { synthesize } from './synthesized';

const location = { account: '111111111111', region: 'eu-central-1' };

type Stack = ReturnType<typeof emptyStack>;

const keyIn = (stack: Stack, name = 'trackman'): Key =>
  new Key(stack, 'key', { name, location, managedBy: 'customer', deletionProtection: false });
const securityIn = (stack: Stack, retentionDays = 30): GlueSecurity =>
  new GlueSecurity(stack, 'security', { name: 'trackman', location, key: keyIn(stack), retentionDays });
const bucketIn = (stack: Stack): Bucket => new Bucket(stack, 'bucket', { name: 'files', deletionProtection: false });
const topicIn = (stack: Stack, deltas: object = {}): AlertTopic =>
  new AlertTopic(stack, 'topic', {
    name: 'page',
    displayName: 'Page',
    location,
    key: keyIn(stack),
    subscribers: [],
    ...deltas,
  });

function network(deltas: Partial<NetworkProps>): void {
  const stack = emptyStack();
  new Network(stack, 'network', {
    name: 'trackman',
    location,
    zones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
    cidr: '10.40.0.0/16',
    endpoints: ['glue'],
    endpointZones: ['eu-central-1a'],
    peerings: [],
    sourcePorts: [],
    nat: false,
    flowLogs: bucketIn(stack),
    ...deltas,
  });
}

const EXISTING = {
  vpcId: 'vpc-0a',
  subnetIds: ['subnet-0a', 'subnet-0b', 'subnet-0c'],
  routeTableIds: ['rtb-0a'],
};
const joined = (deltas: object): void => network({ cidr: undefined, existing: { ...EXISTING, ...deltas } });

const PEERING = { name: 'backend', vpcParameter: '/o/vpc', cidrParameter: '/o/cidr', port: 5432 };

function source(deltas: Partial<SourceConnectionProps>): void {
  new SourceConnection(emptyStack(), 'source', {
    name: 'backend',
    location,
    urlParameter: '/o/url',
    caParameter: '/o/ca',
    secret: 'o/backend',
    placement: { subnetId: 'subnet-0a', availabilityZone: 'eu-central-1a', securityGroupIds: ['sg-0a'] },
    ...deltas,
  });
}

function group(name: string, description: string, use: (made: SecurityGroup) => void = () => {}): void {
  use(new SecurityGroup(emptyStack(), 'group', { name, description, vpcId: 'vpc-0a' }));
}

function secret(name: string): void {
  const stack = emptyStack();
  new Secret(stack, 'secret', { name, description: 'd', location, key: keyIn(stack), deletionProtection: false });
}

function alarm(deltas: Partial<AlarmProps>): void {
  const stack = emptyStack();
  new Alarm(stack, 'alarm', {
    name: 'late',
    description: 'd',
    metric: { namespace: 'N', name: 'm', dimensions: {} },
    statistic: 'Maximum',
    breach: 'above',
    threshold: 1,
    periodMinutes: 5,
    periods: 3,
    datapoints: 1,
    missingData: 'missing',
    topic: topicIn(stack),
    ...deltas,
  });
}

function budget(monthlyUsd: number): void {
  const topic = topicIn(emptyStack());
  new Budget(topic, 'budget', { monthlyUsd, page: topic, ticket: topic });
}

function rule(name: string): void {
  const stack = emptyStack();
  new EventRule(stack, 'rule', { name, description: 'd', pattern: {}, topic: topicIn(stack) });
}

function job(deltas: Partial<GlueJobProps>, stack = emptyStack()): GlueJob {
  return new GlueJob(stack, 'job', {
    name: 'ingest',
    description: 'd',
    roleName: 'trackman-ingest',
    engine: { kind: 'spark', workerType: 'G.1X', workers: 2 },
    script: 's3://b/ingest.py',
    arguments: {},
    budgetMinutes: 8,
    retries: 1,
    connections: [],
    security: securityIn(stack),
    ...deltas,
  });
}

function landing(prefixes: readonly string[], objects = 'objects'): void {
  const stack = emptyStack();
  new Landing(stack, 'landing', {
    workflow: 'landing',
    trigger: 'landing',
    rules: { objects, schedule: 'schedule' },
    roleName: 'landing',
    bucket: bucketIn(stack),
    prefixes,
    schedule: { everyMinutes: 60, offsetMinutes: 0 },
    job: job({}, stack),
  });
}

const promise = { promiseMinutes: 60, lakeWarnMinutes: 45, servingWarnMinutes: 52 };
const limits = { slotLagGiB: { ticket: 1, page: 4 }, freeStorageGiB: 1, cpuPercent: 80 };

test.each<[string, () => unknown, string]>([
  [
    'a network in two zones',
    () => network({ zones: ['eu-central-1a', 'eu-central-1b'] }),
    'zones of network trackman is ["eu-central-1a","eu-central-1b"]: expected three different availability zones; ' +
      'correct network in the environment',
  ],
  [
    'endpoints in another zone',
    () => network({ endpointZones: ['eu-central-1d'] }),
    'endpointZones of network trackman is ["eu-central-1d"]: expected some of the zones eu-central-1a,',
  ],
  ['endpoints in no zone', () => network({ endpointZones: [] }), 'endpointZones of network trackman is []: expected'],
  [
    'an endpoint twice',
    () => network({ endpoints: ['glue', 'glue'] }),
    'endpoints of network trackman is ["glue","glue"]: expected each AWS service once',
  ],
  [
    'a network without a place',
    () => network({ cidr: undefined }),
    'cidr of network trackman is missing: expected either cidr, for a VPC of its own, or existing',
  ],
  [
    'a network in two places',
    () => network({ existing: EXISTING }),
    'cidr of network trackman is "10.40.0.0/16": expected either cidr',
  ],
  [
    'a VPC that is too small for its subnets',
    () => network({ cidr: '10.40.0.0/24' }),
    'cidr of network trackman is "10.40.0.0/24": expected an address range of /16 to /20',
  ],
  [
    'a range with bits behind its prefix',
    () => network({ cidr: '10.40.1.0/16' }),
    'cidr of network trackman is "10.40.1.0/16": expected an address range',
  ],
  [
    'a source in a VPC that is made',
    () => network({ sourcePorts: [5432] }),
    'sourcePorts of network trackman is [5432]: expected none',
  ],
  [
    'a NAT gateway in a VPC of others',
    () => network({ cidr: undefined, existing: EXISTING, nat: true }),
    'nat of network',
  ],
  [
    'a VPC by its name',
    () => joined({ vpcId: 'main' }),
    'existing.vpcId of network trackman is "main": expected an id such as vpc-0a1b2c3d',
  ],
  [
    'two subnets for three zones',
    () => joined({ subnetIds: ['subnet-0a', 'subnet-0b'] }),
    'existing.subnetIds of network trackman is ["subnet-0a","subnet-0b"]: expected the ids of three subnets, one in each',
  ],
  [
    'a subnet twice',
    () => joined({ subnetIds: ['subnet-0a', 'subnet-0b', 'subnet-0b'] }),
    'existing.subnetIds of network trackman is',
  ],
  ['no route table', () => joined({ routeTableIds: [] }), 'existing.routeTableIds of network trackman is []: expected'],
  [
    'a gateway that is none',
    () => joined({ s3GatewayId: 'vpc-0a' }),
    'existing.s3GatewayId of network trackman is "vpc-0a": expected an id such as vpce-0a1b2c3d',
  ],
  [
    'a source’s VPC twice',
    () => network({ peerings: [PEERING, PEERING] }),
    'peerings of network trackman is ["backend","backend"]: expected each source’s VPC once',
  ],
  [
    'a peering to no port',
    () => network({ peerings: [{ ...PEERING, port: 0 }] }),
    'peerings.backend.port of network trackman is 0: expected a port from 1 to 65,535',
  ],
  [
    'a peering with an account by its name',
    () => network({ peerings: [{ ...PEERING, account: 'golf' }] }),
    'peerings.backend.account of network trackman is "golf": expected the 12 digits of an AWS account',
  ],
  [
    'a parameter that does not begin with a slash',
    () => network({ peerings: [{ ...PEERING, vpcParameter: 'o/vpc' }] }),
    'peerings.backend.vpcParameter of network trackman is "o/vpc": expected the full name of an SSM parameter',
  ],
  [
    'a key under a name of AWS’s own',
    () => keyIn(emptyStack(), 'aws/s3'),
    'name of a key is "aws/s3": expected at most 250 letters',
  ],
  ['a key under a name with spaces', () => keyIn(emptyStack(), 'my key'), 'name of a key is "my key"'],
  [
    'a secret under a name with spaces',
    () => secret('the pepper'),
    'name of a secret is "the pepper": expected at most',
  ],
  [
    'an address in a parameter of AWS’s own',
    () => source({ urlParameter: '/aws/url' }),
    'urlParameter of source backend is "/aws/url": expected the full name of an SSM parameter',
  ],
  ['an authority nowhere', () => source({ caParameter: '' }), 'caParameter of source backend is "": expected'],
  [
    'credentials by an ARN pattern',
    () => source({ secret: 'o/backend-??????' }),
    'secret of source backend is "o/backend-??????": expected at most 512 letters, digits and',
  ],
  [
    'logs for ten days',
    () => securityIn(emptyStack(), 10),
    'retentionDays of security configuration trackman is 10: expected one of 1, 3, 5, 7, 14,',
  ],
  ['a group under a name like an id', () => group('sg-jobs', 'Jobs'), 'name of security group sg-jobs is "sg-jobs"'],
  [
    'a description with an apostrophe',
    () => group('jobs', "The jobs' group"),
    'description of security group jobs is "The jobs\' group": expected 1 to 255 letters, digits, spaces and',
  ],
  ['a group without a description', () => group('jobs', ''), 'description of security group jobs is ""'],
  [
    'a rule that says why with a quotation mark',
    () => group('jobs', 'Jobs', (made) => made.allowToCidr('x', '10.0.0.0/8', 443, 'the "source"')),
    'description of a rule of security group jobs is "the \\"source\\""',
  ],
  [
    'a rule for ports upside down',
    () => group('jobs', 'Jobs', (made) => made.allowTo(made, { from: 443, to: 80 }, 'd')),
    'ports of a rule of security group jobs is {"from":443,"to":80}: expected ports from 0 to 65,535, the lower one first',
  ],
  [
    'a rule for an address without its prefix',
    () => group('jobs', 'Jobs', (made) => made.allowFromCidr('x', '10.0.0.1', 5432, 'd')),
    'address range of security group jobs is "10.0.0.1": expected an address range such as 10.40.0.0/16',
  ],
  [
    'a start every 45 minutes',
    () => cronExpression({ everyMinutes: 45, offsetMinutes: 0 }),
    'schedule is {"everyMinutes":45,"offsetMinutes":0}: expected a period of at least 5 minutes that divides the hour',
  ],
  [
    'a start every minute',
    () => cronExpression({ everyMinutes: 1, offsetMinutes: 0 }),
    'schedule is {"everyMinutes":1',
  ],
  [
    'a first start after the second',
    () => cronExpression({ everyMinutes: 30, offsetMinutes: 30 }),
    'schedule is {"everyMinutes":30,"offsetMinutes":30}',
  ],
  ['an alarm on no number', () => alarm({ threshold: NaN }), 'threshold of alarm late is null: expected a number'],
  [
    'an alarm that looks back two days',
    () => alarm({ periodMinutes: 1440, periods: 2 }),
    'periods of alarm late is 2: expected as many as are a day at most',
  ],
  ['an alarm over half a minute', () => alarm({ periodMinutes: 0.5 }), 'periodMinutes of alarm late is 0.5'],
  [
    'an alarm that can never go off',
    () => alarm({ periods: 3, datapoints: 4 }),
    'datapoints of alarm late is 4: expected a whole number from 1 to its periods, 3',
  ],
  ['an alarm under a name with spaces', () => alarm({ name: 'too late' }), 'name of alarm too late is "too late"'],
  [
    'a budget of nothing',
    () => budget(0),
    'monthly budget is 0: expected more than 0 US dollars; correct budget.monthlyUsd',
  ],
  [
    'a rule whose name EventBridge finds too long',
    () => rule('r'.repeat(65)),
    `name of an event rule is "${'r'.repeat(65)}": expected at most 64 letters`,
  ],
  ['a topic under a name with dots', () => topicIn(emptyStack(), { name: 'a.b' }), 'name of topic a.b is "a.b"'],
  [
    'somebody who is told twice',
    () => topicIn(emptyStack(), { subscribers: ['a@example.com', 'a@example.com'] }),
    'subscribers of topic page is ["a@example.com","a@example.com"]: expected each of them once',
  ],
  [
    'a warning after the promise is broken',
    () => monitoredStack({ promise: { ...promise, lakeWarnMinutes: 60 } }),
    'lakeWarnMinutes of monitoring is 60: expected less than the promised 60 minutes; correct latency or alarms',
  ],
  [
    'a page before the ticket',
    () => monitoredStack({ limits: { ...limits, slotLagGiB: { ticket: 4, page: 1 } } }),
    'slotLagGiB of monitoring is {"ticket":4,"page":1}: expected a ticket at more than 0 GiB, and a page at more',
  ],
  [
    'a CPU that is never too much',
    () => monitoredStack({ limits: { ...limits, cpuPercent: 100 } }),
    'cpuPercent of monitoring is 100: expected from 1 to 99 percent',
  ],
  [
    'storage that may be full',
    () => monitoredStack({ limits: { ...limits, freeStorageGiB: 0 } }),
    'freeStorageGiB of monitoring is 0: expected more than 0 GiB',
  ],
  [
    'a job that would run for nine hours',
    () => job({ budgetMinutes: 180 }),
    'budgetMinutes of job ingest is 180: expected a whole number of minutes from 1 to 160: a run is ended after 3 times',
  ],
  [
    'a job without its driver',
    () => job({ engine: { kind: 'spark', workerType: 'G.1X', workers: 1 } }),
    'workers of job',
  ],
  [
    'a job that is repeated for ever',
    () => job({ retries: 11 }),
    'retries of job ingest is 11: expected a whole number',
  ],
  [
    'a script on this machine',
    () => job({ script: 'ingest.py' }),
    'script of job ingest is "ingest.py": expected an S3 URI',
  ],
  [
    'a table that can never be read as it was',
    () => synthesize({ ...dev, lake: { ...dev.lake, snapshotDays: 0 } }),
    'snapshotDays of the pipeline is 0: expected a whole number of days from 1 to 3650; correct lake.snapshotDays',
  ],
  [
    'a database that is not backed up and cannot grow',
    () => synthesize({ ...dev, servingDb: { ...dev.servingDb, backupDays: 0, maxStorageGiB: 20 } }),
    'backupDays of dataengineering-db is 0: expected from 1 to 35 days: 0 switches backups off; ' +
      'correct servingDb or logs in the environment\n' +
      'maxStorageGiB of dataengineering-db is 20: expected more than storageGiB, 20 GiB',
  ],
  [
    'a role whose name IAM finds too long',
    () =>
      new Role(emptyStack(), 'role', { name: 'r'.repeat(65), description: 'd', trusts: { account: location.account } }),
    `name of a role is "${'r'.repeat(65)}": expected at most 64 letters`,
  ],
  [
    'a folder without its slash',
    () => landing(['telemetry']),
    'prefixes of workflow landing is ["telemetry"]: expected one or more folders, each a path that ends in a slash',
  ],
  ['a landing zone without folders', () => landing([]), 'prefixes of workflow landing is []'],
  ['a landing rule with a long name', () => landing(['a/'], 'r'.repeat(65)), 'rules.objects of workflow landing'],
])('%s is refused', (_, make, message) => {
  expect(make).toThrow(message);
});

test('everything that is wrong with a thing is said at once', () => {
  expect(() => network({ zones: [], nat: true, cidr: '10.0.0.0/8' })).toThrow(
    /^zones of .*\nendpointZones of .*\ncidr of .*expected an address range of \/16 to \/20/,
  );
});

test('what only Terraform knows is taken', () => {
  const id = (kind: string): string => Fn.lookup({ a: kind }, 'a', '') as string;
  expect(() =>
    joined({ vpcId: id('vpc'), subnetIds: [1, 2, 3].map((n) => id(`subnet-${n}`)), routeTableIds: [id('rtb')] }),
  ).not.toThrow();
});
