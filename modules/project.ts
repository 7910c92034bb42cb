import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The checkout's root, from the sources as well as from the compiled files under dist/. */
export const projectRoot = findRoot(__dirname);

function findRoot(from: string): string {
  if (existsSync(join(from, 'cdktf.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error(`no cdktf.json above ${__dirname}: the checkout is incomplete, clone it anew`);
  return findRoot(parent);
}
