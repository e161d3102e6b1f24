import { unsupportedImage } from '../image-errors.ts';
import type { Xattr } from '../tar/pax.ts';

const HEADER_SIZE = 12;
const ENTRY_SIZE = 4;

/** XATTR_NAME_MAX and XATTR_SIZE_MAX of Linux (the length field ends one before the latter). */
const MAX_NAME_BYTES = 255;
const MAX_VALUE_BYTES = 65535;

/** Of one file; ext4 allows far less. */
const MAX_TOTAL_BYTES = 128 * 1024;

/** Prefixes are stored as numbers (erofs_fs.h, EROFS_XATTR_INDEX_*). The ACLs are whole names. */
const PREFIXES: readonly { index: number; prefix: string; whole?: true }[] = [
  { index: 1, prefix: 'user.' },
  { index: 2, prefix: 'system.posix_acl_access', whole: true },
  { index: 3, prefix: 'system.posix_acl_default', whole: true },
  { index: 4, prefix: 'trusted.' },
  { index: 6, prefix: 'security.' },
];

/**
 * Encodes the attributes that stand behind an inode; empty when there are none. Names outside the kernel's
 * name spaces are left out, as they are when engines unpack an image onto a file system without them.
 */
export function encodeXattrs(xattrs: readonly Xattr[]): Buffer {
  const entries = xattrs.map(encodeEntry).filter((entry) => entry !== undefined);
  if (entries.length === 0) return Buffer.alloc(0);
  const data = Buffer.concat([Buffer.alloc(HEADER_SIZE), ...entries]);
  if (data.length > MAX_TOTAL_BYTES) throw tooLarge(`${data.length} bytes of extended attributes`);
  return data;
}

function encodeEntry({ name, value }: Xattr): Buffer | undefined {
  const match = PREFIXES.find(({ prefix, whole }) =>
    whole === true ? name === prefix : name.startsWith(prefix) && name.length > prefix.length,
  );
  if (match === undefined) return undefined;
  const rest = Buffer.from(name.slice(match.prefix.length), 'latin1');
  if (rest.length > MAX_NAME_BYTES) throw tooLarge(`an attribute name of ${name.length} bytes`);
  if (value.length > MAX_VALUE_BYTES) throw tooLarge(`an attribute of ${value.length} bytes`);
  const length = ENTRY_SIZE + rest.length + value.length;
  const entry = Buffer.alloc(Math.ceil(length / 4) * 4);
  entry.writeUInt8(rest.length, 0);
  entry.writeUInt8(match.index, 1);
  entry.writeUInt16LE(value.length, 2);
  rest.copy(entry, ENTRY_SIZE);
  value.copy(entry, ENTRY_SIZE + rest.length);
  return entry;
}

function tooLarge(what: string): Error {
  return unsupportedImage(
    `a file of the image has ${what}`,
    'make the image without that attribute: Linux could not store it either',
  );
}
