/**
 * Brings a checkout to where `npm start` and `npm test` run: prerequisites, Node's packages, Python, Java, Spark and
 * Trino, the jobs' archives, the compiled CLI. Needs nothing but Node's own modules. What is there already is left
 * alone; where everything is, is written to .local/toolchain.json.
 *
 * `node scripts/setup.mjs deploy` sets up only what synthesis and Terraform need: none of the engines.
 * `node scripts/setup.mjs bench` adds what `npm run bench` measures the jobs beside.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
const local = path.join(repository, '.local');

/** What each part takes of the components. */
const PARTS = {
  all: (name) => name !== 'rivalsPython',
  bench: () => true,
  deploy: (name) => ['jobWheels', 'jobLibraries'].includes(name),
};

async function setUp(part) {
  if (!(part in PARTS)) throw new SetupError(`no part "${part}": expected one of ${Object.keys(PARTS).join(', ')}`);
  const progress = new Progress();
  const { python } = await checkPrerequisites();
  await removeLeftovers();
  await exclusively(
    repository,
    () => setUpCheckout(python, PARTS[part], progress),
    () => progress.waiting('this checkout'),
  );
  progress.finish();
}

async function setUpCheckout(python, isWanted, progress) {
  const components = toolchain(repository, python);
  const names = Object.keys(components).filter(isWanted);
  const [directories, terraformCliConfig] = await Promise.all([
    provideAll(Object.fromEntries(names.map((name) => [name, components[name]])), progress),
    configureTerraform(repository, python, progress),
    installNodeModules(repository, progress).then(() => compile(repository, progress)),
  ]);
  const common = { ...copyJobArchives(repository, directories), terraformCliConfig };
  writeToolchain(isWanted('gluePython') ? { ...common, ...enginesAndTools(directories) } : common);
}

function enginesAndTools(directories) {
  linkRuff(directories.devTools);
  return {
    emulatorPython: path.join(directories.emulatorPython, 'bin/python'),
    gluePython: path.join(directories.gluePython, 'bin/python'),
    pythonShellPython: path.join(directories.pythonShellPython, 'bin/python'),
    devTools: directories.devTools,
    checkov: path.join(directories.checkov, 'bin/checkov'),
    java17: javaHome(directories.java17),
    java25: javaHome(directories.java25),
    sparkJars: directories.sparkJars,
    trino: directories.trino,
    jobModules: directories.jobModules,
    ...(directories.rivalsPython && { rivalsPython: path.join(directories.rivalsPython, 'bin/python') }),
  };
}

/** The directories of components, by their names. */
async function provideAll(components, progress) {
  const provided = Object.entries(components).map(async ([name, component]) => [
    name,
    await provide(component, progress),
  ]);
  return Object.fromEntries(await Promise.all(provided));
}

/** .local/bin/ruff, for `npm run format` and editors. */
function linkRuff(devTools) {
  const link = path.join(local, 'bin/ruff');
  mkdirSync(path.dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(path.join(devTools, 'bin/ruff'), link);
}

function writeToolchain(paths) {
  const file = path.join(local, 'toolchain.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(paths, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    stopAll();
    process.kill(process.pid, signal);
  });
}

try {
  await setUp(process.argv[2] ?? 'all');
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
} finally {
  stopAll();
}
