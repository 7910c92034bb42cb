import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';

/** Installs Node's packages by `npm ci` unless those of package-lock.json are there already. */
export async function installNodeModules(repository, progress) {
  if (upToDate(repository)) return;
  await progress.step("Node's packages", 'about 200 MB to download', async () => {
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: repository });
    return '';
  });
}

/**
 * Whether node_modules holds what package-lock.json says: npm writes down there what it has installed, last of all.
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
