import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { transpileModule, ModuleKind } from 'typescript';
import type { CatalogTable, SourceCatalog } from '../../../cli/source/catalog';
import { contractFile } from '../../../cli/source/contract-file';
import { draftContract } from '../../../cli/source/draft';
import { ownerKeeps, ownerSql } from '../../../cli/source/owner-sql';
import { projectRoot } from '../../../modules/project';
import { resolveContracts, type SourceContract } from '../../../sources/contract';

const table = (qualified: string, deviation: Partial<CatalogTable> = {}): CatalogTable => {
  const [schema, name] = qualified.split('.') as [string, string];
  return {
    schema,
    name,
    owner: 'shop_owner',
    kind: 'r',
    isUnlogged: false,
    extension: null,
    replicaIdentity: 'd',
    key: ['id'],
    columns: [{ name: 'id', type: 'int4', isGenerated: false }],
    unreadable: [],
    isSchemaUsable: true,
    isPublished: true,
    ...deviation,
  };
};
const catalog = (tables: readonly CatalogTable[], deviation: Partial<SourceCatalog> = {}): SourceCatalog => ({
  database: 'shop',
  version: 16,
  walLevel: 'logical',
  isRds: false,
  role: { name: 'reader', exists: true, mayReplicate: true, mayConnect: true },
  publication: { name: 'trackman', exists: true },
  slots: [],
  tables,
  ...deviation,
});
const column = (name: string, type = 'text', isGenerated = false) => ({ name, type, isGenerated });

describe('the contract', () => {
  test('has the tables that can be followed, in names as they are', () => {
    const { contract, leftOut } = draftContract('shop', catalog([table('public.Orders'), table('sales.lines')]));
    expect(contract).toMatchObject({
      name: 'shop',
      ownerFolder: 'shop',
      slot: 'trackman',
      include: ['public.Orders', 'sales.lines'],
      serving: { include: ['public.*', 'sales.*'] },
    });
    expect(leftOut).toEqual([]);
  });

  test.each<[Partial<CatalogTable>, string]>([
    [{ key: [] }, 'has no primary key'],
    [{ replicaIdentity: 'n' }, 'has REPLICA IDENTITY NOTHING'],
    [{ isUnlogged: true }, 'is unlogged'],
    [{ kind: 'f', key: [] }, 'is a foreign table'],
    [{ extension: 'postgis' }, 'is part of the extension postgis'],
    [{ name: 'my table' }, 'has a name that is not letters, digits and underscores alone'],
    [{ columns: [column('id', 'int4', true)] }, 'has a generated column in its primary key'],
    [{ columns: [column('Id'), column('id')] }, 'has columns that differ in case alone (id)'],
  ])('leaves a table out, and says why: %j', (deviation, why) => {
    const { contract, leftOut } = draftContract(
      'shop',
      catalog([table('public.good'), table('public.odd', deviation)]),
    );
    expect(contract.include).toEqual(['public.good']);
    expect(leftOut).toEqual([{ table: expect.stringMatching(/^public\./), why: expect.stringContaining(why) }]);
  });

  test('has one of two tables that would have one name in the lake', () => {
    const { leftOut } = draftContract('shop', catalog([table('public.Orders'), table('public.orders')]));
    expect(leftOut).toEqual([
      { table: 'public.orders', why: expect.stringContaining('would be orders in the lake, as public.Orders is') },
    ]);
  });

  test('has a slot that no other source on the server has', () => {
    expect(draftContract('my-shop', catalog([], { slots: ['trackman'] })).contract.slot).toBe('trackman_my_shop');
  });
});

describe('the file', () => {
  const many = Array.from({ length: 12 }, (_, i) => table(`sales.a_table_with_number_${i}`));
  const personal = table('public.People', { columns: [column('id', 'uuid'), column('FullName'), column('email')] });

  test.each([
    ['few tables', [table('public.orders')]],
    ['many tables', many],
    ['what may be personal', [...many, personal]],
  ])('of %s passes prettier as it is, and synth takes it', (_, tables) => {
    const draft = draftContract('my-shop', catalog(tables));
    const text = contractFile(draft, 'From a test.');
    expect(formatted(text)).toBe(text);
    const exported = evaluate(text);
    expect(exported).toEqual({ myShop: draft.contract });
    expect(resolveContracts({ name: 'dev' }, [exported['myShop']!])).toHaveLength(1);
  });

  test('asks what becomes of what may be personal, and decides nothing', () => {
    const draft = draftContract('shop', catalog([personal]));
    expect(contractFile(draft, '')).toContain("// 'public.People': { pii: { FullName: 'drop', email: 'drop' } },");
    expect(draft.contract.tables).toEqual({});
  });
});

