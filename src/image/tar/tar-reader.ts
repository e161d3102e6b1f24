import { invalidImage, showName } from '../image-errors.ts';
import { ByteReader, type ByteSource } from './byte-reader.ts';
import { applyPax, parsePax, readPaxTime, readPaxXattrs, refuseSparse, type Xattr } from './pax.ts';
import { BLOCK_SIZE, parseHeader, refuseType, type TarHeader } from './tar-header.ts';

export type EntryKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hard-link'
  | 'character-device'
  | 'block-device'
  | 'fifo';

/** One entry of an archive; names and link targets are byte strings (one character per byte), as they stand there. */
export interface TarEntry {
  readonly name: string;
  readonly linkName: string;
  readonly kind: EntryKind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: readonly Xattr[];
  /** Where the content begins in the archive. */
  readonly offset: number;
  /** The content; what is not read is passed over. */
  readonly content: AsyncIterable<Buffer>;
}

/** Long names and extended attributes of one entry; Linux allows far less for both together. */
const MAX_EXTENSION_BYTES = 1024 * 1024;

/** Metadata headers in front of one entry: a long name, a long link and a pax header are all there can be. */
const MAX_EXTENSIONS = 8;

const KINDS: Record<string, EntryKind> = {
  '0': 'file',
  '7': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

/**
 * Reads a tar archive as a stream: ustar, pax and GNU long names. It is our own because the libraries for
 * Node decode pax values as UTF-8, which destroys binary attributes (capabilities) and names in other
 * encodings, and because every length here comes from a stranger.
 * `label` names the archive in errors. A sound archive is read to its end, what follows the end mark included.
 */
export async function* readTar(source: ByteSource, label: string): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source, label);
  try {
    for (let entry = await readEntry(reader, label); entry !== undefined; ) {
      yield entry;
      const end = entry.offset + entry.sizeBytes;
      await reader.skip(end - reader.position + padding(end));
      entry = await readEntry(reader, label);
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

async function readEntry(reader: ByteReader, label: string): Promise<TarEntry | undefined> {
  const pax = new Map<string, Buffer>();
  for (let extensions = 0; extensions <= MAX_EXTENSIONS; extensions++) {
    const header = await readHeader(reader, label);
    if (header === undefined) return undefined;
    if (!'xgLK'.includes(header.type)) return makeEntry(reader, header, pax, label);
    const data = await readExtension(reader, header, label);
    collectExtension(header.type, data, pax, label);
  }
  throw invalidImage(`${label} has too many extended headers in a row`);
}

async function readHeader(reader: ByteReader, label: string): Promise<TarHeader | undefined> {
  const block = await reader.read(BLOCK_SIZE);
  // Some writers leave out the end mark; the digest tells whether something was cut off.
  return block === undefined ? undefined : parseHeader(block, label);
}

async function readExtension(
  reader: ByteReader,
  header: TarHeader,
  label: string,
): Promise<Buffer> {
  if (header.size > MAX_EXTENSION_BYTES) {
    throw invalidImage(`${label} has an extended header of ${header.size} bytes`);
  }
  const data = await reader.read(header.size);
  if (data === undefined) throw invalidImage(`${label} ends in the middle of an extended header`);
  await reader.skip(padding(header.size));
  return data;
}

function collectExtension(
  type: string,
  data: Buffer,
  pax: Map<string, Buffer>,
  label: string,
): void {
  // Global headers ('g') carry comments of the writer (git's commit id); engines leave them aside too.
  if (type === 'g') return;
  if (type === 'x') {
    for (const [key, value] of parsePax(data, label)) pax.set(key, value);
    return;
  }
  const end = data.indexOf(0);
  pax.set(type === 'L' ? 'path' : 'linkpath', end < 0 ? data : data.subarray(0, end));
}

function makeEntry(
  reader: ByteReader,
  header: TarHeader,
  pax: ReadonlyMap<string, Buffer>,
  label: string,
): TarEntry {
  applyPax(header, pax, label);
  refuseSparse(header, pax, label);
  const kind = findKind(header, label);
  const mtime = readPaxTime(header, pax, label);
  const sizeBytes = kind === 'file' ? header.size : 0;
  return {
    name: header.name,
    linkName: header.linkName,
    kind,
    mode: header.mode & 0o7777,
    uid: checkId(header, 'uid', label),
    gid: checkId(header, 'gid', label),
    sizeBytes,
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: readPaxXattrs(pax),
    offset: reader.position,
    content: reader.slices(sizeBytes),
  };
}

function findKind(header: TarHeader, label: string): EntryKind {
  const kind = KINDS[header.type] ?? refuseType(header.type, header.name, label);
  // Archives older than POSIX mark a folder by a slash at its end only.
  return kind === 'file' && header.name.endsWith('/') ? 'directory' : kind;
}

function checkId(header: TarHeader, field: 'uid' | 'gid', label: string): number {
  const id = header[field];
  // The highest one means "no id" to the kernel.
  if (id < 0xffff_ffff) return id;
  throw invalidImage(`${label}: the entry ${showName(header.name)} has the ${field} ${id}`);
}

/** Bytes up to the next block. */
function padding(position: number): number {
  return (BLOCK_SIZE - (position % BLOCK_SIZE)) % BLOCK_SIZE;
}
