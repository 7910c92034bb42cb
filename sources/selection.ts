/** Tables that a contract selects by patterns of "schema.table", in which `*` stands for any text. */
export interface Selection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export function isSelected({ include, exclude }: Selection, table: string): boolean {
  const matches = (pattern: string): boolean => expression(pattern).test(table);
  return include.some(matches) && !exclude.some(matches);
}

/** Patterns hold letters, digits, underscores, one dot and stars. */
function expression(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`, 's');
}
