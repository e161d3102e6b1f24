/** Columns as podman prints them: as wide as their widest cell, two spaces apart, none behind the last. */
export function renderTable(
  header: readonly string[] | undefined,
  rows: readonly (readonly string[])[],
): string {
  const lines = header === undefined ? rows : [header, ...rows];
  const widths: number[] = [];
  for (const line of lines) {
    for (const [column, cell] of line.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
