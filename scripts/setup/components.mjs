import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { exclusively, ifFree } from './lock.mjs';
import { megabytes, sizeOf } from './progress.mjs';

const UNFINISHED = '.unfinished-';

/**
 * A part of the toolchain that all checkouts of a user share, kept as one directory of the user's cache.
 *
 * @typedef {object} Component
 * @property {string} name short, fit for a directory's name
 * @property {string} title for people
 * @property {string[]} lock everything its content depends on: two components with equal locks are interchangeable
 * @property {string} [expectation] what building it costs, for people
 * @property {Component[]} [needs] the components that it is built with
 * @property {(directory: string, final: string) => Promise<void>} build fills the empty `directory`, which will be
 *   renamed to `final`
 */

/** Where components are kept: `$XDG_CACHE_HOME/trackman-data-platform`, by default under ~/.cache. */
export function cacheDirectory() {
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'trackman-data-platform');
}

/** The directory that holds, or will hold, the component: a changed lock means another directory. */
export function componentDirectory({ name, lock }) {
  const key = createHash('sha256').update(JSON.stringify(lock)).digest('hex').slice(0, 12);
  return path.join(cacheDirectory(), `${name}-${key}`);
}

/** The text of `file`, to be part of a lock. */
export function lockText(file) {
  return readFileSync(file, 'utf8');
}

/**
 * The component's directory, after building it if it is not there yet.
 *
 * It is built, after what it needs, beside its place and renamed when complete, so that what stands in its place is
 * always whole. One process at a time builds a component; whatever a killed one left half-built is removed.
 *
 * @param {Component} component
 * @param {import('./progress.mjs').Progress} progress
 * @returns {Promise<string>}
 */
export function provide(component, progress) {
  const directory = componentDirectory(component);
  if (!provided.has(directory)) provided.set(directory, provideOnce(component, directory, progress));
  return provided.get(directory);
}

/** What this process has provided or is about to, by directory: several components may need the same one. */
const provided = new Map();

async function provideOnce(component, directory, progress) {
  if (existsSync(directory)) return directory;
  await Promise.all((component.needs ?? []).map((needed) => provide(needed, progress)));
  await exclusively(
    directory,
    async () => {
      if (existsSync(directory)) return;
      await progress.step(component.title, component.expectation ?? '', () => build(component, directory));
    },
    () => progress.waiting(component.title),
  );
  return directory;
}

/** Removes what set-ups that were killed left half-built. */
export async function removeLeftovers() {
  if (!existsSync(cacheDirectory())) return;
  for (const name of readdirSync(cacheDirectory())) {
    const [component, builder] = name.split(UNFINISHED);
    if (builder === undefined) continue;
    // Whoever is still building holds the component's lock.
    await ifFree(path.join(cacheDirectory(), component), () =>
      rmSync(path.join(cacheDirectory(), name), { recursive: true, force: true }),
    );
  }
}

async function build(component, directory) {
  const unfinished = `${directory}${UNFINISHED}${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    await component.build(unfinished, directory);
    renameSync(unfinished, directory);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return `${megabytes(sizeOf(directory))} on disk`;
}
