/** A `?` of a SQL statement. */
export interface Placeholder {
  /** The statement's line that it is in, from the first word to the last. */
  readonly line: string;
  readonly inWhere: boolean;
}

const TOKEN = /--[^\n]*|\/\*.*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_]\w*|[()?]/gs;
const ENDS_WHERE = new Set([
  'SELECT',
  'GROUP',
  'HAVING',
  'WINDOW',
  'ORDER',
  'OFFSET',
  'LIMIT',
  'FETCH',
  'UNION',
  'INTERSECT',
  'EXCEPT',
]);

/** The placeholders of a statement in order, not those in texts, quoted names and comments. */
export function placeholders(sql: string): Placeholder[] {
  const found: Placeholder[] = [];
  const inWhere = [false]; // for each open parenthesis
  for (const { 0: token, index } of sql.matchAll(TOKEN)) {
    const word = token.toUpperCase();
    if (word === '(') inWhere.push(inWhere.at(-1)!);
    else if (word === ')' && inWhere.length > 1) inWhere.pop();
    else if (word === 'WHERE') inWhere[inWhere.length - 1] = true;
    else if (ENDS_WHERE.has(word)) inWhere[inWhere.length - 1] = false;
    else if (word === '?') found.push({ line: lineAt(sql, index), inWhere: inWhere.at(-1)! });
  }
  return found;
}

function lineAt(sql: string, index: number): string {
  const end = sql.indexOf('\n', index);
  return sql.slice(sql.lastIndexOf('\n', index) + 1, end === -1 ? undefined : end).trim();
}
