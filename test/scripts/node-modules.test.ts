import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDirectory, evaluate } from './node-module';

const LOCKED = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/other-platform': { version: '1.0.0', integrity: 'sha512-o', optional: true },
};

/** Whether a checkout with this lock and these installed packages needs no `npm ci`. */
function upToDate(installed?: object): Promise<unknown> {
  const checkout = emptyDirectory();
  writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify({ packages: LOCKED }));
  if (installed) {
    mkdirSync(join(checkout, 'node_modules'));
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
  }
  return evaluate('scripts/setup/node-modules.mjs', `it.upToDate('${checkout}')`);
}

describe("Node's packages", () => {
  test('are up to date when those of the lock are installed, but for those of other platforms', async () => {
    expect(await upToDate({ 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } })).toBe(true);
  });

  test.each([
    ['nothing is installed, or an installation did not end', undefined],
    ['a package is missing', {}],
    ['a package has another version', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['a package has another content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } }],
  ])('are installed when %s', async (_, installed) => {
    expect(await upToDate(installed)).toBe(false);
  });
});
