import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDirectory, repository } from './node-module';

const { gluePython } = JSON.parse(readFileSync(join(repository, '.local/toolchain.json'), 'utf8')) as Record<
  string,
  string
>;

function python(...args: string[]): string {
  return execFileSync(gluePython!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A directory with a wheel that has one module. */
function wheels(name: string, file = `${name}.py`): string {
  const directory = emptyDirectory();
  const wheel = join(directory, `${name}-1.0-py3-none-any.whl`);
  python('-c', `import zipfile; zipfile.ZipFile(${JSON.stringify(wheel)}, 'w').writestr('${file}', 'answer = 42')`);
  return directory;
}

function pack(kind: 'wheels' | 'modules', directory: string): string {
  const archive = join(emptyDirectory(), 'archive.zip');
  python(join(repository, 'scripts/setup/pack.py'), kind, directory, archive);
  return archive;
}

const namesIn = (archive: string): unknown =>
  JSON.parse(python('-c', `import json, zipfile; print(json.dumps(zipfile.ZipFile('${archive}').namelist()))`));

describe("the archive of a job's libraries", () => {
  test('of wheels holds the wheels as they are', () => {
    expect(namesIn(pack('wheels', wheels('one')))).toEqual(['one-1.0-py3-none-any.whl']);
  });

  test('of modules is imported as it stands', () => {
    const archive = pack('modules', wheels('one'));
    expect(python('-c', `import sys; sys.path.insert(0, '${archive}'); import one; print(one.answer)`)).toBe('42\n');
  });

  test.each(['wheels', 'modules'] as const)('of %s is the same, byte for byte, whenever it is made', (kind) => {
    const directory = wheels('one');
    const copy = emptyDirectory();
    const name = 'one-1.0-py3-none-any.whl';
    copyFileSync(join(directory, name), join(copy, name));
    utimesSync(join(copy, name), 0, 0);
    expect(readFileSync(pack(kind, copy)).equals(readFileSync(pack(kind, directory)))).toBe(true);
  });

  test('of modules takes none that must be compiled, nor two of one name', () => {
    const native = wheels('one');
    copyFileSync(
      join(native, 'one-1.0-py3-none-any.whl'),
      join(native, 'one-1.0-cp311-cp311-manylinux_2_28_x86_64.whl'),
    );
    expect(() => pack('modules', native)).toThrow('is not pure Python');
    const twice = wheels('one');
    copyFileSync(join(wheels('two', 'one.py'), 'two-1.0-py3-none-any.whl'), join(twice, 'two-1.0-py3-none-any.whl'));
    expect(() => pack('modules', twice)).toThrow(
      'two-1.0-py3-none-any.whl brings one.py, which another wheel brings too',
    );
  });
});
