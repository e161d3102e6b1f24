import type { Measured } from './measure.ts';

/** A row of the table with what came of it. */
export interface RowResult {
  readonly name: string;
  readonly title: string;
  readonly unit: 'ms' | 'MiB';
  readonly budget?: number;
  readonly measured: readonly Measured[];
}

/** Name of our line in each row: the one that has the budget, and that the other lines are compared with. */
export const OURS = 'wardian';

const HEADINGS = ['', 'median', 'min', 'max', 'spread', 'ours/theirs', 'budget'];
const LAST_COLUMN = HEADINGS.length - 1;
const GAP = '  ';

/** The table for people: a title for each row, and a line below it for each contestant. */
export function formatTable(results: readonly RowResult[]): string {
  const rows = results.map((result) => ({
    title: `${result.title} (${result.unit})`,
    lines: result.measured.map((one) => formatCells(one, result)),
  }));
  const widths = measureColumns([HEADINGS, ...rows.flatMap(({ lines }) => lines)]);
  const text = rows.flatMap(({ title, lines }) => [
    '',
    title,
    ...lines.map((cells) => layOut(cells, widths)),
  ]);
  return [layOut(HEADINGS, widths), ...text].join('\n');
}

/** All cells of a measured line; name and reason of one that failed. */
function formatCells(one: Measured, result: RowResult): string[] {
  const name = `  ${one.name}`;
  if ('failure' in one) return [name, `failed: ${one.failure.replaceAll(/\s+/g, ' ')}`];
  const { median, min, max, spread } = one.summary;
  const figures = [median, min, max, spread].map((value) => value.toFixed(1));
  if (one.name === OURS) return [name, ...figures, '', formatBudget(result.budget, median)];
  const ours = findOurMedian(result);
  return [name, ...figures, ours === undefined ? '' : (ours / median).toFixed(2), ''];
}

function findOurMedian({ measured }: RowResult): number | undefined {
  const ours = measured.find(({ name }) => name === OURS);
  return ours !== undefined && 'summary' in ours ? ours.summary.median : undefined;
}

function formatBudget(budget: number | undefined, median: number): string {
  if (budget === undefined) return '';
  return `≤ ${budget}: ${median <= budget ? 'met' : 'missed'}`;
}

/** A failure's reason may be longer than any column: it widens none. */
function measureColumns(lines: readonly (readonly string[])[]): number[] {
  return HEADINGS.map((_, column) =>
    Math.max(
      ...lines
        .filter((cells) => column === 0 || cells.length === HEADINGS.length)
        .map((cells) => cells[column]?.length ?? 0),
    ),
  );
}

function layOut(cells: readonly string[], widths: readonly number[]): string {
  const isWhole = cells.length === HEADINGS.length;
  const padded = cells.map((cell, column) => {
    if (column === 0) return cell.padEnd(widths[column] ?? 0);
    return isWhole && column !== LAST_COLUMN ? cell.padStart(widths[column] ?? 0) : cell;
  });
  return padded.join(GAP).trimEnd();
}

/** Where our time or memory goes: medians of the parts that rows tell apart. */
export function formatParts(results: readonly RowResult[]): string[] {
  return results.flatMap(({ name, unit, measured }) =>
    measured.flatMap((one) => {
      if (one.name !== OURS || 'failure' in one || one.summary.parts === undefined) return [];
      const parts = Object.entries(one.summary.parts);
      const text = parts.map(([part, value]) => `${part} ${value.toFixed(1)}`).join(', ');
      return [`  ${name} (${unit}): ${text}`];
    }),
  );
}
