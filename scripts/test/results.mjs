import { existsSync, readFileSync } from 'node:fs';

/** How many tests passed, and how many did anything else: a test that was skipped has not shown what it is there for.
 * @typedef {{passed: number, failed: number}} Result
 */

/** A program that is a test by itself. @returns {Result} */
export function oneTest(exitCode) {
  return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Jest's JSON report. A file that could not even be loaded counts as one failed test. @returns {Result} */
export function jestResult(exitCode, report) {
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests, numTotalTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  return soundResult(exitCode, {
    passed: numPassedTests,
    failed: numTotalTests - numPassedTests + numRuntimeErrorTestSuites,
  });
}

/** pytest's JUnit report. @returns {Result} */
export function junitResult(exitCode, report) {
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const [suite] = /<testsuite [^>]*>/.exec(readFileSync(report, 'utf8'));
  const count = (attribute) => Number(new RegExp(` ${attribute}="(\\d+)"`).exec(suite)[1]);
  const failed = count('failures') + count('errors') + count('skipped');
  return soundResult(exitCode, { passed: count('tests') - failed, failed });
}

/** Of pytest's JUnit report, the parameters of the tests that failed; none when there is no report.
 * @returns {string[]}
 */
export function failedParameters(report) {
  if (!existsSync(report)) return [];
  const cases = readFileSync(report, 'utf8').split('<testcase ').slice(1);
  const failed = cases.filter((text) => /<(failure|error)\b/.test(text));
  return [...new Set(failed.flatMap((text) => /^[^>]* name="[^"[]*\[([^"]*)\]"/.exec(text)?.[1] ?? []))];
}

/** A runner that ran no test, or says that it failed though no test did, is a failure too. @returns {Result} */
function soundResult(exitCode, { passed, failed }) {
  const inOrder = failed > 0 || (exitCode === 0 && passed > 0);
  return { passed, failed: inOrder ? failed : 1 };
}
