import { isSelected } from '../../sources/selection';

test.each([
  ['public.shots', true],
  ['public.shots_2026', false],
  ['public.audit_log', false],
  ['publicxshots', false],
  ['golf.bays', true],
  ['other.shots', false],
])('%s is selected: %s', (table, expected) => {
  const selection = { include: ['public.shots', 'public.audit_*', 'golf.*'], exclude: ['public.audit_log'] };
  expect(isSelected(selection, table)).toBe(expected);
});
