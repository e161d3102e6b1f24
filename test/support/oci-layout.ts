import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** An entry of a tar archive as a test wants it, hostile ones included; absent fields get harmless values. */
export interface TestEntry {
  name: string;
  /** Type flag, '0' (a file) unless given. */
  type?: string;
  content?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  linkName?: string;
  major?: number;
  minor?: number;
  /** Stated instead of the content's own length. */
  size?: number;
  /** Records of an extended header in front of the entry. */
  pax?: Record<string, string | Buffer>;
}

export interface TestLayer {
  /** As it is stored in the layout. */
  blob: Buffer;
  mediaType: string;
  diffId: string;
}

export interface TestDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
  platform?: { os: string; architecture: string; variant?: string };
}

export type TestFiles = Map<string, Buffer>;

const BLOCK = 512;
const OCI = 'application/vnd.oci.image';

/** Makes a tar archive, byte by byte as the entries say. */
export function makeTar(entries: readonly TestEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(makeEntry), Buffer.alloc(2 * BLOCK)]);
}

export function makeLayer(tar: Buffer, compression: 'none' | 'gzip' = 'gzip'): TestLayer {
  const isPlain = compression === 'none';
  return {
    blob: isPlain ? tar : gzipSync(tar),
    mediaType: `${OCI}.layer.v1.tar${isPlain ? '' : '+gzip'}`,
    diffId: sha256(tar),
  };
}

export interface TestImage {
  layers: readonly TestLayer[];
  /** The `config` object of the configuration document. */
  config?: object;
  architecture?: string;
  refName?: string;
}

/** Adds an image's blobs to the files of a layout; gives its descriptor for an index. */
export function addImage(files: TestFiles, image: TestImage): TestDescriptor {
  const config = addBlob(
    files,
    Buffer.from(
      JSON.stringify({
        created: '2024-01-02T03:04:05Z',
        os: 'linux',
        architecture: image.architecture ?? 'amd64',
        config: image.config ?? {},
        rootfs: { type: 'layers', diff_ids: image.layers.map(({ diffId }) => diffId) },
      }),
    ),
    `${OCI}.config.v1+json`,
  );
  const layers = image.layers.map(({ blob, mediaType }) => addBlob(files, blob, mediaType));
  const manifest = { schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers };
  const descriptor = addBlob(files, Buffer.from(JSON.stringify(manifest)), manifest.mediaType);
  if (image.refName === undefined) return descriptor;
  return {
    ...descriptor,
    annotations: { 'org.opencontainers.image.ref.name': image.refName },
  };
}

export function addBlob(files: TestFiles, data: Buffer, mediaType: string): TestDescriptor {
  const digest = sha256(data);
  files.set(`blobs/sha256/${digest.slice('sha256:'.length)}`, data);
  return { mediaType, digest, size: data.length };
}

export function addIndex(files: TestFiles, manifests: readonly TestDescriptor[]): void {
  files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
}

/** The files of a layout with one image. */
export function makeLayout(image: TestImage): TestFiles {
  const files: TestFiles = new Map();
  addIndex(files, [addImage(files, image)]);
  return files;
}

export async function writeFolder(folder: string, files: TestFiles): Promise<string> {
  for (const [name, data] of files) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), data);
  }
  return folder;
}

/** The same files as an archive. */
export function makeArchive(files: TestFiles): Buffer {
  return makeTar([...files].map(([name, content]) => ({ name, content })));
}

export function sha256(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

function makeEntry(entry: TestEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? '');
  const main = [makeHeader(entry, entry.size ?? content.length), pad(content)];
  if (entry.pax === undefined) return main;
  const records = Buffer.concat(
    Object.entries(entry.pax).map(([key, value]) => makePaxRecord(key, Buffer.from(value))),
  );
  return [makeHeader({ name: 'pax', type: 'x' }, records.length), pad(records), ...main];
}

function makeHeader(entry: TestEntry, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  header.write(entry.name, 0, 100, 'latin1');
  octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  header.write('        ', 148, 'latin1');
  header.write(entry.type ?? '0', 156, 1, 'latin1');
  header.write(entry.linkName ?? '', 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** The length counts its own digits. */
function makePaxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function pad(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}
