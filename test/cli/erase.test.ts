/** What `trackman erase` promises. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { goneBy } from '../../cli/commands/erase';
import { dev } from '../../envs/dev';
import { projectRoot } from '../../modules/project';

test('each place that keeps copies has a day by which they are gone: its time, and a day more for what runs daily', () => {
  const moment = new Date('2026-11-24T17:00:00Z');
  const { snapshotDays, versionDays } = dev.lake;
  expect([snapshotDays, versionDays, dev.servingDb.backupDays, dev.analytics.resultDays]).toEqual([7, 7, 1, 30]);
  expect(goneBy(dev, moment)).toEqual({
    'tables, as they are now': '2026-11-24',
    'snapshots of tables, files of runs that died': '2026-12-02',
    'versions of replaced objects': '2026-12-10',
    'backups of dataengineering-db': '2026-11-26',
    'results of queries': '2026-12-25',
    logs: '2026-12-09',
  });
  const soon = { ...dev, lake: { ...dev.lake, snapshotDays: 1 } };
  expect(goneBy(soon, moment)['snapshots of tables, files of runs that died']).toBe('2026-11-28');
});

test('files of runs that died are kept for as long as the job maintain says', () => {
  const source = readFileSync(join(projectRoot, 'glue-jobs', 'trackman', 'maintenance.py'), 'utf8');
  expect(source).toContain('ORPHAN_AGE = timedelta(days=3)');
});
