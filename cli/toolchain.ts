import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../modules/project';
import { InputError } from './errors';

/** Everything local lives here. */
export const localDirectory = join(projectRoot, '.local');

/** What set-up installed, and where; see scripts/setup.mjs. Paths. */
interface Toolchain {
  readonly emulatorPython: string;
  readonly terraformCliConfig: string;
  readonly checkov: string;
  readonly devTools: string;
  readonly gluePython: string;
  readonly java17: string;
  readonly jobModules: string;
  readonly jobLibraries: string;
}

export function toolchain(): Toolchain {
  const file = join(localDirectory, 'toolchain.json');
  if (!existsSync(file)) throw new InputError(`${file} is missing: expected what set-up writes; run: npm run setup`);
  return JSON.parse(readFileSync(file, 'utf8')) as Toolchain;
}
