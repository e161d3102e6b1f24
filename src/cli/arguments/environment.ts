import { closeSync, openSync, readSync } from 'node:fs';
import { hasErrno, WardianError } from '../../util/errors.ts';
import { splitPair } from './values.ts';

type HostEnvironment = Readonly<Record<string, string | undefined>>;

/** A file of variables or labels is small; a larger one is a mistake (or a device). */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Variables from --env-file and --env, later ones over earlier ones, --env over files. */
export function collectEnvironment(
  variables: readonly string[],
  files: readonly string[],
  host: HostEnvironment,
): string[] {
  const collected = new Map<string, string>();
  for (const file of files) {
    for (const line of readLines(file)) addVariable(collected, line.trimStart(), host, file);
  }
  for (const variable of variables) addVariable(collected, variable, host, '--env');
  return [...collected].map(([name, value]) => `${name}=${value}`);
}

/** `NAME=value`, `NAME` (the host's value, if it has one) or `PREFIX*` (all of the host's that begin so). */
function addVariable(
  collected: Map<string, string>,
  text: string,
  host: HostEnvironment,
  source: string,
): void {
  const { name, value } = splitPair(text);
  if (name === '' || name.includes('\0')) {
    throw new WardianError('USAGE', `${source}: ${JSON.stringify(text)} names no variable`);
  }
  if (value !== undefined) {
    collected.set(name, value);
    return;
  }
  const isPrefix = name.endsWith('*');
  for (const [hostName, hostValue] of Object.entries(host)) {
    const matches = isPrefix ? hostName.startsWith(name.slice(0, -1)) : hostName === name;
    if (matches && hostValue !== undefined) collected.set(hostName, hostValue);
  }
}

/** The lines of --env-file and --label-file: blank ones and comments (`#`) left out. */
export function readLines(file: string): string[] {
  let bytes: Buffer;
  try {
    bytes = readAtMost(file, MAX_FILE_BYTES + 1);
  } catch (cause) {
    const code = hasErrno(cause, 'ENOENT', 'ENOTDIR') ? 'PATH_NOT_FOUND' : 'HOST_PERMISSION';
    throw new WardianError(code, `cannot read ${file}`, { cause });
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw new WardianError('USAGE', `${file} is longer than ${MAX_FILE_BYTES} bytes`);
  }
  return bytes
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
}

/** The beginning of a file, which may be a pipe, or a device that never ends. */
function readAtMost(file: string, maxBytes: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(maxBytes);
    let length = 0;
    for (let read = 1; read > 0 && length < maxBytes; length += read) {
      read = readSync(descriptor, buffer, length, maxBytes - length, null);
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
