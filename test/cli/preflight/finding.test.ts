import { ParameterNotFound } from '@aws-sdk/client-ssm';
import { FailedError } from '../../../cli/errors';
import { findings, good, renderFinding, told, wrong } from '../../../cli/preflight/finding';

const complaint = { found: 'a fist', expected: 'an open hand', remedy: 'you open it' };

test('a finding is a line: its sign, what was looked at, what was found and what to do', () => {
  expect(renderFinding(good('hand', 'open'))).toBe('✓ hand: open');
  expect(renderFinding(told('hand', complaint))).toBe('! hand: a fist; expected an open hand; you open it');
  expect(renderFinding(wrong('hand', complaint))).toBe('✗ hand: a fist; expected an open hand; you open it');
});

test.each([
  ['AWS', new ParameterNotFound({ message: 'No such\n  thing.', $metadata: {} }), 'ParameterNotFound: No such thing.'],
  ['the network', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [
    'the database',
    new FailedError('cannot connect to db:5432/trackman: timeout'),
    'cannot connect to db:5432/trackman',
  ],
])('what %s refuses is a finding, in one line', async (_, refusal, said) => {
  const [finding] = await findings('hand', () => Promise.reject(refusal));
  expect(finding).toMatchObject({ subject: 'hand', state: 'wrong', found: expect.stringContaining(said) });
  expect(renderFinding(finding!)).not.toContain('\n');
});

test('a defect of ours is none', async () => {
  await expect(findings('hand', () => Promise.reject(new TypeError('x is not a function')))).rejects.toThrow(TypeError);
});
