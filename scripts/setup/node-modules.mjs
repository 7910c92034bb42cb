import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';

const UNFINISHED = 'node-modules.unfinished-';

/**
 * Installs Node's packages by `npm ci` unless those of package-lock.json are there already. They are installed in a
 * directory beside and then take the place of the old ones: a set-up that fails or is killed leaves those as they were.
 */
export async function installNodeModules(repository, progress) {
  if (upToDate(repository)) return;
  await progress.step("Node's packages", 'about 200 MB to download', async () => {
    const local = path.join(repository, '.local');
    mkdirSync(local, { recursive: true });
    for (const leftover of readdirSync(local).filter((name) => name.startsWith(UNFINISHED))) {
      rmSync(path.join(local, leftover), { recursive: true });
    }
    const unfinished = path.join(local, `${UNFINISHED}${process.pid}`);
    mkdirSync(unfinished);
    for (const file of ['package.json', 'package-lock.json']) {
      copyFileSync(path.join(repository, file), path.join(unfinished, file));
    }
    await run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: unfinished });
    const installed = path.join(repository, 'node_modules');
    if (existsSync(installed)) renameSync(installed, path.join(unfinished, 'replaced'));
    renameSync(path.join(unfinished, 'node_modules'), installed);
    rmSync(unfinished, { recursive: true });
  });
}

/**
 * Whether node_modules holds what package-lock.json says: npm writes down there what it has installed.
 * @param {string} repository
 */
export function upToDate(repository) {
  const record = path.join(repository, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = packagesOf(path.join(repository, 'package-lock.json'));
  const installed = packagesOf(record);
  const matches = ([name, { version, integrity, optional }]) => {
    const found = installed[name];
    // Packages for other platforms are in the lock, but not installed.
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  };
  return Object.entries(wanted)
    .filter(([name]) => name !== '')
    .every(matches);
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
}
