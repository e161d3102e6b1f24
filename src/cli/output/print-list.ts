import type { CommandContext } from '../command.ts';
import { renderTable } from './table.ts';
import { parseTemplate } from './template.ts';
import { writeJson, writeText } from './write-text.ts';

export interface List<T> {
  readonly items: readonly T[];
  /** Heads of the columns and what an item has in each. */
  readonly columns: readonly (readonly [head: string, cell: (item: T) => string])[];
  /** An item as JSON has it. */
  toRecord(item: T): object;
  /** What templates see otherwise: texts where JSON has lists. */
  toTexts?(item: T): object;
  /** What `--quiet` prints. */
  toId(item: T): string;
}

export interface ListFlags {
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly noheading?: boolean;
  readonly format?: string | undefined;
}

/** Flags of every list. */
export const LIST_FLAGS = {
  quiet: { short: 'q', help: 'print nothing but ids' },
  json: { help: 'print JSON' },
  format: { value: 'FORMAT', help: 'json, or a template such as {{.ID}}' },
  noheading: { alias: 'no-heading', help: 'leave out the heads of the columns' },
} as const;

/** Prints a list in the form that was asked for. */
export async function printList<T>(
  context: CommandContext,
  list: List<T>,
  flags: ListFlags,
): Promise<void> {
  if (flags.json || flags.format === 'json') {
    await writeJson(context.stdout, list.items.map(list.toRecord));
  } else if (flags.quiet) {
    await writeText(context.stdout, list.items.map((item) => `${list.toId(item)}\n`).join(''));
  } else if (flags.format !== undefined && flags.format !== 'table') {
    await writeText(context.stdout, renderTemplate(flags.format, list, flags));
  } else {
    const header = list.columns.map(([head]) => head);
    const rows = list.items.map((item) => list.columns.map(([, cell]) => cell(item)));
    await writeText(context.stdout, renderTable(flags.noheading ? undefined : header, rows));
  }
}

function renderTemplate<T>(format: string, list: List<T>, flags: ListFlags): string {
  const template = parseTemplate(format);
  const lines = list.items.map((item) =>
    template.render({ ...list.toRecord(item), ...list.toTexts?.(item) }),
  );
  if (!template.isTable) return lines.map((line) => `${line}\n`).join('');
  const header = template.fields.map((field) => field.toUpperCase());
  return renderTable(
    flags.noheading ? undefined : header,
    lines.map((line) => line.split('\t')),
  );
}
