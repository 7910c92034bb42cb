import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { SPARK_JARS, TRINO_ICEBERG_PLUGIN, TRINO_SERVER } from './artifacts.mjs';
import { componentDirectory } from './components.mjs';
import { downloadArtifacts, fileName, ivyOf } from './maven.mjs';
import { javaHome, makeJavaExecutable, PythonPackages } from './python.mjs';
import { run } from './run.mjs';

/**
 * Everything that is needed beside Node's packages and that all checkouts share.
 * @param {string} repository
 * @param {{executable: string, version: string}} python
 * @returns {Record<string, import('./components.mjs').Component>}
 */
export function toolchain(repository, python) {
  const packages = new PythonPackages(repository, python);
  const runtimes = 'emulator/runtimes';

  const emulatorPython = packages.environment(
    { name: 'emulator-python', title: "the emulator's Python", expectation: 'about 120 MB to download' },
    'emulator/requirements.txt',
  );
  const gluePython = packages.environment(
    { name: 'glue-python', title: "Glue 5.1's Python with Spark", expectation: 'about 420 MB to download' },
    `${runtimes}/glue-5.1/requirements.txt`,
    { buildRequirements: `${runtimes}/glue-5.1/requirements-build.txt` },
  );
  const pythonShellPython = packages.environment(
    { name: 'python-shell-python', title: "the Python shell jobs' Python", expectation: 'about 10 MB to download' },
    `${runtimes}/python-shell-3.9/requirements.txt`,
  );
  const devTools = packages.directory(
    { name: 'dev-tools', title: 'pytest, ruff and zizmor', expectation: 'about 25 MB to download' },
    'requirements-dev.txt',
  );
  const checkov = packages.environment(
    { name: 'checkov', title: 'checkov', expectation: 'about 55 MB to download' },
    'test/policy/requirements.txt',
  );
  const rivalsPython = packages.environment(
    { name: 'rivals-python', title: 'dlt, to measure beside', expectation: 'about 120 MB to download' },
    'bench/rivals.txt',
  );
  const java17 = packages.directory(
    { name: 'java-17', title: 'Java 17 for Spark', expectation: 'about 40 MB to download' },
    `${runtimes}/java-17/requirements.txt`,
    makeJavaExecutable,
  );
  const java25 = packages.directory(
    { name: 'java-25', title: 'Java 25 for Trino', expectation: 'about 40 MB to download' },
    `${runtimes}/java-25/requirements.txt`,
    makeJavaExecutable,
  );

  const download = (artifacts, directory) =>
    downloadArtifacts(artifacts, directory, {
      java: javaHome(componentDirectory(java17)),
      ivy: ivyOf(componentDirectory(gluePython)),
    });
  const sparkJars = {
    name: 'spark-jars',
    title: "Spark's jars for Iceberg and Postgres",
    expectation: 'about 115 MB to download',
    lock: SPARK_JARS.map((artifact) => artifact.sha256),
    needs: [java17, gluePython],
    build: (directory) => download(SPARK_JARS, directory),
  };
  const trino = {
    name: 'trino',
    title: 'Trino with its Iceberg plugin',
    expectation: 'about 540 MB to download',
    lock: [TRINO_SERVER.sha256, TRINO_ICEBERG_PLUGIN.sha256],
    needs: [java17, gluePython],
    build: async (directory) => {
      await download([TRINO_SERVER, TRINO_ICEBERG_PLUGIN], directory);
      await unpackTrino(directory, python);
    },
  };

  const jobWheels = packages.archive(
    { name: 'job-wheels', title: "the Spark jobs' wheels", expectation: 'about 10 MB to download' },
    'glue-jobs/requirements.txt',
    { pythonVersion: '3.11', kind: 'wheels', file: 'trackman.gluewheels.zip' },
  );
  const jobModules = packages.directory(
    {
      name: 'job-modules',
      title: "the Spark jobs' wheels, installed for tests",
      expectation: 'about 10 MB to download',
    },
    'glue-jobs/requirements.txt',
  );
  const jobLibraries = packages.archive(
    { name: 'job-libraries', title: "the jobs' pure Python libraries", expectation: 'about 1 MB to download' },
    'glue-jobs/requirements-python-shell.txt',
    { pythonVersion: '3.9', kind: 'modules', file: 'pg8000.zip' },
  );

  return {
    emulatorPython,
    gluePython,
    pythonShellPython,
    devTools,
    checkov,
    rivalsPython,
    java17,
    java25,
    sparkJars,
    trino,
    jobWheels,
    jobModules,
    jobLibraries,
  };
}

/** Trino as its archives have it, less the plugins that Athena's part does not need. */
async function unpackTrino(directory, python) {
  const server = path.join(directory, fileName(TRINO_SERVER));
  const plugin = path.join(directory, fileName(TRINO_ICEBERG_PLUGIN));
  const unpacked = path.join(directory, 'unpacked');
  await run(python.executable, ['-m', 'tarfile', '-e', server, unpacked]);
  await run(python.executable, ['-m', 'zipfile', '-e', plugin, unpacked]);
  const home = path.join(unpacked, `trino-server-core-${TRINO_SERVER.version}`);
  rmSync(path.join(home, 'plugin'), { recursive: true });
  mkdirSync(path.join(home, 'plugin'));
  renameSync(path.join(unpacked, `trino-iceberg-${TRINO_ICEBERG_PLUGIN.version}`), path.join(home, 'plugin/iceberg'));
  for (const name of readdirSync(home)) renameSync(path.join(home, name), path.join(directory, name));
  for (const file of [server, plugin, unpacked]) rmSync(file, { recursive: true });
}
