import Table from 'cli-table3';

/** Rows as a plain aligned table for a terminal; null cells are shown as SQL's NULL. */
export function renderTable(
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const numeric = columns.map(
    (_, i) => rows.length > 0 && rows.every((row) => row[i] === null || !Number.isNaN(Number(row[i]))),
  );
  const table = new Table({
    head: [...columns],
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
    chars: {
      ...Object.fromEntries(
        [
          'top',
          'top-mid',
          'top-left',
          'top-right',
          'bottom',
          'bottom-mid',
          'bottom-left',
          'bottom-right',
          'left',
          'right',
        ].map((part) => [part, '']),
      ),
      'left-mid': '',
      'right-mid': '',
      middle: ' ',
      mid: '─',
      'mid-mid': ' ',
    },
  });
  rows.forEach((row) => table.push(row.map((cell) => cell ?? 'NULL')));
  return table.toString();
}
