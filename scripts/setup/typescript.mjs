import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';

const CONFIGURATION = ['tsconfig.build.json', 'tsconfig.json', 'package-lock.json'];
const SOURCES = ['cli', 'demo', 'sources', 'modules', 'envs', 'athena-queries'];
const ENTRY = 'cli/main.js';

/**
 * Compiles the CLI and all that it imports to dist/, unless dist/ was made from the very same sources.
 * Types are not checked here: that is a test.
 */
export async function compile(repository, progress) {
  const dist = path.join(repository, 'dist');
  const record = path.join(dist, '.sources');
  const sources = fingerprint(repository);
  if (existsSync(record) && readFileSync(record, 'utf8') === sources) return;
  await progress.step('TypeScript', '', async () => {
    // The record goes first and comes last: a compilation that was interrupted is done again.
    for (const name of ['.sources', ...SOURCES]) rmSync(path.join(dist, name), { recursive: true, force: true });
    const tsc = path.join(repository, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '-p', CONFIGURATION[0]], { cwd: repository });
    if (existsSync(path.join(dist, ENTRY))) chmodSync(path.join(dist, ENTRY), 0o755);
    writeFileSync(record, sources);
  });
}

/** A hash of everything that dist/ depends on. */
function fingerprint(repository) {
  const hash = createHash('sha256');
  for (const file of [...CONFIGURATION, ...SOURCES.flatMap((directory) => typeScriptIn(repository, directory))]) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(repository, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

function typeScriptIn(repository, directory) {
  if (!existsSync(path.join(repository, directory))) return [];
  return readdirSync(path.join(repository, directory), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(directory, name))
    .sort();
}
