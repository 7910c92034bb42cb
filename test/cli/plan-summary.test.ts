import {
  asMarkdown,
  asText,
  changesAnything,
  headline,
  isEmpty,
  summarize,
  type Plan,
} from '../../cli/terraform/plan-summary';

type Change = NonNullable<Plan['resource_changes']>[number]['change'];

function summaryOf(changes: Record<string, Partial<Change>>) {
  const resource_changes = Object.entries(changes).map(([address, change]) => ({
    address,
    change: { actions: ['no-op'], ...change },
  }));
  return summarize('trackman-dev', { resource_changes });
}

const tags = (commit: string, more: object = {}) => ({ tags: { Name: 'x' }, tags_all: { commit, Name: 'x', ...more } });

const everything = summaryOf({
  'aws_a.created': { actions: ['create'] },
  'aws_a.updated': { actions: ['update'], before: { size: 1 }, after: { size: 2 } },
  'aws_a.replaced': { actions: ['delete', 'create'] },
  'aws_a.replaced_the_other_way': { actions: ['create', 'delete'] },
  'aws_a.deleted': { actions: ['delete'] },
  'aws_a.forgotten': { actions: ['forget'] },
  'aws_a.left_alone': {},
  'data.aws_a.read': { actions: ['read'] },
  'aws_a.retagged': { actions: ['update'], before: tags('1'), after: tags('2') },
});

test('each resource is counted once, by what becomes of it', () => {
  expect(everything).toEqual({
    stack: 'trackman-dev',
    create: ['aws_a.created'],
    update: ['aws_a.updated'],
    replace: ['aws_a.replaced', 'aws_a.replaced_the_other_way'],
    delete: ['aws_a.deleted', 'aws_a.forgotten'],
    retag: ['aws_a.retagged'],
  });
});

describe('an update in the commit’s tag', () => {
  test('is no change of the platform', () => {
    const retagged = summaryOf({ 'aws_a.x': { actions: ['update'], before: tags('1'), after: tags('2') } });
    expect([changesAnything(retagged), isEmpty(retagged)]).toEqual([false, false]);
    expect(headline(retagged)).toBe(
      "trackman-dev: 0 to create, 0 to update, 0 to replace, 0 to delete; 1 get only the new commit's tag",
    );
  });

  test.each([
    ['another tag', { before: tags('1'), after: tags('2', { owner: 'me' }) }],
    ['another attribute', { before: { ...tags('1'), size: 1 }, after: { ...tags('2'), size: 2 } }],
    ['what is known only later', { before: tags('1'), after: tags('2'), after_unknown: { tags_all: {}, arn: true } }],
  ])('and in %s is one', (_, change) => {
    expect(summaryOf({ 'aws_a.x': { actions: ['update'], ...change } }).update).toEqual(['aws_a.x']);
  });

  test('where there was none before is still only the tag', () => {
    const change = { actions: ['update'], before: { tags_all: null }, after: { tags_all: { commit: '2' } } };
    expect(summaryOf({ 'aws_a.x': change }).retag).toEqual(['aws_a.x']);
  });
});

test('nothing to do is nothing', () => {
  expect(isEmpty(summarize('trackman-dev', {}))).toBe(true);
});

test('an action that is not known is no reason to guess', () => {
  expect(() => summaryOf({ 'aws_a.x': { actions: ['teleport'] } })).toThrow('a plan has the action "teleport"');
});

test('a terminal gets counts, then addresses', () => {
  expect(asText(everything)).toBe(
    [
      "trackman-dev: 1 to create, 1 to update, 2 to replace, 2 to delete; 1 get only the new commit's tag",
      '  create  aws_a.created',
      '  update  aws_a.updated',
      '  replace aws_a.replaced',
      '  replace aws_a.replaced_the_other_way',
      '  delete  aws_a.deleted',
      '  delete  aws_a.forgotten',
      '',
    ].join('\n'),
  );
});

test('a pull request gets what is lost first, and no value', () => {
  const markdown = asMarkdown(everything);
  expect(markdown).toMatch(/^### trackman-dev: 1 to create.*\n\n\*\*delete\*\*\n\n- `aws_a.deleted`\n/);
  expect(markdown.indexOf('**replace**')).toBeLessThan(markdown.indexOf('**update**'));
  expect(asMarkdown(summaryOf({ 'aws_a.x': { actions: ['create'], after: { password: 'canary' } } }))).not.toContain(
    'canary',
  );
});
