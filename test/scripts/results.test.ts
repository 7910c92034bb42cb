import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDirectory, evaluate } from './node-module';

function result(reader: 'jestResult' | 'junitResult', exitCode: number, report?: string): Promise<unknown> {
  const file = join(emptyDirectory(), 'report');
  if (report !== undefined) writeFileSync(file, report);
  return evaluate('scripts/test/results.mjs', `it.${reader}(${exitCode}, '${file}')`);
}

const jestReport = (numPassedTests: number, numTotalTests: number, numRuntimeErrorTestSuites = 0) =>
  JSON.stringify({ numPassedTests, numTotalTests, numRuntimeErrorTestSuites });

const junitReport = (tests: number, failures: number, errors: number, skipped: number) =>
  `<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="${errors}" ` +
  `failures="${failures}" skipped="${skipped}" tests="${tests}" time="1.0"><testcase name="a"/></testsuite></testsuites>`;

test.each([
  ['all passed', 0, jestReport(3, 3), { passed: 3, failed: 0 }],
  ['one failed', 1, jestReport(2, 3), { passed: 2, failed: 1 }],
  ['one was skipped', 0, jestReport(2, 3), { passed: 2, failed: 1 }],
  ['a file could not be loaded', 1, jestReport(2, 2, 1), { passed: 2, failed: 1 }],
  ['no test ran', 0, jestReport(0, 0), { passed: 0, failed: 1 }],
  ['the runner failed after its tests', 1, jestReport(3, 3), { passed: 3, failed: 1 }],
  ['the runner left no report', 1, undefined, { passed: 0, failed: 1 }],
])('Jest: %s', async (_, exitCode, report, expected) => {
  expect(await result('jestResult', exitCode, report)).toEqual(expected);
});

test.each([
  ['all passed', 0, junitReport(3, 0, 0, 0), { passed: 3, failed: 0 }],
  ['a failure, an error and a skipped test', 1, junitReport(5, 1, 1, 1), { passed: 2, failed: 3 }],
  ['no test ran', 5, junitReport(0, 0, 0, 0), { passed: 0, failed: 1 }],
  ['the runner left no report', 4, undefined, { passed: 0, failed: 1 }],
])('pytest: %s', async (_, exitCode, report, expected) => {
  expect(await result('junitResult', exitCode, report)).toEqual(expected);
});

test('pytest: the parameters of what failed', async () => {
  const file = join(emptyDirectory(), 'report');
  const testCase = (seed: number, outcome: string) =>
    `<testcase classname="test_crash_schedules" name="test_crash_schedule[${seed}]" time="1.0">${outcome}</testcase>`;
  const failure = '<failure message="assert [1] &gt; &quot;2&quot;">name="test_crash_schedule[9]"</failure>';
  writeFileSync(file, `<testsuite>${testCase(7, '')}${testCase(8, failure)}${testCase(10, '<error/>')}</testsuite>`);
  expect(await evaluate('scripts/test/results.mjs', `it.failedParameters('${file}')`)).toEqual(['8', '10']);
  expect(await evaluate('scripts/test/results.mjs', `it.failedParameters('${file}.none')`)).toEqual([]);
});
