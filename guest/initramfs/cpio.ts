/**
 * Writes the one archive format that the kernel unpacks into its first root file system:
 * cpio "newc" (Documentation/driver-api/early-userspace/buffer-format.rst).
 * Reproducible: entries are sorted, owned by root, dated 1970 and numbered in order.
 */

export type CpioEntry = {
  /** Relative, without a leading slash. Parents must be entries too. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
} & (
  | { readonly type: 'directory' }
  | { readonly type: 'file'; readonly content: Buffer }
  | { readonly type: 'symlink'; readonly target: string }
  | { readonly type: 'character-device'; readonly major: number; readonly minor: number }
);

const TYPE_BITS = {
  directory: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
  'character-device': 0o020000,
} as const;

/** The archive of these entries, its trailer included. Throws when an entry's folder is missing. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  checkPaths(sorted);
  const pieces = sorted.flatMap((entry, index) => encodeEntry(entry, index + 1));
  return Buffer.concat([...pieces, ...encodeRecord('TRAILER!!!', {}, Buffer.alloc(0))]);
}

function checkPaths(sorted: readonly CpioEntry[]): void {
  const folders = new Set(['']);
  const seen = new Set<string>();
  for (const { path, type } of sorted) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (!folders.has(parent)) throw new Error(`initramfs: ${path} stands in no folder`);
    if (seen.has(path)) throw new Error(`initramfs: ${path} is there twice`);
    seen.add(path);
    if (type === 'directory') folders.add(path);
  }
}

function encodeEntry(entry: CpioEntry, inode: number): Buffer[] {
  const isDevice = entry.type === 'character-device';
  const fields = {
    inode,
    mode: TYPE_BITS[entry.type] | entry.mode,
    links: entry.type === 'directory' ? 2 : 1,
    deviceMajor: isDevice ? entry.major : 0,
    deviceMinor: isDevice ? entry.minor : 0,
  };
  return encodeRecord(entry.path, fields, contentOf(entry));
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.type === 'file') return entry.content;
  if (entry.type === 'symlink') return Buffer.from(entry.target);
  return Buffer.alloc(0);
}

interface RecordFields {
  inode?: number;
  mode?: number;
  links?: number;
  deviceMajor?: number;
  deviceMinor?: number;
}

function encodeRecord(name: string, fields: RecordFields, content: Buffer): Buffer[] {
  const header = [
    fields.inode ?? 0,
    fields.mode ?? 0,
    0, // uid
    0, // gid
    fields.links ?? 1,
    0, // modification time
    content.length,
    0, // device of the file, major
    0, // and minor
    fields.deviceMajor ?? 0,
    fields.deviceMinor ?? 0,
    Buffer.byteLength(name) + 1,
    0, // checksum, unused in this format
  ];
  const text = `070701${header.map((value) => value.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return [padToFour(Buffer.from(text)), padToFour(content)];
}

function padToFour(bytes: Buffer): Buffer {
  const padding = -bytes.length & 3;
  return padding === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(padding)]);
}
