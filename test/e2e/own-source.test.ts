/** docs/add-a-source.md, on a Postgres that knows nothing of the platform: its commands, in its order. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environments } from '../../envs';
import { stackName } from '../../modules/naming';
import { OWNERS_PASSWORD, OwnPostgres } from './own-postgres';
import { launch, MINUTE, platformProcesses, root, trackman, trackmanWith, type Outcome } from './trackman';

const PLATFORMS_PASSWORD = "platform's canary";
const SLOTS = 'select slot_name from pg_replication_slots';
const file = join(root, 'sources', 'shop.ts');
const run = promisify(execFile);

/** The commands of the document that begin so. */
function documented(command: string): string[] {
  const text = readFileSync(join(root, 'docs', 'add-a-source.md'), 'utf8');
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => block!.trim().split('\n'));
  return blocks.filter((line) => line.startsWith(command));
}

describe('a source of one’s own', () => {
  let postgres: OwnPostgres;
  let made: Outcome;

  beforeAll(async () => {
    rmSync(file, { force: true });
    postgres = await OwnPostgres.start();
  }, 2 * MINUTE);

  afterAll(async () => {
    await trackman('local', 'down');
    rmSync(file, { force: true });
    await postgres.stop();
  }, MINUTE);

  test('gets its contract by one command, and its password is shown nowhere', async () => {
    expect(documented('npx trackman source init')).toHaveLength(1);
    made = await trackman('source', 'init', postgres.owners + postgres.tlsOptions);
    expect({ ...made, stdout: '' }).toEqual({ code: 0, stdout: '', stderr: expect.stringContaining('3 tables') });
    for (const [table, why] of [
      ['public.audit', 'has no primary key'],
      ['public.cache', 'is unlogged'],
      ['public.silent', 'has REPLICA IDENTITY NOTHING'],
    ]) {
      expect(made.stderr).toContain(`✗ ${table}: left out, it ${why}`);
    }
    const contract = readFileSync(file, 'utf8');
    expect(contract).toContain("include: ['public.Customers', 'public.readings', 'sales.order_lines'],");
    expect(contract + made.stdout + made.stderr).not.toMatch(/canary/);

    expect(await trackman('source', 'init', postgres.owners)).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('sources/shop.ts is there already'),
    });
    expect(readFileSync(file, 'utf8')).toBe(contract);
  });

  test(
    'has a file that passes prettier, eslint and tsc as it is',
    async () => {
      const modules = join(root, 'node_modules');
      const node = (script: string, ...argv: string[]) =>
        run(process.execPath, [join(modules, script), ...argv], { cwd: root });
      await node('prettier/bin/prettier.cjs', '--check', file);
      await node('eslint/bin/eslint.js', '--max-warnings', '0', file);
      await node('typescript/bin/tsc', '--noEmit', '-p', '.');
    },
    3 * MINUTE,
  );

  test(
    'is synthesized for every environment: one file is all',
    async () => {
      expect(documented('npx cdktf synth')).toHaveLength(1);
      const output = mkdtempSync(join(tmpdir(), 'own-source-'));
      const cdktf = join(root, 'node_modules', 'cdktf-cli', 'bundle', 'bin', 'cdktf.js');
      await run(process.execPath, [cdktf, 'synth', '--output', output], {
        cwd: root,
        env: { ...process.env, CI: 'true', CHECKPOINT_DISABLE: '1', DISABLE_VERSION_CHECK: '1' },
      });
      for (const environment of environments) {
        const synthesized = readFileSync(join(output, 'stacks', stackName(environment), 'cdk.tf.json'), 'utf8');
        expect(synthesized).toContain(`/trackman/${environment.name}/shop/url`);
      }
    },
    2 * MINUTE,
  );

  test('that is not published yet is told what to run, and nothing is started', async () => {
    const refused = await trackman('local', 'start', '--source', postgres.owners);
    expect(refused).toEqual({
      code: 1,
      stdout: expect.stringContaining('CREATE PUBLICATION "trackman" FOR TABLE'),
      stderr: expect.stringContaining('publication trackman of shop: missing'),
    });
    expect(platformProcesses()).toEqual([]);
    expect(await postgres.run('select from pg_publication')).toEqual([]);
  });

  test(
    'is followed and proven once its owners ran the SQL; nothing of it stays',
    async () => {
      await postgres.run(made.stdout);
      await postgres.run(`alter role trackman_platform password '${PLATFORMS_PASSWORD.replaceAll("'", "''")}'`);
      const [command] = documented('npm start -- --source');
      const url = /postgresql:\S+/.exec(command!)![0].replace(/@.*/, `@${postgres.place}`);
      const started = await trackmanWith(
        { PGPASSWORD: PLATFORMS_PASSWORD },
        ...['local', 'start', '--keep', '--source', url],
      );
      expect({ code: started.code, stderr: started.code === 0 ? '' : started.stderr }).toEqual({ code: 0, stderr: '' });
      expect(started.stdout).toContain('Verified: every row of 3 tables is the same');
      for (const [table, rows] of Object.entries({ customers: 50, readings: 400, sales_order_lines: 600 })) {
        expect(started.stdout).toMatch(new RegExp(`${table} +${rows} +${rows} +${rows}`));
      }
      expect(await postgres.run(SLOTS)).toEqual([{ slot_name: expect.stringMatching(/^trackman_local_/) }]);
      for (const written of ['session.json', 'terraform.log', 'emulator.log', 'emulator/requests.jsonl']) {
        const text = readFileSync(join(root, '.local', written), 'utf8');
        expect([written, /canary|owners%3A/.test(text) || text.includes(OWNERS_PASSWORD)]).toEqual([written, false]);
      }
      expect(started.stdout + started.stderr).not.toContain('canary');

      expect(await trackman('local', 'verify')).toMatchObject({ code: 0 });
      expect(await trackman('local', 'down')).toMatchObject({ code: 0 });
      expect(await postgres.run(SLOTS)).toEqual([]);
      expect(platformProcesses()).toEqual([]);
    },
    8 * MINUTE,
  );

  test(
    'gives its slot back when the run is interrupted',
    async () => {
      const url = postgres.owners;
      const { child, outcome, seen } = launch(['local', 'start', '--source', url]);
      await seen(/✓ shop/);
      // As ingest would have: waiting for it takes minutes.
      const { contract } = (
        JSON.parse(readFileSync(join(root, '.local', 'session.json'), 'utf8')) as {
          own: { contract: { slot: string } };
        }
      ).own;
      await postgres.run(`select pg_create_logical_replication_slot('${contract.slot}', 'pgoutput')`);
      child.kill('SIGINT');
      expect(await outcome).toMatchObject({ code: 130, stderr: expect.stringContaining('interrupted') });
      expect(await postgres.run(SLOTS)).toEqual([]);
      expect(platformProcesses()).toEqual([]);
    },
    2 * MINUTE,
  );
});
