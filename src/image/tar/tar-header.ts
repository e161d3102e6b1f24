import { invalidImage, showName, unsupportedImage } from '../image-errors.ts';

export const BLOCK_SIZE = 512;

/** The fixed fields of one header block; names are byte strings (one character per byte). */
export interface TarHeader {
  name: string;
  linkName: string;
  /** The type flag, one character. */
  type: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtimeSeconds: number;
  deviceMajor: number;
  deviceMinor: number;
}

/** Field positions of POSIX.1-1988 ustar, which all later dialects keep (pax(1), "ustar Interchange Format"). */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 6],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;

type Field = keyof typeof FIELDS;

/** Reads a header block and checks its sum; undefined for the block of zeros that ends an archive. */
export function parseHeader(block: Buffer, label: string): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  checkSum(block, label);
  const number = (field: Field) => readNumber(block, field, label);
  return {
    name: readName(block),
    linkName: readText(block, 'linkName'),
    type: readText(block, 'type') || '0',
    mode: number('mode'),
    uid: number('uid'),
    gid: number('gid'),
    size: number('size'),
    mtimeSeconds: number('mtime'),
    deviceMajor: number('deviceMajor'),
    deviceMinor: number('deviceMinor'),
  };
}

function readName(block: Buffer): string {
  const name = readText(block, 'name');
  // GNU's older dialect ("ustar  ") keeps times where POSIX has the prefix.
  const prefix = readText(block, 'magic') === 'ustar' ? readText(block, 'prefix') : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function readText(block: Buffer, field: Field): string {
  const [start, length] = FIELDS[field];
  const text = block.toString('latin1', start, start + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Octal digits, or a big-endian two's complement number behind a set top bit (GNU, for what octal cannot hold). */
function readNumber(block: Buffer, field: Field, label: string): number {
  const [start, length] = FIELDS[field];
  const first = block[start] ?? 0;
  const value = first >= 0x80 ? readBinary(block, start, length) : readOctal(block, field);
  if (Number.isSafeInteger(value) && (value >= 0 || field === 'mtime')) return value;
  const name = showName(readText(block, 'name'));
  throw invalidImage(`${label}: the entry ${name} has no valid ${field} in its header`);
}

function readOctal(block: Buffer, field: Field): number {
  const text = readText(block, field).trim();
  if (text === '') return 0;
  return /^-?[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function readBinary(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? first - 0x100 : first & 0x7f);
  for (let index = start + 1; index < start + length; index++) {
    value = value * 256n + BigInt(block[index] ?? 0);
  }
  return Number(value);
}

/** The sum of all bytes with the sum's own field as blanks; some old writers summed signed bytes. */
function checkSum(block: Buffer, label: string): void {
  const [start, length] = FIELDS.checksum;
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < BLOCK_SIZE; index++) {
    const inField = index >= start && index < start + length;
    const byte = inField ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const stated = readOctal(block, 'checksum');
  if (stated === unsigned || stated === signed) return;
  throw invalidImage(`${label} is not a tar archive, or damaged: a header has a wrong checksum`);
}

/** Type flags that hold a file's content in pieces or belong to backups; no image builder writes them. */
export function refuseType(type: string, name: string, label: string): never {
  throw unsupportedImage(
    `${label}: the entry ${showName(name)} is of tar type ${JSON.stringify(type)}`,
    'make the image without sparse files and multi-volume archives (tar without --sparse)',
  );
}
