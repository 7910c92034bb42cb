/** A contract as the TypeScript of `sources/<name>.ts`. */
import type { Draft } from './draft';

const WIDTH = 120; // as .prettierrc has it

/** @param origin what it was made from, for its first line: no password */
export function contractFile({ contract, perhapsPersonal }: Draft, origin: string): string {
  const { name, include, serving } = contract;
  const personal = Object.entries(perhapsPersonal);
  return [
    "import type { LogContract } from './contract';",
    '',
    `/** ${origin} */`,
    `export const ${camelCase(name)}: LogContract = {`,
    `  name: '${name}',`,
    '  // Below /trackman/<environment>/: where its owners keep address, authority and credentials.',
    `  ownerFolder: '${contract.ownerFolder}',`,
    `  mode: '${contract.mode}',`,
    `  publication: '${contract.publication}',`,
    `  slot: '${contract.slot}',`,
    '  walBytesPerStep: 1024 ** 3,',
    '  inlineSnapshotBytes: 1024 ** 3,',
    `  rejectLimit: ${contract.rejectLimit},`,
    `  retention: { changeDays: ${contract.retention.changeDays}, quarantineDays: ${contract.retention.quarantineDays} },`,
    `  include: ${list(include, '  include: '.length)},`,
    '  exclude: [],',
    ...(personal.length === 0
      ? ['  tables: {},']
      : [
          '  tables: {',
          '    // By their names these may be personal. Decide: keep, hash or drop; then the comments can go.',
          ...personal.map(([table, columns]) => `    // '${table}': { pii: { ${columns.map(decision).join(', ')} } },`),
          '  },',
        ]),
    `  serving: { include: ${list(serving.include, `  serving: { include: , exclude: [] },`.length)}, exclude: [] },`,
    '};',
    '',
  ].join('\n');
}

function decision(column: string): string {
  return `${column}: 'drop'`;
}

/** On one line, or on one each. */
function list(values: readonly string[], used: number): string {
  const line = `[${values.map((value) => `'${value}'`).join(', ')}]`;
  if (used + line.length + 1 <= WIDTH) return line;
  return `[\n${values.map((value) => `    '${value}',\n`).join('')}  ]`;
}

function camelCase(name: string): string {
  return name.replace(/-+(.)?/g, (_, letter: string | undefined) => (letter ?? '').toUpperCase());
}
