import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ended, emptyDirectory, ended, evaluate, startModule } from './node-module';

/**
 * Provides a component that is built in two halves, the second one only when the file `go` is there. Each build that
 * begins adds a line to the file `builds`; the component's directory is printed.
 */
const PROVIDE = `
  import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { provide, removeLeftovers } from 'scripts/setup/components.mjs';
  import { Progress } from 'scripts/setup/progress.mjs';
  await removeLeftovers();
  const component = {
    name: 'tiny',
    title: 'a tiny component',
    lock: ['one'],
    build: async (directory) => {
      writeFileSync(directory + '/first', 'half');
      appendFileSync(process.env.TEST + '/builds', 'begun\\n');
      while (!existsSync(process.env.TEST + '/go')) await sleep(20);
      writeFileSync(directory + '/second', 'half');
    },
  };
  console.log(await provide(component, new Progress()));
`;

let directory: string;
let cache: string;

beforeEach(() => {
  directory = emptyDirectory();
  cache = join(directory, 'cache', 'trackman-data-platform');
});

function startProviding() {
  return startModule(PROVIDE, { TEST: directory, XDG_CACHE_HOME: join(directory, 'cache') });
}

function letBuild(): void {
  writeFileSync(join(directory, 'go'), '');
}

function builds(): number {
  const file = join(directory, 'builds');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

async function untilBuilding(): Promise<void> {
  while (builds() === 0) await sleep(20);
}

function expectWhole({ code, stdout, stderr }: Ended): void {
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(readdirSync(stdout.trim()).sort()).toEqual(['first', 'second']);
}

describe('a component', () => {
  const directoryOf = (lock: string[], env: Record<string, string>) =>
    evaluate('scripts/setup/components.mjs', `it.componentDirectory(${JSON.stringify({ name: 'tiny', lock })})`, env);

  test('stands in the cache under its name and its lock', async () => {
    const env = { XDG_CACHE_HOME: '/somewhere' };
    const expected = expect.stringMatching(/^\/somewhere\/trackman-data-platform\/tiny-[0-9a-f]{12}$/);
    const one = await directoryOf(['a', 'b'], env);
    expect(one).toEqual(expected);
    expect(await directoryOf(['a', 'b'], env)).toBe(one);
    expect(await directoryOf(['a', 'c'], env)).toEqual(expected);
    expect(await directoryOf(['a', 'c'], env)).not.toBe(one);
    expect(await directoryOf(['ab'], env)).not.toBe(one);
  });

  test('is under ~/.cache when no other place is named', async () => {
    expect(await directoryOf([], { HOME: '/home/ada' })).toMatch(
      /^\/home\/ada\/\.cache\/trackman-data-platform\/tiny-/,
    );
  });

  test('is built once, and says so once', async () => {
    letBuild();
    const first = await ended(startProviding());
    expectWhole(first);
    expect(first.stderr).toContain('set-up: a tiny component …');
    const second = await ended(startProviding());
    expect(second).toEqual({ code: 0, stdout: first.stdout, stderr: '' });
    expect(builds()).toBe(1);
  });

  test('is built once by two set-ups at once, and never seen half-built', async () => {
    const one = ended(startProviding());
    await untilBuilding();
    const other = ended(startProviding());
    expect(readdirSync(cache)).toEqual([expect.stringMatching(/^tiny-[0-9a-f]{12}\.unfinished-\d+$/)]);
    letBuild();
    for (const result of await Promise.all([one, other])) expectWhole(result);
    expect(builds()).toBe(1);
    expect(readdirSync(cache)).toEqual([expect.stringMatching(/^tiny-[0-9a-f]{12}$/)]);
  });

  test('is built by the one that waited when the builder is killed half-way', async () => {
    const builder = startProviding();
    await untilBuilding();
    const waiting = startProviding();
    const waited = ended(waiting);
    await new Promise((resolve) => waiting.stderr?.once('data', resolve)); // "waiting for another set-up"
    builder.kill('SIGKILL');
    letBuild();
    expectWhole(await waited);
    expect(builds()).toBe(2);
  });

  test('that a killed set-up left half-built is removed by the next one', async () => {
    const builder = startProviding();
    await untilBuilding();
    builder.kill('SIGKILL');
    await ended(builder);
    expect(readdirSync(cache)).toEqual([expect.stringContaining('.unfinished-')]);
    letBuild();
    expectWhole(await ended(startProviding()));
    expect(readdirSync(cache)).toEqual([expect.stringMatching(/^tiny-[0-9a-f]{12}$/)]);
  });

  test('that cannot be built leaves nothing', async () => {
    const failing = PROVIDE.replace(/build: async[\s\S]*?\n {4}\},/, "build: () => Promise.reject(new Error('no')),");
    const { code, stderr } = await ended(startModule(failing, { XDG_CACHE_HOME: join(directory, 'cache') }));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('Error: no') as string });
    expect(readdirSync(cache)).toEqual([]);
  });
});
