import type { CommandContext } from '../command.ts';
import { parseTemplate } from './template.ts';
import { writeJson, writeText } from './write-text.ts';

interface RecordFlags {
  readonly json: boolean;
  readonly format?: string | undefined;
}

/** Prints one record as asked for: as JSON, by a template, or as `text`. */
export async function printRecord(
  { stdout }: CommandContext,
  { record, text }: { record: object; text: string },
  { json, format }: RecordFlags,
): Promise<void> {
  if (json || format === 'json') await writeJson(stdout, record);
  else if (format === undefined) await writeText(stdout, text);
  else await writeText(stdout, `${parseTemplate(format).render(record)}\n`);
}
