import { medians, reaches, repeated, type Row } from '../../bench/measure';

function row(measure: string, value: number, better: Row['better'] = 'lower'): Row {
  return { measure, value, unit: 's', better, must: 3, aim: 1.5 };
}

test('a row’s value is the median of the runs, one that is far off counts as any other', () => {
  const runs = [2, 90, 1, 3, 2.5].map((value) => row('synth', value));
  expect(medians(runs)).toEqual([row('synth', 2.5)]);
  expect(medians([row('synth', 1), row('synth', 2)])).toEqual([row('synth', 1.5)]);
});

test('a measurement may yield several rows; each has a median of its own', () => {
  const runs = [row('rows', 10), row('bytes', 300), row('rows', 30), row('bytes', 100), row('rows', 20)];
  expect(medians([...runs, row('bytes', 200)])).toEqual([row('rows', 20), row('bytes', 200)]);
});

test('a measure is repeated as often as it is asked for', async () => {
  const values = [3, 1, 2];
  const measure = repeated(() => Promise.resolve(row('synth', values.shift()!)));
  const told: string[] = [];
  expect(await measure(2, (line) => told.push(line))).toEqual([row('synth', 3), row('synth', 1)]);
  expect(told).toEqual(['1 of 2', '2 of 2']);
});

test.each([
  ['lower', 2.9, true],
  ['lower', 3, true],
  ['lower', 3.1, false],
  ['higher', 2.9, false],
  ['higher', 3, true],
] as const)('when %s is better, %d against 3: %p', (better, value, expected) => {
  expect(reaches(row('any', value, better), 3)).toBe(expected);
});
