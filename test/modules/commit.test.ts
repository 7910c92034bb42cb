import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Testing } from 'cdktf';
import { dev } from '../../envs/dev';
import { Access } from '../../modules/access/access';
import { sourceCommit, UNCOMMITTED } from '../../modules/commit';
import { Synthesized } from './synthesized';

function git(directory: string, ...argv: string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
  const { status, stdout, stderr } = spawnSync('git', [...identity, ...argv], { cwd: directory, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** A repository with one commit. */
function repository(): string {
  const directory = mkdtempSync(join(tmpdir(), 'trackman-test-'));
  git(directory, 'init', '--quiet');
  mkdirSync(join(directory, 'modules'));
  writeFileSync(join(directory, 'modules', 'a.ts'), '1');
  return (commit(directory), directory);
}

function commit(directory: string): string {
  git(directory, 'add', '--all');
  git(directory, 'commit', '--quiet', '--message', 'm');
  return git(directory, 'rev-parse', 'HEAD');
}

describe('the commit of what is synthesized', () => {
  test('is the last that changed it, whatever documents changed since', () => {
    const directory = repository();
    const first = git(directory, 'rev-parse', 'HEAD');
    writeFileSync(join(directory, 'README.md'), 'x');
    commit(directory);
    expect(sourceCommit(directory)).toBe(first);
    writeFileSync(join(directory, 'modules', 'a.ts'), '2');
    const changed = commit(directory);
    expect(sourceCommit(directory)).toBe(changed);
  });

  test('is none while it differs from what was committed', () => {
    const directory = repository();
    writeFileSync(join(directory, 'README.md'), 'x');
    expect(sourceCommit(directory)).not.toBe(UNCOMMITTED);
    writeFileSync(join(directory, 'modules', 'b.ts'), 'new');
    expect(sourceCommit(directory)).toBe(UNCOMMITTED);
  });

  test('is none outside of a repository', () => {
    expect(sourceCommit(mkdtempSync(join(tmpdir(), 'trackman-test-')))).toBe(UNCOMMITTED);
  });
});

describe('the tag of the commit', () => {
  const tagged = (context: object): unknown => {
    const stack = new Synthesized(new Access(Testing.app({ context: { ...context } }), dev));
    const [provider] = stack.provider['aws'] as [{ default_tags: [{ tags: Record<string, string> }] }];
    return provider.default_tags[0].tags['commit'];
  };

  test('is what the context says', () => {
    expect(tagged({ commit: 'a'.repeat(40) })).toBe('a'.repeat(40));
    expect(tagged({})).toBe(UNCOMMITTED);
  });

  test('is no other text', () => {
    expect(() => tagged({ commit: 'main' })).toThrow(
      'context value commit is "main": expected the 40 hexadecimal digits',
    );
  });
});
