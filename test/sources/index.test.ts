import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadContracts, sources } from '../../sources';

/** A folder with files of these texts. */
function folder(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'sources-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

test('every file of sources/ that is a contract is a source of the platform', () => {
  expect(sources.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['bay-telemetry', 'club-memberships', 'trackman-backend']),
  );
});

test('a file that is added is a source, with nothing else to be edited', () => {
  const contract = (name: string) => `exports.any = { name: '${name}', mode: 'log' };`;
  const directory = folder({ 'shop.js': contract('shop'), 'bar.js': contract('bar'), 'values.js': '', 'notes.md': '' });
  expect(loadContracts(directory, ['values']).map(({ name }) => name)).toEqual(['bar', 'shop']);
});

test.each([
  ['exports.shop = { name: "store", mode: "log" };', 'contract of sources/shop.ts is ["store"]: expected an exported'],
  [
    'const shop = { name: "shop" };',
    'contract of sources/shop.ts is []: expected an exported contract whose name is shop',
  ],
])('a file without a contract of its name is refused: %s', (text, complaint) => {
  expect(() => loadContracts(folder({ 'shop.js': text }), [])).toThrow(complaint);
});
