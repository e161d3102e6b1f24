import { readFile, stat } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { hasErrno, WardianError } from '../util/errors.ts';
import { suggest } from '../util/suggest.ts';
import { SETTINGS } from './settings.ts';

/** A value that stands in a file, and where. */
export interface FileValue {
  readonly value: unknown;
  /** "/etc/wardian/config.toml, line 3". */
  readonly place: string;
}

/** Far more than all settings with a comment each. */
const MAX_FILE_BYTES = 256 * 1024;

/**
 * The settings that a file decides, by their keys, each of the type that it must have; none when there is no such file.
 * CONFIG_INVALID names file and line of what is wrong in it, HOST_PERMISSION a file that cannot be read.
 */
export async function readConfigurationFile(
  filePath: string,
): Promise<ReadonlyMap<string, FileValue>> {
  const text = await readText(filePath);
  if (text === undefined) return new Map();
  const values = new Map<string, FileValue>();
  for (const [path, value] of listValues(parseToml(text, filePath))) {
    const key = path.join('.');
    const place = describePlace(filePath, findLine(text, path));
    checkKnown(key, place);
    values.set(key, { value, place });
  }
  return values;
}

async function readText(filePath: string): Promise<string | undefined> {
  try {
    const { size } = await stat(filePath);
    if (size <= MAX_FILE_BYTES) return await readFile(filePath, 'utf8');
  } catch (cause) {
    if (hasErrno(cause, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new WardianError('HOST_PERMISSION', `cannot read the configuration ${filePath}`, {
      cause,
      hint: 'mend its owner and mode, or remove it',
    });
  }
  throw new WardianError('CONFIG_INVALID', `${filePath} is longer than ${MAX_FILE_BYTES} bytes`);
}

function parseToml(text: string, filePath: string): Record<string, unknown> {
  try {
    return parse(text, { maxDepth: 8 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new WardianError('CONFIG_INVALID', `${describePlace(filePath, error.line)}: ${what}`, {
      hint: 'the file must be TOML: key = value, texts in quotes; see docs/configuration.md',
    });
  }
}

/** Values with their paths; what is a table in the file is looked into. */
function* listValues(
  table: Record<string, unknown>,
  above: readonly string[] = [],
): Generator<[readonly string[], unknown]> {
  for (const [name, value] of Object.entries(table)) {
    const path = [...above, name];
    // A group may have been given a value: then it is the value of a key that is not known.
    if (isTable(value) && isGroup(path.join('.'))) yield* listValues(value, path);
    else yield [path, value];
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isGroup(path: string): boolean {
  return SETTINGS.some(({ key }) => key.startsWith(`${path}.`));
}

function checkKnown(key: string, place: string): void {
  const keys = SETTINGS.map((setting) => setting.key);
  if (keys.includes(key)) return;
  // One that is right but for its table, or misspelt.
  const near = keys.find((known) => known.endsWith(`.${key}`)) ?? suggest(key, keys);
  throw new WardianError('CONFIG_INVALID', `${place}: there is no setting ${key.slice(0, 80)}`, {
    hint:
      near === undefined
        ? `the settings are ${keys.join(', ')}`
        : `did you mean ${near}? See docs/configuration.md`,
  });
}

/** Where a key is given its value: in its table, or dotted. Undefined when it is written in some odder way. */
function findLine(text: string, path: readonly string[]): number | undefined {
  let table: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) table = splitKey(header);
    const key = /^\s*((?:"[^"]*"|'[^']*'|[\w.\s-])+?)\s*=/.exec(line)?.[1];
    const here = key === undefined ? table : [...table, ...splitKey(key)];
    // An inline table, or one without a known key in it, stands for all that is below it.
    const isIt = here.join('.') === path.join('.');
    const isAround = key !== undefined && path.join('.').startsWith(`${here.join('.')}.`);
    if (isIt || isAround) return index + 1;
  }
  return undefined;
}

function splitKey(key: string): string[] {
  return key.split('.').map((part) => part.trim().replace(/^["']|["']$/g, ''));
}

function describePlace(filePath: string, line: number | undefined): string {
  return line === undefined ? filePath : `${filePath}, line ${line}`;
}
