/** The main job on a small history, as `npm start -- --keep` runs it, and the commands that go on from there. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AthenaClient, UpdateWorkGroupCommand } from '@aws-sdk/client-athena';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Client } from 'pg';
import { credentialsOf, deployJob } from '../../cli/local/github';
import type { PlanSummary } from '../../cli/terraform/plan-summary';
import { dev } from '../../envs/dev';
import { names, stackName } from '../../modules/naming';
import { exceptions } from '../permissions/exceptions';
import { endpoints, findings, readGrants, readUses, review, type Grant, type Use } from '../permissions/permissions';
import { rolesAtWork } from './roles-at-work';
import { leaks, secretValues, writings } from './secret-values';
import { MINUTE, platformProcesses, root, trackman, trackmanWith, type Outcome } from './trackman';

const summaryFile = join(root, '.local', 'summary.json');
const SHOTS = 2000;

interface Summary {
  readonly queries: readonly { readonly name: string; readonly rows: number; readonly scannedBytes: number }[];
  readonly freshnessSeconds: number;
}

describe('the main job', () => {
  let started: Outcome;
  let terraformLog: string;

  beforeAll(async () => {
    started = await trackman('local', 'start', '--shots', String(SHOTS), '--keep');
    for (const [, name, value] of started.stdout.matchAll(/^export (AWS_\w+)=(.*)$/gm)) process.env[name!] = value;
    terraformLog = readFileSync(join(root, '.local', 'terraform.log'), 'utf8'); // the next command writes it anew
  }, 15 * MINUTE);

  afterAll(async () => {
    await trackman('local', 'down');
  }, MINUTE);

  test('succeeds, and says so', () => {
    expect({ code: started.code, stderr: started.code === 0 ? '' : started.stderr }).toEqual({ code: 0, stderr: '' });
    expect(started.stdout).toContain(
      'Verified: every row of 8 tables is the same in the source, the lake and dataengineering-db.',
    );
  });

  test('the summary holds what was done and proven', () => {
    const summary = JSON.parse(readFileSync(summaryFile, 'utf8')) as Summary;
    // The traffic adds 405 shots and deletes the two of 2,000 whose number ends in 013.
    const shots = SHOTS + 405 - 2;
    expect(summary).toMatchObject({
      verified: true,
      tables: expect.arrayContaining([
        { name: 'facilities', source: 12, lake: 12, serving: 12 },
        { name: 'bays', source: 96, lake: 96, serving: 96 },
        { name: 'players', source: 24, lake: 24, serving: 24 },
        { name: 'sessions', source: 52, lake: 52, serving: 52 },
        { name: 'shots', source: shots, lake: shots, serving: shots },
        // The clubs' members that cancelled and the bookings that were withdrawn are still in their tables.
        { name: 'membership_members', source: 291, lake: 291, serving: 291 },
        { name: 'membership_visits', source: 1040, lake: 1040, serving: 1040 },
      ]),
      changes: { inserted: 456, deleted: expect.any(Number) },
    });
    expect(summary.freshnessSeconds).toBeLessThan(3600);
    expect(summary.queries).toHaveLength(3);
    for (const query of summary.queries) {
      expect(query).toMatchObject({ rows: expect.any(Number), scannedBytes: expect.any(Number) });
      expect(query.rows).toBeGreaterThan(0);
    }
  });

  test('status tells how to reach it, and a second start in this checkout is refused', async () => {
    const status = await trackman('local', 'status');
    expect(status.stdout).toContain(`export AWS_ENDPOINT_URL=${process.env['AWS_ENDPOINT_URL']}`);
    const second = await trackman('local', 'up');
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('a local platform is up already');
  });

  describe('a pipeline', () => {
    const pullRequest = () => credentialsOf({ context: 'pull_request', role: names.access.plan }, dev);
    const deploy = () => credentialsOf(deployJob(dev), dev);

    test(
      'of a pull request plans: the second plan is empty',
      async () => {
        const planned = await trackmanWith(await pullRequest(), 'plan', 'dev', '--json');
        expect({ code: planned.code, stderr: planned.code === 0 ? '' : planned.stderr }).toEqual({
          code: 0,
          stderr: '',
        });
        for (const summary of JSON.parse(planned.stdout) as PlanSummary[]) {
          expect(summary).toMatchObject({ create: [], update: [], replace: [], delete: [] });
        }
      },
      4 * MINUTE,
    );

    test(
      'takes back what was changed by hand, as the role that deploys and no other',
      async () => {
        await new AthenaClient({}).send(
          new UpdateWorkGroupCommand({ WorkGroup: names.workgroups.analysts, Description: 'by hand' }),
        );
        const drifted = await trackmanWith(await pullRequest(), 'drift', 'dev');
        expect(drifted).toMatchObject({
          code: 1,
          stdout: expect.stringMatching(/^ {2}update {2}aws_athena_workgroup\./m),
          stderr: expect.stringContaining('trackman-dev differ from the code'),
        });

        const plans = mkdtempSync(join(tmpdir(), 'trackman-test-'));
        expect(await trackmanWith(await pullRequest(), 'plan', 'dev', '--out', plans)).toMatchObject({ code: 0 });
        expect(await trackmanWith(await pullRequest(), 'apply', 'dev', '--plan', plans)).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('not authorized to perform'),
        });
        expect(await trackmanWith(await deploy(), 'apply', 'dev', '--plan', plans)).toMatchObject({ code: 0 });
        expect(await trackmanWith(await pullRequest(), 'drift', 'dev')).toMatchObject({ code: 0 });
      },
      8 * MINUTE,
    );

    test('of a pull request cannot act as the role that deploys', async () => {
      const job = { context: 'pull_request', role: names.access.apply };
      await expect(credentialsOf(job, dev)).rejects.toThrow('Not authorized to perform sts:AssumeRoleWithWebIdentity');
    });
  });

  test(
    'the roles that it does not need do their work, too',
    async () => {
      expect(await rolesAtWork(dev)).toEqual({ players: 24, readings: [['1', '71.5']] });
    },
    4 * MINUTE,
  );

  test(
    'an idle run keeps everything as it is',
    async () => {
      expect(await trackman('local', 'run')).toMatchObject({ code: 0 });
      expect(await trackman('local', 'verify')).toMatchObject({ code: 0 });
    },
    5 * MINUTE,
  );

  describe('every role of the platform', () => {
    let grants: Grant[];
    let uses: Use[];

    beforeAll(() => {
      grants = readGrants(join(root, 'cdktf.out', 'stacks', stackName(dev), 'cdk.tf.json'));
      const roles = new Set(grants.map(({ role }) => role));
      const all = readUses(join(root, '.local', 'emulator', 'requests.jsonl'), dev.account);
      uses = all.filter(({ role }) => roles.has(role));
    });

    test('was refused nothing, and needed all that it is granted but for what is explained', () => {
      const { unused, refused } = findings(grants, uses);
      expect({ refused, ...review(unused, exceptions) }).toEqual({ refused: [], unexplained: [], stale: [] });
      const used = grants.filter((grant) => !unused.includes(grant));
      expect(review(used, exceptions).unexplained).toEqual(used); // or docs/permissions.md would say too much
    });

    // EC2 is called by Glue itself, from outside, before there is a network interface.
    test('that works in the network finds an endpoint of each service that it calls', () => {
      const inNetwork = new Set(
        grants.filter(({ action }) => action === 'glue:GetConnection').map(({ role }) => role),
      ).add(names.warehouse.spectrumRole);
      expect([...inNetwork].sort()).toEqual([
        'trackman-crawler',
        'trackman-ingest',
        'trackman-migrate',
        'trackman-publish',
        'trackman-snapshot',
        'trackman-spectrum',
      ]);
      const called = endpoints(uses);
      const reachable = new Set([...dev.network.endpoints, 's3', 'ec2']);
      for (const role of inNetwork) {
        expect({ role, missing: [...called.get(role)!].filter((service) => !reachable.has(service)) }).toEqual({
          role,
          missing: [],
        });
      }
    });
  });

  test(
    'no secret is written down: plans, states, logs, job arguments',
    async () => {
      const secrets = await secretValues();
      expect([...secrets.keys()].sort()).toEqual([
        expect.stringMatching(/^rds!db-/),
        expect.stringMatching(/^redshift!/),
        'trackman/dev/backend',
        'trackman/dev/clubs',
        'trackman/dev/pii-pepper',
        'trackman/dev/serving/application',
        'trackman/dev/serving/loader',
      ]);
      const places = await writings(dev);
      places.set('stdout of the start', started.stdout).set('stderr of the start', started.stderr);
      places.set('log of the apply', terraformLog);
      expect(places.get('s3://trackman-state-dev-111111111111/trackman-dev/terraform.tfstate')).toContain('rds!db-');
      expect(places.get('log of the apply')).toContain('aws_secretsmanager_secret.pii-pepper');
      expect(places.get('log group /aws-glue/jobs/trackman-role/trackman-ingest/output')).toContain('trackman-backend');
      expect(places.get('job arguments')).toContain('--master-secret');
      expect(leaks(secrets, places)).toEqual([]);
      // What is looked for is found.
      const [[name, [value]]] = [...secrets] as [[string, [string]]];
      expect(leaks(secrets, new Map([['a log', `password ${value}`]]))).toEqual([`${name} in a log`]);
    },
    MINUTE,
  );

  test(
    'preflight passes; what the owners break is named, with exit code 1 and no secret',
    async () => {
      expect(await trackman('preflight', 'dev', '--source')).toEqual({
        code: 0,
        stdout: expect.stringMatching(
          /✓ tables of club-memberships: 3 can be read[^]*tables of trackman-backend: 5 can be followed/,
        ),
        stderr: '',
      });
      const mend = await breakWhatOwnersKeep();
      try {
        const { code, stdout, stderr } = await trackman('preflight', 'dev', '--source');
        expect({ code, stderr }).toEqual({
          code: 1,
          stderr: expect.stringMatching(/^trackman: 2 of \d+ checks failed/),
        });
        expect(stdout).toContain('✗ parameter /trackman/dev/backend/cidr: missing; expected an address range');
        expect(stdout).toContain('✗ source trackman-backend: secret trackman/dev/backend is not of the form');
        expect(stdout).toContain('✓ parameter /trackman/dev/backend/url: ');
        expect(stdout).not.toContain('canary');
      } finally {
        await mend();
      }
    },
    2 * MINUTE,
  );

  test(
    'a row that differs is found and shown, with exit code 1',
    async () => {
      await changeFacilityInServing();
      const verified = await trackman('local', 'verify');
      expect(verified.code).toBe(1);
      expect(verified.stderr).toContain('facilities differs (rows: source 12, lake 12, serving 12)');
      expect(verified.stderr).toMatch(/key 3\n.*source.*Stockholm.*\n.*lake.*Stockholm.*\n.*serving.*Atlantis/);
    },
    MINUTE,
  );

  test(
    'down ends every process',
    async () => {
      expect(await trackman('local', 'down')).toMatchObject({ code: 0 });
      expect(platformProcesses()).toEqual([]);
      expect((await trackman('local', 'status')).stdout).toBe('no local platform is up in this checkout\n');
    },
    MINUTE,
  );
});

/** Takes their address range away and spoils their secret; returns what puts both back. */
async function breakWhatOwnersKeep(): Promise<() => Promise<void>> {
  const ssm = new SSMClient({});
  const secrets = new SecretsManagerClient({});
  const [cidr, backend] = ['/trackman/dev/backend/cidr', 'trackman/dev/backend'];
  const { Parameter } = await ssm.send(new GetParameterCommand({ Name: cidr }));
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: backend }));
  await ssm.send(new DeleteParameterCommand({ Name: cidr }));
  await secrets.send(new PutSecretValueCommand({ SecretId: backend, SecretString: 'canary' }));
  return async () => {
    await ssm.send(new PutParameterCommand({ Name: cidr, Value: Parameter!.Value!, Type: 'String' }));
    await secrets.send(new PutSecretValueCommand({ SecretId: backend, SecretString }));
  };
}

/** As nobody should: behind the platform's back, by the loader's credentials. */
async function changeFacilityInServing(): Promise<void> {
  const { DBInstances } = await new RDSClient({}).send(
    new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'dataengineering-db' }),
  );
  const { Address: host, Port: port } = DBInstances![0]!.Endpoint!;
  const { Parameter } = await new SSMClient({}).send(new GetParameterCommand({ Name: '/trackman/dev/serving/ca' }));
  const { SecretString } = await new SecretsManagerClient({}).send(
    new GetSecretValueCommand({ SecretId: 'trackman/dev/serving/loader' }),
  );
  const { username, password } = JSON.parse(SecretString!) as { username: string; password: string };
  const client = new Client({
    host,
    port,
    user: username,
    password,
    database: 'dataengineering',
    ssl: { ca: Parameter!.Value! },
  });
  await client.connect();
  try {
    await client.query("update app.facilities set city = 'Atlantis' where id = 3");
  } finally {
    await client.end();
  }
}
