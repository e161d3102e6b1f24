import { WardianError } from '../../util/errors.ts';
import type { ResourceLimits, RunRequest } from '../api.ts';

/** Arguments and environment that Linux takes for one process (execve(2): 2 MiB with the default stack). */
const MAX_LIST_BYTES = 2 * 1024 * 1024;
const MAX_LIST_ITEMS = 65_536;
const MAX_TEXT_BYTES = 128 * 1024;
const MAX_SIGNAL = 64;
const CONTAINER_ID = /^[0-9a-f]{64}$/;

type Fields = Record<string, unknown>;

/** Checks a run request field by field: whatever connects to the socket may send anything. */
export function parseRunRequest(value: unknown): RunRequest {
  const fields = requireObject(value, 'request');
  const { id } = fields;
  if (typeof id !== 'string' || !CONTAINER_ID.test(id)) throw wrong('id', 'must be 64 hex digits');
  if (fields['network'] !== 'none') throw wrong('network', 'can only be "none" for now');
  const terminalSize = parseTerminalSize(fields['terminalSize']);
  return {
    id,
    image: requireText(fields, 'image'),
    ...optionalText(fields, 'name'),
    ...optionalList(fields, 'command'),
    ...optionalList(fields, 'entrypoint'),
    env: requireList(fields['env'], 'env'),
    ...optionalText(fields, 'workingDirectory'),
    ...optionalText(fields, 'user'),
    ...optionalText(fields, 'hostname'),
    terminal: requireBoolean(fields, 'terminal'),
    ...(terminalSize === undefined ? {} : { terminalSize }),
    interactive: requireBoolean(fields, 'interactive'),
    autoRemove: requireBoolean(fields, 'autoRemove'),
    detached: requireBoolean(fields, 'detached'),
    readOnly: requireBoolean(fields, 'readOnly'),
    tmpfs: parseTmpfs(fields['tmpfs']),
    network: 'none',
    labels: parseLabels(fields['labels']),
    ...parseStopSignal(fields['stopSignal']),
    limits: parseLimits(fields['limits']),
    template: requireBoolean(fields, 'template'),
  };
}

/** Checks limits: positive, and no more than a machine can have. */
function parseLimits(value: unknown): ResourceLimits {
  const fields = requireObject(value, 'limits');
  const limits: ResourceLimits = {};
  const { cpus, memoryBytes, pids } = fields;
  if (cpus !== undefined) limits.cpus = requireNumber(cpus, 'limits.cpus', 0.01, 255);
  if (memoryBytes !== undefined) {
    limits.memoryBytes = requireInteger(
      memoryBytes,
      'a memory limit in bytes',
      4 * 2 ** 20,
      2 ** 44,
    );
  }
  if (pids !== undefined) limits.pids = requireInteger(pids, 'limits.pids', 1, 4_194_304);
  return limits;
}

function wrong(field: string, what: string): WardianError {
  return new WardianError('USAGE', `${field} ${what}`);
}

function requireObject(value: unknown, field: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(field, 'must be an object');
}

function requireBoolean(fields: Fields, field: string): boolean {
  const value = fields[field];
  if (typeof value === 'boolean') return value;
  throw wrong(field, 'must be true or false');
}

function requireText(fields: Fields, field: string): string {
  return checkText(fields[field], field);
}

function checkText(value: unknown, field: string): string {
  if (typeof value !== 'string') throw wrong(field, 'must be a text');
  if (value.includes('\0')) throw wrong(field, 'has a NUL character');
  if (value.length > MAX_TEXT_BYTES)
    throw wrong(field, `is longer than ${MAX_TEXT_BYTES} characters`);
  return value;
}

function optionalText<Name extends string>(fields: Fields, field: Name): { [K in Name]?: string } {
  const value = fields[field];
  return (value === undefined ? {} : { [field]: checkText(value, field) }) as {
    [K in Name]?: string;
  };
}

function requireList(value: unknown, field: string): string[] {
  if (!Array.isArray(value)) throw wrong(field, 'must be a list of texts');
  if (value.length > MAX_LIST_ITEMS) throw wrong(field, `has more than ${MAX_LIST_ITEMS} items`);
  const list = value.map((item, index) => checkText(item, `${field}[${index}]`));
  const sizeBytes = list.reduce((sum, item) => sum + Buffer.byteLength(item) + 1, 0);
  if (sizeBytes > MAX_LIST_BYTES) throw wrong(field, `has more than ${MAX_LIST_BYTES} bytes`);
  return list;
}

function optionalList<Name extends string>(
  fields: Fields,
  field: Name,
): { [K in Name]?: string[] } {
  const value = fields[field];
  return (value === undefined ? {} : { [field]: requireList(value, field) }) as {
    [K in Name]?: string[];
  };
}

function parseTerminalSize(value: unknown): { rows: number; columns: number } | undefined {
  if (value === undefined) return undefined;
  const { rows, columns } = requireObject(value, 'terminalSize');
  return {
    rows: requireInteger(rows, 'terminalSize.rows', 0, 65_535),
    columns: requireInteger(columns, 'terminalSize.columns', 0, 65_535),
  };
}

function parseTmpfs(value: unknown): { destination: string; options: string }[] {
  if (!Array.isArray(value)) throw wrong('tmpfs', 'must be a list');
  return value.map((item, index) => {
    const fields = requireObject(item, `tmpfs[${index}]`);
    const destination = requireText(fields, 'destination');
    if (!destination.startsWith('/'))
      throw wrong(`tmpfs[${index}].destination`, 'must be absolute');
    return { destination, options: requireText(fields, 'options') };
  });
}

function parseLabels(value: unknown): Record<string, string> {
  const entries = Object.entries(requireObject(value, 'labels'));
  return Object.fromEntries(entries.map(([key, text]) => [key, checkText(text, `labels.${key}`)]));
}

function parseStopSignal(value: unknown): { stopSignal?: number } {
  if (value === undefined) return {};
  return { stopSignal: requireInteger(value, 'stopSignal', 1, MAX_SIGNAL) };
}

function requireNumber(value: unknown, field: string, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw wrong(field, `must be a number from ${least} to ${most}`);
}

function requireInteger(value: unknown, field: string, least: number, most: number): number {
  const number = requireNumber(value, field, least, most);
  if (Number.isInteger(number)) return number;
  throw wrong(field, 'must be a whole number');
}
