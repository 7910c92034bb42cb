import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolchain } from '../../cli/toolchain';
import { findings, readBaseline, violations, type Baseline, type Finding } from './checkov';

jest.mock('../../cli/toolchain', () => {
  const actual = jest.requireActual<{ toolchain: typeof toolchain }>('../../cli/toolchain');
  return { toolchain: jest.fn(actual.toolchain) };
});

const MINUTE = 60_000;

const versioning = { check: 'CKV_AWS_21', title: 'Versioning' };
const unversioned: Finding = { ...versioning, resource: 'aws_s3_bucket.lake_results_bucket_5C0294B2' };

function baseline(entry: object): Baseline {
  const whole = { check: 'CKV_AWS_21', resources: [unversioned.resource], reason: 'It can be had again.', ...entry };
  return readBaseline(JSON.stringify({ platform: [whole], access: [] })); // JSON is YAML
}

const inDev = { stack: 'platform', environment: 'dev' } as const;
const FAILS =
  'CKV_AWS_21 (Versioning) fails for aws_s3_bucket.lake_results_bucket_5C0294B2 in the stack platform of dev: ' +
  'correct it, or accept it in test/policy/checkov-baseline.yaml with a reason';
const unneeded = (resource: string, where = 'the stack platform of dev'): string =>
  `CKV_AWS_21 is accepted for ${resource} in ${where}, where it does not fail: ` +
  'no longer needed, remove it from test/policy/checkov-baseline.yaml';

describe('a check that fails', () => {
  test('is a violation when nobody accepted it', () => {
    expect(violations([unversioned], readBaseline('{platform: [], access: []}'), inDev)).toEqual([FAILS]);
  });

  test.each([unversioned.resource, 'aws_s3_bucket.*', 'aws_s3_bucket.lake_*_bucket_*'])(
    'is none when it is accepted for %s',
    (resource) => {
      expect(violations([unversioned], baseline({ resources: [resource] }), inDev)).toEqual([]);
    },
  );

  test.each([
    { check: 'CKV_AWS_22' },
    { resources: ['aws_s3_bucket.lake_results_bucket'] },
    { resources: ['aws_s3_bucket.*_tables_*'] },
    { resources: ['aws_s3_bucket_policy.*'] },
    { environments: ['staging', 'prod'] },
  ])('is not accepted by what was accepted otherwise: %j', (entry) => {
    expect(violations([unversioned], baseline(entry), inDev)).toContain(FAILS);
  });

  test('is not accepted by what was accepted for another stack', () => {
    expect(violations([unversioned], baseline({}), { stack: 'access', environment: 'dev' })).toHaveLength(1);
  });
});

describe('what is accepted and does not fail', () => {
  test('is a violation', () => {
    expect(violations([], baseline({}), inDev)).toEqual([unneeded(unversioned.resource)]);
  });

  test('is told for each resource', () => {
    const resources = [unversioned.resource, 'aws_s3_bucket.gone'];
    expect(violations([unversioned], baseline({ resources }), inDev)).toEqual([unneeded('aws_s3_bucket.gone')]);
  });

  test('is none in an environment that it is not accepted for', () => {
    expect(violations([], baseline({ environments: ['prod'] }), inDev)).toEqual([]);
    expect(violations([], baseline({ environments: ['prod'] }), { stack: 'platform', environment: 'prod' })).toEqual([
      unneeded(unversioned.resource, 'the stack platform of prod'),
    ]);
  });
});

test.each([
  [
    { reason: undefined },
    'platform.0.reason of test/policy/checkov-baseline.yaml is missing: expected why this is right',
  ],
  [{ reason: '  ' }, 'expected why this is right; correct it there'],
  [{ check: 'versioning' }, 'platform.0.check of test/policy/checkov-baseline.yaml is "versioning": expected the id'],
  [{ resources: [] }, 'expected at least one address'],
  [{ resources: ['*'] }, 'platform.0.resources.0 of test/policy/checkov-baseline.yaml is "*": expected an address'],
  [{ environments: ['production'] }, 'is "production": expected one of dev, staging, prod'],
  [{ until: 2030 }, 'until of test/policy/checkov-baseline.yaml is 2030: expected no value of this name'],
])('an entry with %p is refused', (entry, complaint) => {
  expect(() => baseline(entry)).toThrow(complaint);
});

test('the baseline that is reviewed is whole', () => {
  expect(() => readBaseline(readFileSync(join(__dirname, 'checkov-baseline.yaml'), 'utf8'))).not.toThrow();
});

describe('checkov', () => {
  const temporary = process.env['TMPDIR'];
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'checkov-test-'));
    process.env['TMPDIR'] = directory;
  });

  afterEach(() => {
    if (temporary === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = temporary;
    rmSync(directory, { recursive: true });
  });

  test(
    'tells what fails in a plan, and the plan is not kept',
    async () => {
      const plan = planOf({ encrypted: { kms_master_key_id: 'alias/trackman' }, plain: {} });
      expect(await findings(plan)).toEqual([
        { check: 'CKV_AWS_26', title: expect.stringContaining('encrypted'), resource: 'aws_sns_topic.plain' },
      ]);
      expect(readdirSync(directory)).toEqual([]);
    },
    2 * MINUTE,
  );

  test.each([
    ['what is no plan', '{"password": "canary"}'],
    ['a plan without resources', planOf({})],
  ])(
    '%s is refused, not taken for a plan in which nothing fails',
    async (_what, plan) => {
      const error = await findings(plan).catch((thrown: Error) => thrown);
      expect(error).toEqual(
        new Error('checkov judged nothing: expected a plan with resources, as terraform show -json prints it'),
      );
      expect(readdirSync(directory)).toEqual([]);
    },
    2 * MINUTE,
  );

  test('reads a file that nobody else may read; what it says when it fails is not shown', async () => {
    const broken = join(directory, 'broken');
    const script = '#!/bin/sh\nls -ld "$(dirname "$2")" "$2" > "$0.modes"\ncat "$2"; cat "$2" >&2\nexit 2\n';
    writeFileSync(broken, script, { mode: 0o700 });
    jest.mocked(toolchain).mockReturnValueOnce({ ...toolchain(), checkov: broken });
    const error = await findings('canary').catch((thrown: Error) => thrown);
    expect(error).toEqual(new Error('checkov ended with 2: run it by hand on such a plan to see why'));
    expect(readFileSync(`${broken}.modes`, 'utf8')).toMatch(/^drwx------.*\n-rw-------.*\n$/);
    expect(readdirSync(directory).sort()).toEqual(['broken', 'broken.modes']);
  });
});

/** What `terraform show -json` prints of a plan that makes topics, as far as checkov reads it. */
function planOf(topics: Record<string, object>): string {
  const resources = Object.entries(topics).map(([name, values]) => ({
    ...{ address: `aws_sns_topic.${name}`, mode: 'managed', type: 'aws_sns_topic', name },
    values,
  }));
  return JSON.stringify({
    format_version: '1.2',
    terraform_version: '1.9.0',
    planned_values: { root_module: { resources } },
    resource_changes: resources.map(({ values, ...resource }) => ({
      ...resource,
      change: { actions: ['create'], before: null, after: values, after_unknown: {} },
    })),
    configuration: { root_module: { resources: [] } },
  });
}
