/** The compiled `trackman` as a shell sees it: exit codes and where it prints. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');

function trackman(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test.each([
  [['nonsense'], "unknown command 'nonsense'"],
  [['bootstrap'], "missing required argument 'env'"],
  [['bootstrap', 'moon'], "There is no environment 'moon'; there is: dev, staging, prod."],
  [['apply', 'dev'], "required option '--plan <directory>' not specified"],
  [['source', 'resnapshot', 'dev', 'trackman-backend'], 'expected either tables, such as public.shots, or --all'],
  [['source', 'resnapshot', 'dev', 'trackman-backend', 'public.shots', '--all'], 'expected either tables'],
  [['source', 'resnapshot', 'dev', 'trackman-backend', 'shots'], 'expected schema.table, such as public.shots'],
  [['source', 'resnapshot', 'dev', 'elsewhere', '--all'], 'expected one of club-memberships, trackman-backend'],
  [['erase', 'dev', 'trackman-backend', 'public.players'], "missing required argument 'key'"],
  [['erase', 'dev', 'trackman-backend', 'players', '7'], 'expected schema.table, such as public.shots'],
  [['erase', 'dev', 'bay-telemetry', 'public.players', '7'], 'expected one of club-memberships, trackman-backend'],
  [['source', 'init', 'mysql://me:canary@db/shop'], "the source's URL cannot be used: it begins with mysql://"],
  [['source', 'init', 'postgresql://me@127.0.0.1/shop', '--name', 'A B'], 'expected 2 to 63 lower-case letters'],
  [['local', 'start', '--shots', '2000', '--source', 'postgresql://me@127.0.0.1/shop'], 'cannot be used with option'],
  [['preflight', 'dev', '--force'], "unknown option '--force'"],
  [['local', 'up', '--shots', '5'], "'5' is not a whole number from 1,000 to 100,000,000."],
])('%j is bad input: exit code 2, named on stderr, nothing on stdout', (argv, complaint) => {
  expect(trackman(...argv)).toEqual({ status: 2, stdout: '', stderr: expect.stringContaining(complaint) });
});

test('help is data, and not a failure', () => {
  expect(trackman('--help')).toEqual({ status: 0, stdout: expect.stringContaining('Exit codes:'), stderr: '' });
});

test('an environment’s values are lines that a workflow takes as outputs, or JSON', () => {
  const values = {
    account: '333333333333',
    region: 'eu-central-1',
    'plan-role': 'arn:aws:iam::333333333333:role/trackman-plan',
    'apply-role': 'arn:aws:iam::333333333333:role/trackman-apply',
  };
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
  expect(trackman('environment', 'prod')).toEqual({ status: 0, stdout: lines.join(''), stderr: '' });
  expect(JSON.parse(trackman('environment', 'prod', '--json').stdout)).toEqual(values);
});

test.each([['environment', 'prod'], ['--help'], ['local', 'status']])(
  'a reader who leaves early (`trackman %s %s | head`) is no failure, and nothing is said of it',
  async (...argv) => {
    const child = spawn(process.execPath, [main, ...argv.filter(Boolean)], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect([await once(child, 'close'), stderr]).toEqual([[0, null], '']);
  },
);
