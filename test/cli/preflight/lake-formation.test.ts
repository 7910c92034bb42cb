import { judgeSettings } from '../../../cli/preflight/lake-formation';

const byIam = [{ Principal: { DataLakePrincipalIdentifier: 'IAM_ALLOWED_PRINCIPALS' }, Permissions: ['ALL' as const] }];
const settingsByIam = { CreateDatabaseDefaultPermissions: byIam, CreateTableDefaultPermissions: byIam };

test('the account is as the environment says', () => {
  expect(judgeSettings('lf', settingsByIam, 'iam', 'dev').state).toBe('good');
  expect(judgeSettings('lf', { CreateDatabaseDefaultPermissions: [] }, 'grants', 'dev').state).toBe('good');
});

test.each([
  [settingsByIam, 'grants' as const, 'new databases by IAM policies alone, new tables by IAM policies alone'],
  [{}, 'iam' as const, 'new databases by grants, new tables by grants'],
  [
    { ...settingsByIam, CreateTableDefaultPermissions: [] },
    'iam' as const,
    'new databases by IAM policies alone, new tables by grants',
  ],
])('%j against %s is told, and fails nothing', (settings, wanted, found) => {
  expect(judgeSettings('lf', settings, wanted, 'dev')).toMatchObject({
    state: 'told',
    found,
    remedy: expect.stringContaining('envs/dev.ts'),
  });
});
