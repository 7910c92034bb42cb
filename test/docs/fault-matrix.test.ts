import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const docs = join(__dirname, '../../docs');
const rows = readFileSync(join(docs, 'fault-matrix.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| fault ') && !line.startsWith('| ---'))
  .map((line) => line.split(' | ') as [string, string, string])
  .map(([fault, , proof]) => ({ fault: fault.slice(2), tests: named(proof) }));

/** The tests that a cell names: a link to each file, then their names. */
function named(proof: string): { file: string; name: string }[] {
  return [...proof.matchAll(/\]\(([^)]+)\)((?: `[^`]+`,?)+)/g)].flatMap(([, file, names]) =>
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => ({ file: file!, name: name! })),
  );
}

/** Whether a file has a test of this name. */
function has(file: string, name: string): boolean {
  const path = join(docs, file);
  if (!existsSync(path)) return false;
  const text = readFileSync(path, 'utf8');
  return text.includes(file.endsWith('.py') ? `\ndef ${name}(` : `'${name}'`);
}

test('there are as many faults as the matrix has', () => expect(rows).toHaveLength(33));

test.each(rows)('$fault: its tests are there', ({ tests }) => {
  expect(tests.length).toBeGreaterThan(0);
  expect(tests.filter(({ file, name }) => !has(file, name))).toEqual([]);
});

test('a test that is not there is noticed', () => {
  expect(has('../test/glue_jobs/integration/test_ingest.py', 'test_nothing')).toBe(false);
  expect(has('../test/nowhere.py', 'test_nothing')).toBe(false);
});
