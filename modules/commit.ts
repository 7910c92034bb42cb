import { spawnSync } from 'node:child_process';
import { projectRoot } from './project';

/** What is synthesized is made of these; everything else can change without changing a stack. */
const INPUTS = [
  'main.ts',
  'cdktf.json',
  'package-lock.json',
  'envs',
  'modules',
  'sources',
  'glue-jobs',
  'athena-queries',
  'scripts/setup',
];

/** In the place of a commit, when what is synthesized is not what was committed. */
export const UNCOMMITTED = 'uncommitted';

/**
 * The last commit (40 hexadecimal digits) that changed what is synthesized, so that a commit which changes only
 * documents plans no change; UNCOMMITTED where the working tree differs from it or there is no repository.
 */
export function sourceCommit(root = projectRoot): string {
  const changed = git(root, 'status', '--porcelain', '--', ...INPUTS);
  if (changed !== '') return UNCOMMITTED;
  return git(root, 'log', '-1', '--format=%H', '--', ...INPUTS) || UNCOMMITTED;
}

/** What git prints; undefined where there is no git, or no repository. */
function git(root: string, ...argv: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', argv, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
