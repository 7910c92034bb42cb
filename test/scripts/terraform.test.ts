import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDirectory, evaluate, repository } from './node-module';

const PROVIDER = { address: 'registry.example/hashicorp/aws', host: 'registry.example', version: '5.100.0' };

/** A directory that mirrors a version of the provider, unpacked. */
function unpackedMirror(directory: string, version = PROVIDER.version): string {
  mkdirSync(join(directory, PROVIDER.address, version, 'linux_amd64'), { recursive: true });
  return directory;
}

function packedMirror(directory: string): string {
  mkdirSync(join(directory, PROVIDER.address), { recursive: true });
  writeFileSync(join(directory, PROVIDER.address, 'terraform-provider-aws_5.100.0_linux_amd64.zip'), '');
  return directory;
}

function findMirror(environment: Record<string, string>, roots: string[] = []): Promise<unknown> {
  const args = [PROVIDER, { HOME: '/nobody', XDG_DATA_DIRS: '/nowhere', ...environment }, roots];
  return evaluate('scripts/setup/terraform.mjs', `it.findMirror(...${JSON.stringify(args)})`);
}

test('the provider is the one that the lock pins', async () => {
  const lock = join(repository, '.terraform.lock.hcl');
  expect(await evaluate('scripts/setup/terraform.mjs', `it.lockedProvider('${lock}')`)).toEqual({
    address: expect.stringMatching(/\/hashicorp\/aws$/) as string,
    host: expect.stringContaining('.') as string,
    version: '5.100.0',
  });
});

describe("a mirror of Terraform's provider", () => {
  test('is the directory that the user names, before all others', async () => {
    const named = unpackedMirror(emptyDirectory());
    const root = emptyDirectory();
    unpackedMirror(join(root, 'other'));
    expect(await findMirror({ TF_PLUGIN_MIRROR_DIR: named }, [root])).toBe(named);
  });

  test.each([
    ['HOME', '.terraform.d/plugins'],
    ['XDG_DATA_HOME', 'terraform/plugins'],
    ['XDG_DATA_DIRS', 'terraform/plugins'],
  ])('is found where Terraform looks by itself: below %s', async (variable, below) => {
    const place = emptyDirectory();
    const mirror = unpackedMirror(join(place, below));
    expect(await findMirror({ [variable]: place })).toBe(mirror);
  });

  test('is found in a directory of any name below the software roots, unpacked or packed', async () => {
    const root = emptyDirectory();
    mkdirSync(join(root, 'another-program'));
    const mirror = packedMirror(join(root, 'providers'));
    expect(await findMirror({}, ['/no/such/root', root])).toBe(mirror);
  });

  test('is not one that holds another version', async () => {
    const root = emptyDirectory();
    unpackedMirror(join(root, 'providers'), '5.99.0');
    expect(await findMirror({}, [root])).toBeUndefined();
  });
});
