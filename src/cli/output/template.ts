import { WardianError } from '../../util/errors.ts';

type Part = { text: string } | { path: string[]; json: boolean };

export interface Template {
  /** The fields that it prints, for the header of `table`. */
  readonly fields: readonly string[];
  readonly isTable: boolean;
  render(value: unknown): string;
}

/**
 * Reads the part of Go's templates that people use on command lines: `{{.Name}}`, `{{.State.Status}}`,
 * `{{json .Config}}`, `\t` and `\n`, and `table` in front. Throws USAGE for the rest.
 */
export function parseTemplate(format: string): Template {
  const isTable = /^table\s/.test(format);
  const body = (isTable ? format.replace(/^table\s+/, '') : format)
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n');
  const parts = parseParts(body);
  return {
    isTable,
    fields: parts.flatMap((part) => ('path' in part ? [part.path.at(-1) ?? ''] : [])),
    render: (value) =>
      parts.map((part) => ('text' in part ? part.text : renderPart(part, value))).join(''),
  };
}

function parseParts(body: string): Part[] {
  return body.split(/(\{\{.*?\}\})/s).flatMap((piece): Part[] => {
    if (piece === '') return [];
    if (!piece.startsWith('{{')) return [{ text: piece }];
    const match = /^\{\{-?\s*(json\s+)?(\.[\w.]*)\s*-?\}\}$/.exec(piece);
    if (match === null) {
      throw new WardianError('USAGE', `--format does not understand ${piece}`, {
        hint: 'it knows {{.Field}}, {{.Field.Field}} and {{json .Field}}; use json with jq for more',
      });
    }
    const path = (match[2] ?? '').split('.').filter((name) => name !== '');
    return [{ path, json: match[1] !== undefined }];
  });
}

function renderPart({ path, json }: { path: string[]; json: boolean }, value: unknown): string {
  let current = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !(name in current)) {
      throw new WardianError('USAGE', `--format: there is no field .${path.join('.')}`, {
        hint: `the fields: ${listFields(value).join(', ')}`,
      });
    }
    current = (current as Record<string, unknown>)[name];
  }
  if (json) return JSON.stringify(current);
  if (Array.isArray(current)) return `[${current.join(' ')}]`;
  return typeof current === 'object' && current !== null
    ? JSON.stringify(current)
    : String(current);
}

function listFields(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
