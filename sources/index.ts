import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, parse } from 'node:path';
import { check } from '../modules/validation';
import type { SourceContract } from './contract';

/** The folder's modules that are no contract. */
const PARTS = ['address', 'contract', 'files-contract', 'index', 'quality', 'selection', 'values'];

/** Every source of the platform: what the other files of this folder export, each one contract with the file's name. */
export const sources: readonly SourceContract[] = loadContracts(__dirname, PARTS);

/**
 * The contracts of a folder, in order of their files' names. What is in them is validated where they are resolved.
 * @throws InvalidValueError naming the file that has none
 */
export function loadContracts(directory: string, parts: readonly string[]): SourceContract[] {
  const load = createRequire(__filename);
  const names = readdirSync(directory)
    .filter((file) => /\.(ts|js)$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) => parse(file).name)
    .filter((name) => !parts.includes(name));
  return names.sort().map((name) => {
    const exported = Object.values(load(join(directory, name)) as Record<string, SourceContract | undefined>);
    const contract = exported.find((value) => value?.name === name);
    check(contract !== undefined, {
      name: `contract of sources/${name}.ts`,
      value: exported.map((value) => value?.name),
      expected: `an exported contract whose name is ${name}, as the file's`,
      remedy: 'export it, or give it that name; a module that is no contract is named in PARTS of sources/index.ts',
    });
    return contract;
  });
}
