/**
 * Brings a checkout to where `npm start` and `npm test` run: prerequisites, Node's packages, Python, Java, Spark and
 * Trino, the jobs' archives, the compiled CLI. Needs nothing but Node's own modules. What is there already is left
 * alone; where everything is, is written to .local/toolchain.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { provide, removeLeftovers } from './setup/components.mjs';
import { SetupError } from './setup/errors.mjs';
import { copyJobArchives } from './setup/job-archives.mjs';
import { exclusively } from './setup/lock.mjs';
import { installNodeModules } from './setup/node-modules.mjs';
import { checkPrerequisites } from './setup/prerequisites.mjs';
import { Progress } from './setup/progress.mjs';
import { javaHome } from './setup/python.mjs';
import { stopAll } from './setup/run.mjs';
import { configureTerraform } from './setup/terraform.mjs';
import { toolchain } from './setup/toolchain.mjs';
import { compile } from './setup/typescript.mjs';

const repository = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

async function setUp() {
  const progress = new Progress();
  const { python } = await checkPrerequisites();
  await removeLeftovers();
  await exclusively(repository, async () => {
    const [directories, terraformCliConfig] = await Promise.all([
      provideAll(toolchain(repository, python), progress),
      configureTerraform(repository, progress),
      installNodeModules(repository, progress).then(() => compile(repository, progress)),
    ]);
    const environmentPython = (directory) => path.join(directory, 'bin/python');
    writeToolchain({
      emulatorPython: environmentPython(directories.emulatorPython),
      gluePython: environmentPython(directories.gluePython),
      pythonShellPython: environmentPython(directories.pythonShellPython),
      devTools: directories.devTools,
      java17: javaHome(directories.java17),
      java25: javaHome(directories.java25),
      sparkJars: directories.sparkJars,
      trino: directories.trino,
      ...copyJobArchives(repository, directories),
      terraformCliConfig,
    });
  });
  progress.finish();
}

/** The directories of all components, by their names. */
async function provideAll(components, progress) {
  const provided = Object.entries(components).map(async ([name, component]) => [
    name,
    await provide(component, progress),
  ]);
  return Object.fromEntries(await Promise.all(provided));
}

function writeToolchain(paths) {
  const directory = path.join(repository, '.local');
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'toolchain.json'), `${JSON.stringify(paths, null, 2)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    stopAll();
    process.kill(process.pid, signal);
  });
}

try {
  await setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
} finally {
  stopAll();
}
