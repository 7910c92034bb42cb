import { launch, MINUTE, platformProcesses, trackman } from './trackman';

afterAll(async () => {
  await trackman('local', 'down');
}, MINUTE);

test(
  'an interrupt in the middle of the apply ends every process and exits with 130',
  async () => {
    const { child, outcome, seen } = launch(['local', 'start', '--shots', '1000']);
    await seen(/aws_db_instance.*Creating/);
    expect(platformProcesses()).not.toEqual([]);
    child.kill('SIGINT');
    expect(await outcome).toMatchObject({ code: 130, stderr: expect.stringContaining('interrupted') });
    expect(platformProcesses()).toEqual([]);
  },
  3 * MINUTE,
);
