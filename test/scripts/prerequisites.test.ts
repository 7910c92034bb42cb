import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDirectory, ended, evaluate, repository, startNode } from './node-module';

describe('versions', () => {
  test.each([
    ['20.9.0', '20.9', true],
    ['20.10.1', '20.9', true],
    ['22.0.0', '20.9', true],
    ['20.8.1', '20.9', false],
    ['18.20.0', '20.9', false],
    ['1.11.0-beta1', '1.11', true],
    ['1.5.7', '1.11', false],
    ['2', '1.11', true],
    ['1', '1.11', false],
  ])('%s satisfies %s: %s', async (version, minimum, satisfied) => {
    expect(await evaluate('scripts/setup/prerequisites.mjs', `it.atLeast('${version}', '${minimum}')`)).toBe(satisfied);
  });
});

describe('a machine that lacks prerequisites', () => {
  /** A PATH on which each program prints what is given. */
  function pathWith(programs: Record<string, string>): string {
    const directory = emptyDirectory();
    for (const [name, output] of Object.entries(programs)) {
      writeFileSync(join(directory, name), `#!/bin/sh\necho '${output}'\n`, { mode: 0o755 });
    }
    return directory;
  }

  test('is told of all of them at once, before anything is downloaded', async () => {
    const cache = join(emptyDirectory(), 'cache');
    const { code, stderr } = await ended(
      startNode([join(repository, 'scripts/setup.mjs')], {
        PATH: pathWith({
          python3: '{"version": "3.9.2", "executable": "/usr/bin/python3.9"}',
          terraform: '{"terraform_version": "1.5.7"}',
        }),
        XDG_CACHE_HOME: cache,
      }),
    );
    expect(code).toBe(1);
    expect(stderr).toBe(
      [
        'set-up: missing prerequisites',
        '  - Python 3.11 with venv and ensurepip: found python3.11: not found, python3 is 3.9.2. ' +
          'Get it by "apt-get install python3.11 python3.11-venv" or "pyenv install 3.11".',
        '  - Terraform 1.11 or newer: found 1.5.7. ' +
          'Get it from developer.hashicorp.com/terraform/install or by "tfenv install".',
        '',
      ].join('\n'),
    );
    expect(existsSync(cache)).toBe(false);
  });

  test('OpenTofu may stand in for Terraform', async () => {
    const python = '{"version": "3.11.9", "executable": "/usr/bin/python3.11"}';
    const found = evaluate('scripts/setup/prerequisites.mjs', 'it.checkPrerequisites()', {
      PATH: pathWith({ python3: python, tofu: '{"terraform_version": "1.11.0"}' }),
      TERRAFORM_BINARY_NAME: 'tofu',
    });
    await expect(found).resolves.toMatchObject({ python: { version: '3.11.9' } });
  });

  test('Python 3.11 may be called python3', async () => {
    const python = '{"version": "3.11.9", "executable": "/usr/bin/python3.11"}';
    const found = await evaluate('scripts/setup/prerequisites.mjs', 'it.checkPrerequisites()', {
      PATH: pathWith({ python3: python, terraform: '{"terraform_version": "1.11.0"}' }),
    });
    expect(found).toEqual({ python: JSON.parse(python) as unknown });
  });
});
