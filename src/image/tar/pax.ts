import { invalidImage, showName, unsupportedImage } from '../image-errors.ts';
import type { TarHeader } from './tar-header.ts';

/** An extended attribute: its full name (`security.capability`) and its value, which may be any bytes. */
export interface Xattr {
  readonly name: string;
  readonly value: Buffer;
}

const XATTR_PREFIX = 'SCHILY.xattr.';
const SPARSE_PREFIX = 'GNU.sparse.';

/**
 * Reads the records `<length> <key>=<value>\n` of a pax extended header (pax(1), "pax Extended Header").
 * Values stay bytes: capabilities are binary, and file names need not be UTF-8.
 */
export function parsePax(data: Buffer, label: string): Map<string, Buffer> {
  const values = new Map<string, Buffer>();
  let start = 0;
  while (start < data.length) {
    const blank = data.indexOf(0x20, start);
    const digits = blank < 0 ? '' : data.toString('latin1', start, blank);
    const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0;
    const end = start + length;
    const equals = data.indexOf(0x3d, blank);
    const whole = length > 0 && end <= data.length && data[end - 1] === 0x0a;
    if (!whole || equals < 0 || equals >= end) {
      throw invalidImage(`${label} has a malformed extended header`);
    }
    values.set(data.toString('latin1', blank + 1, equals), data.subarray(equals + 1, end - 1));
    start = end;
  }
  return values;
}

/** Puts the records in the place of the header's fields; an empty value means the field as it is. */
export function applyPax(header: TarHeader, pax: ReadonlyMap<string, Buffer>, label: string): void {
  header.name = readPath(pax, 'path', header, label) ?? header.name;
  header.linkName = readPath(pax, 'linkpath', header, label) ?? header.linkName;
  for (const field of ['size', 'uid', 'gid'] as const) {
    const text = pax.get(field)?.toString('latin1');
    if (text === undefined || text === '') continue;
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw badRecord(header.name, field, label);
    header[field] = value;
  }
}

/** Seconds and nanoseconds of the record `mtime` (`-12.5` is 13 seconds before 1970 and half a second on). */
export function readPaxTime(
  header: TarHeader,
  pax: ReadonlyMap<string, Buffer>,
  label: string,
): { seconds: number; nanoseconds: number } {
  const text = pax.get('mtime')?.toString('latin1');
  if (text === undefined || text === '') return { seconds: header.mtimeSeconds, nanoseconds: 0 };
  const parts = /^(-?)([0-9]{1,15})(?:\.([0-9]{0,30}))?$/.exec(text);
  if (parts === null) throw badRecord(header.name, 'mtime', label);
  const seconds = Number(parts[2]);
  const nanoseconds = Number((parts[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (parts[1] === '') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

/** The extended attributes, by name, so that equal entries give equal lists. */
export function readPaxXattrs(pax: ReadonlyMap<string, Buffer>): readonly Xattr[] {
  const xattrs: Xattr[] = [];
  for (const [key, value] of pax) {
    if (!key.startsWith(XATTR_PREFIX)) continue;
    // A copy: the record's buffer is a window on a chunk that would live as long as the value.
    xattrs.push({ name: key.slice(XATTR_PREFIX.length), value: Buffer.from(value) });
  }
  return xattrs.sort((one, other) => (one.name < other.name ? -1 : 1));
}

export function refuseSparse(
  header: TarHeader,
  pax: ReadonlyMap<string, Buffer>,
  label: string,
): void {
  for (const key of pax.keys()) {
    if (!key.startsWith(SPARSE_PREFIX)) continue;
    throw unsupportedImage(
      `${label}: the entry ${showName(header.name)} is stored as a sparse file`,
      'make the image without sparse files (tar without --sparse)',
    );
  }
}

function readPath(
  pax: ReadonlyMap<string, Buffer>,
  key: string,
  header: TarHeader,
  label: string,
): string | undefined {
  const value = pax.get(key)?.toString('latin1');
  if (value === undefined || value === '') return undefined;
  if (value.includes('\0')) throw badRecord(header.name, key, label);
  return value;
}

function badRecord(name: string, key: string, label: string): Error {
  return invalidImage(`${label}: the entry ${showName(name)} has an invalid record ${key}`);
}
