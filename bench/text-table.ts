const GAP = '  ';

/** Rows of cells in columns, the first to the left, the others to the right. A row of one cell is a title: it widens nothing. */
export function layOutTable(
  rows: readonly (readonly string[])[],
  /** The last column has words in it: they stand to the left. */
  { leftLast = false } = {},
): string {
  const columns = Math.max(0, ...rows.map((cells) => cells.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(
      ...rows.filter((cells) => cells.length > 1).map((cells) => cells[column]?.length ?? 0),
    ),
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => {
          if (cells.length === 1) return cell;
          return column === 0 || (leftLast && column === columns - 1)
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0);
        })
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}
