import { WardianError } from '../../util/errors.ts';

// Checks of single values in a request: whatever connects to the socket may send anything. Each returns the value
// with its type, or throws USAGE with the name of the field.

/** A request whose fields nobody has looked at. */
export type Fields = Record<string, unknown>;

/** Arguments and environment that Linux takes for one process (execve(2): 2 MiB with the default stack). */
const MAX_LIST_BYTES = 2 * 1024 * 1024;
const MAX_LIST_ITEMS = 65_536;
const MAX_TEXT_BYTES = 128 * 1024;
const MAX_SIGNAL = 64;
/** struct winsize has 16 bits for each (ioctl_tty(2)). */
const MAX_TERMINAL_SIDE = 65_535;
const ID = /^[0-9a-f]{64}$/;

/** The error for a field that is not as it should be. */
export function wrong(field: string, what: string): WardianError {
  return new WardianError('USAGE', `${field} ${what}`);
}

/** An object that is no list. */
export function requireObject(value: unknown, field: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(field, 'must be an object');
}

/** True or false; absent is neither. */
export function requireBoolean(fields: Fields, field: string): boolean {
  const value = fields[field];
  if (typeof value === 'boolean') return value;
  throw wrong(field, 'must be true or false');
}

/** A field that must be a text, see checkText. */
export function requireText(fields: Fields, field: string): string {
  return checkText(fields[field], field);
}

/** A text that can be an argument of a process: bounded, and without NUL. */
export function checkText(value: unknown, field: string): string {
  if (typeof value !== 'string') throw wrong(field, 'must be a text');
  if (value.includes('\0')) throw wrong(field, 'has a NUL character');
  if (value.length > MAX_TEXT_BYTES)
    throw wrong(field, `is longer than ${MAX_TEXT_BYTES} characters`);
  return value;
}

/** An object with that field, or without it when it is absent: to be spread. */
export function optionalText<Name extends string>(
  fields: Fields,
  field: Name,
): { [K in Name]?: string } {
  const value = fields[field];
  return (value === undefined ? {} : { [field]: checkText(value, field) }) as {
    [K in Name]?: string;
  };
}

/** A list of texts that together fit into execve(2). */
export function requireList(value: unknown, field: string): string[] {
  if (!Array.isArray(value)) throw wrong(field, 'must be a list of texts');
  if (value.length > MAX_LIST_ITEMS) throw wrong(field, `has more than ${MAX_LIST_ITEMS} items`);
  const list = value.map((item, index) => checkText(item, `${field}[${index}]`));
  const sizeBytes = list.reduce((sum, item) => sum + Buffer.byteLength(item) + 1, 0);
  if (sizeBytes > MAX_LIST_BYTES) throw wrong(field, `has more than ${MAX_LIST_BYTES} bytes`);
  return list;
}

/** Like optionalText, for a list. */
export function optionalList<Name extends string>(
  fields: Fields,
  field: Name,
): { [K in Name]?: string[] } {
  const value = fields[field];
  return (value === undefined ? {} : { [field]: requireList(value, field) }) as {
    [K in Name]?: string[];
  };
}

type Range = readonly [least: number, most: number];

/** A number from `least` to `most`; NaN is none. */
export function requireNumber(value: unknown, field: string, [least, most]: Range): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw wrong(field, `must be a number from ${least} to ${most}`);
}

/** A whole number from `least` to `most`. */
export function requireInteger(value: unknown, field: string, range: Range): number {
  const number = requireNumber(value, field, range);
  if (Number.isInteger(number)) return number;
  throw wrong(field, 'must be a whole number');
}

/** An id that the client chose, of a container or of another process in one. */
export function requireId(value: unknown, field: string): string {
  if (typeof value === 'string' && ID.test(value)) return value;
  throw wrong(field, 'must be 64 hex digits');
}

/** The number of a signal that can be sent. */
export function requireSignal(value: unknown, field: string): number {
  return requireInteger(value, field, [1, MAX_SIGNAL]);
}

/** Rows and columns of a terminal; zero means unknown. */
export function parseTerminalSize(value: unknown): { rows: number; columns: number } {
  const { rows, columns } = requireObject(value, 'terminalSize');
  return {
    rows: requireInteger(rows, 'terminalSize.rows', [0, MAX_TERMINAL_SIDE]),
    columns: requireInteger(columns, 'terminalSize.columns', [0, MAX_TERMINAL_SIDE]),
  };
}

/** What `run` and `exec` say alike about the process. */
export function parseProcessFields(fields: Fields) {
  const { terminalSize } = fields;
  return {
    env: requireList(fields['env'], 'env'),
    ...optionalText(fields, 'workingDirectory'),
    ...optionalText(fields, 'user'),
    terminal: requireBoolean(fields, 'terminal'),
    ...(terminalSize === undefined ? {} : { terminalSize: parseTerminalSize(terminalSize) }),
    interactive: requireBoolean(fields, 'interactive'),
    detached: requireBoolean(fields, 'detached'),
  };
}
