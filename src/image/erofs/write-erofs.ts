import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Directory, Inode } from '../tree/inode.ts';
import { type Dirent, encodeDirectory } from './directory.ts';
import { BLOCK_SIZE, encodeDevice, encodeInode, putSuperblock, SLOT_SIZE } from './format.ts';
import { type ImagePlan, type PlannedInode, planImage } from './plan.ts';

export interface ErofsOptions {
  /** An empty file, opened for writing. */
  output: FileHandle;
  root: Directory;
  /** Bytes of a file's content; called with at most a megabyte at a time. */
  readContent(offset: number, length: number): Buffer;
  /** Called now and then, with the bytes of the image so far and those it will have; may throw to cancel. */
  onProgress?(doneBytes: number, totalBytes: number): void;
}

export interface ErofsResult {
  sizeBytes: number;
  /** sha256 of the whole image, in hex. */
  digest: string;
}

/** Bytes that are gathered to one write; at least a block, since the first one is finished before it is written. */
const CHUNK_BYTES = 1024 * 1024;

/** Image type bits of stat(2) and directory entry types (erofs_fs.h, EROFS_FT_*). */
const FILE_TYPES: Record<Inode['kind'], { mode: number; dirent: number }> = {
  file: { mode: 0o100000, dirent: 1 },
  directory: { mode: 0o040000, dirent: 2 },
  'character-device': { mode: 0o020000, dirent: 3 },
  'block-device': { mode: 0o060000, dirent: 4 },
  fifo: { mode: 0o010000, dirent: 5 },
  symlink: { mode: 0o120000, dirent: 7 },
};

/**
 * Writes a tree as an EROFS image, front to back, with no more in memory than the tree itself. Equal trees
 * give equal bytes. Layout: superblock and inodes (with attributes and short tails), then data blocks.
 */
export async function writeErofs(options: ErofsOptions): Promise<ErofsResult> {
  const plan = planImage(options.root);
  const sizeBytes = plan.blockCount * BLOCK_SIZE;
  const sink = new BlockSink(options.output, (done) => options.onProgress?.(done, sizeBytes));
  sink.finishFirstBlock = (block) =>
    putSuperblock(block, {
      rootNid: plan.inodes[0]?.nid ?? 0,
      inodeCount: plan.inodes.length,
      blockCount: plan.blockCount,
      buildTimeSeconds: plan.buildTimeSeconds,
    });
  for (const planned of plan.inodes) await writeInode(sink, planned, plan, options);
  await sink.padToBlock();
  for (const planned of plan.inodes) await writeBlocks(sink, planned, plan, options);
  return { sizeBytes, digest: await sink.finish() };
}

async function writeInode(
  sink: BlockSink,
  planned: PlannedInode,
  plan: ImagePlan,
  options: ErofsOptions,
): Promise<void> {
  const { inode } = planned;
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = inode.attributes;
  await sink.padTo(planned.nid * SLOT_SIZE);
  await sink.write(
    encodeInode({
      compact: planned.compact,
      layout: planned.layout,
      xattrBytes: planned.xattrs.length,
      mode: FILE_TYPES[inode.kind].mode | mode,
      linkCount: planned.linkCount,
      sizeBytes: planned.sizeBytes,
      address: findAddress(planned),
      serial: planned.serial,
      uid,
      gid,
      mtimeSeconds,
      mtimeNanoseconds,
    }),
  );
  await sink.write(planned.xattrs);
  const start = planned.sizeBytes - planned.tailBytes;
  for (const data of readData(planned, { start, end: planned.sizeBytes }, plan, options)) {
    await sink.write(data);
  }
}

async function writeBlocks(
  sink: BlockSink,
  planned: PlannedInode,
  plan: ImagePlan,
  options: ErofsOptions,
): Promise<void> {
  if (planned.blockCount === 0) return;
  const end = planned.sizeBytes - planned.tailBytes;
  for (const data of readData(planned, { start: 0, end }, plan, options)) await sink.write(data);
  await sink.padToBlock();
}

function findAddress({ inode, blockAddress }: PlannedInode): number {
  const isDevice = inode.kind === 'character-device' || inode.kind === 'block-device';
  return isDevice ? encodeDevice(inode.major, inode.minor) : blockAddress;
}

/** A part of what the file, folder or link holds. */
function* readData(
  planned: PlannedInode,
  range: { start: number; end: number },
  plan: ImagePlan,
  options: ErofsOptions,
): Generator<Buffer> {
  const { inode } = planned;
  if (range.start === range.end) return;
  if (inode.kind === 'symlink') {
    yield Buffer.from(inode.target, 'latin1').subarray(range.start, range.end);
  } else if (inode.kind === 'directory') {
    yield* cut(encodeDirectory(listDirents(planned, plan), planned.nameCounts), range);
  } else if (inode.kind === 'file') {
    for (let offset = range.start; offset < range.end; offset += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, range.end - offset);
      yield options.readContent(inode.content.offset + offset, length);
    }
  }
}

function* cut(chunks: Iterable<Buffer>, range: { start: number; end: number }): Generator<Buffer> {
  let offset = 0;
  for (const chunk of chunks) {
    const start = Math.max(range.start - offset, 0);
    const part = chunk.subarray(start, Math.max(range.end - offset, 0));
    offset += chunk.length;
    if (part.length > 0) yield part;
  }
}

function listDirents(planned: PlannedInode, plan: ImagePlan): Dirent[] {
  const directory = planned.inode as Directory;
  return planned.names.map((name) => {
    const inode = directory.children.get(name)?.inode;
    const target = inode === undefined ? undefined : plan.byInode.get(inode);
    if (target !== undefined) return newDirent(name, target);
    return newDirent(name, name === '..' ? (planned.parent ?? planned) : planned);
  });
}

function newDirent(name: string, target: PlannedInode): Dirent {
  return { name, nid: target.nid, fileType: FILE_TYPES[target.inode.kind].dirent };
}

/** Gathers small pieces to large writes and computes the digest of all of them. */
class BlockSink {
  /** Completes the image's first block before it leaves. */
  finishFirstBlock: (block: Buffer) => void = () => {};
  readonly #output: FileHandle;
  readonly #onWritten: (doneBytes: number) => void;
  readonly #hash = createHash('sha256');
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #used = 0;
  #written = 0;

  constructor(output: FileHandle, onWritten: (doneBytes: number) => void) {
    this.#output = output;
    this.#onWritten = onWritten;
  }

  async write(data: Uint8Array): Promise<void> {
    for (let taken = 0; taken < data.length; ) {
      const part = data.subarray(taken, taken + CHUNK_BYTES - this.#used);
      this.#chunk.set(part, this.#used);
      this.#used += part.length;
      taken += part.length;
      if (this.#used === CHUNK_BYTES) await this.#flush();
    }
  }

  async padTo(offset: number): Promise<void> {
    await this.write(Buffer.alloc(offset - this.#written - this.#used));
  }

  async padToBlock(): Promise<void> {
    const position = this.#written + this.#used;
    await this.padTo(Math.ceil(position / BLOCK_SIZE) * BLOCK_SIZE);
  }

  async finish(): Promise<string> {
    await this.#flush();
    return this.#hash.digest('hex');
  }

  async #flush(): Promise<void> {
    if (this.#written === 0) this.finishFirstBlock(this.#chunk);
    const data = this.#chunk.subarray(0, this.#used);
    this.#hash.update(data);
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await this.#output.write(data, done);
      done += bytesWritten;
    }
    this.#written += this.#used;
    this.#used = 0;
    this.#onWritten(this.#written);
  }
}
