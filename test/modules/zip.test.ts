import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zip, type ZipEntry } from '../../modules/pipeline/zip';
import { projectRoot } from '../../modules/project';

const entry = (path: string, content: string): ZipEntry => ({ path, content: Buffer.from(content) });
const { pythonShellPython: python } = JSON.parse(readFileSync(join(projectRoot, '.local/toolchain.json'), 'utf8')) as {
  pythonShellPython: string;
};

describe('zip', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'zip-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  function runPython(archive: Buffer, program: string): unknown {
    const file = join(directory, 'archive.zip');
    writeFileSync(file, archive);
    return JSON.parse(execFileSync(python, ['-c', program, file], { encoding: 'utf8' }));
  }

  test('is imported from by Python', () => {
    const archive = zip([
      entry('pack/__init__.py', 'from pack.part import VALUE'),
      entry('pack/part.py', 'VALUE = "Sørén"'),
    ]);
    const program = 'import json, sys; sys.path.insert(0, sys.argv[1]); import pack; print(json.dumps(pack.VALUE))';
    expect(runPython(archive, program)).toBe('Sørén');
  });

  test('holds every entry whole, also an empty and a binary one', () => {
    const binary = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 256));
    const archive = zip([entry('empty', ''), { path: 'binär/é.bin', content: binary }]);
    const program =
      'import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; ' +
      'print(json.dumps([[i.filename, i.file_size, list(i.date_time)] for i in z.infolist()]))';
    expect(runPython(archive, program)).toEqual([
      ['binär/é.bin', 100_000, [1980, 1, 1, 0, 0, 0]],
      ['empty', 0, [1980, 1, 1, 0, 0, 0]],
    ]);
  });

  test('is the same for the same entries in any order', () => {
    const entries = [entry('b', '2'), entry('a', '1'), entry('a/c', '3')];
    expect(zip(entries).equals(zip([...entries].reverse()))).toBe(true);
  });
});