describe("the owners' SQL", () => {
  const sqlOf = (tables: readonly CatalogTable[], deviation: Partial<SourceCatalog> = {}): string => {
    const found = catalog(tables, deviation);
    return ownerSql(draftContract('shop', found), found, 'db:5432/shop');
  };
  const statements = (sql: string): string =>
    sql
      .replace(/^--.*\n/gm, '')
      .trim()
      .replace(/\s+/g, ' ');

  test('of a source that is ready is empty, and says so', () => {
    const sql = sqlOf([table('public.orders')]);
    expect(statements(sql)).toBe('');
    expect(sql).toContain('-- Nothing: it has all that the platform needs.');
  });

  test('of a new one has all, and no password', () => {
    const orders = { isPublished: false, isSchemaUsable: false, unreadable: ['public."Orders"'] };
    const sql = sqlOf([table('public.Orders', orders)], {
      walLevel: 'replica',
      role: { name: 'reader', exists: false, mayReplicate: false, mayConnect: false },
      publication: { name: 'trackman', exists: false },
    });
    expect(statements(sql)).toBe(
      [
        "ALTER SYSTEM SET wal_level = 'logical';",
        'CREATE ROLE "reader" LOGIN;',
        'ALTER ROLE "reader" REPLICATION;',
        'GRANT CONNECT ON DATABASE "shop" TO "reader";',
        'GRANT USAGE ON SCHEMA "public" TO "reader";',
        'GRANT SELECT ON TABLE public."Orders" TO "reader";',
        'CREATE PUBLICATION "trackman" FOR TABLE "public"."Orders" WITH (publish_via_partition_root = true);',
      ].join(' '),
    );
    expect(sql).toContain('\\password reader');
  });

  test('on RDS asks for its role and its parameter group', () => {
    const role = { name: 'reader', exists: true, mayReplicate: false, mayConnect: true };
    const sql = sqlOf([table('public.orders')], { isRds: true, walLevel: 'replica', role });
    expect(statements(sql)).toBe('GRANT rds_replication TO "reader";');
    expect(sql).toContain('rds.logical_replication = 1, then a reboot');
  });

  test('asks for what is missing only, and for each partition', () => {
    const parted = { kind: 'p', unreadable: ['public.readings_2025'] };
    const sql = sqlOf([table('public.orders', { isPublished: false }), table('public.readings', parted)]);
    expect(statements(sql)).toBe(
      'GRANT SELECT ON TABLE public.readings_2025 TO "reader"; ALTER PUBLICATION "trackman" ADD TABLE "public"."orders";',
    );
    expect(sql).toContain('-- Each partition to come needs the same grant.');
  });

  test('tells of REPLICA IDENTITY FULL, and changes nothing about it', () => {
    expect(sqlOf([table('public.orders', { replicaIdentity: 'f' })])).toContain(
      '-- ALTER TABLE "public"."orders" REPLICA IDENTITY DEFAULT;',
    );
  });

  test('is followed by what owners keep, all of it comments', () => {
    const found = catalog([table('public.orders')]);
    const lines = ownerKeeps(draftContract('shop', found), found, 'db:5432/shop').trim().split('\n');
    expect(lines.filter((line) => !line.startsWith('--'))).toEqual([]);
    expect(lines.join('\n')).toContain('/trackman/<env>/shop/url');
  });
});

/** By a process of its own: prettier is made of modules that Jest does not load. */
function formatted(text: string): string {
  const argv = [join(projectRoot, 'node_modules/prettier/bin/prettier.cjs'), '--stdin-filepath', 'sources/my-shop.ts'];
  return spawnSync(process.execPath, argv, { cwd: projectRoot, input: text, encoding: 'utf8' }).stdout;
}

function evaluate(text: string): Record<string, SourceContract> {
  const { outputText } = transpileModule(text, { compilerOptions: { module: ModuleKind.CommonJS } });
  const exported: Record<string, SourceContract> = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  new Function('exports', outputText)(exported);
  return exported;
}
