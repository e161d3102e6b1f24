import type { Directory, Inode } from '../tree/inode.ts';
import { packNames } from './directory.ts';
import {
  BLOCK_SIZE,
  COMPACT_INODE_SIZE,
  EXTENDED_INODE_SIZE,
  LAYOUT_INLINE,
  LAYOUT_PLAIN,
  SLOT_SIZE,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
} from './format.ts';
import { encodeXattrs } from './xattrs.ts';

/** Where one inode and its data will stand in the image. */
export interface PlannedInode {
  readonly inode: Inode;
  readonly parent: PlannedInode | undefined;
  /** Counted from 1 in the order of the walk. */
  readonly serial: number;
  linkCount: number;
  sizeBytes: number;
  compact: boolean;
  layout: number;
  xattrs: Buffer;
  /** Position of the inode, in slots. */
  nid: number;
  /** Bytes that follow the inode and its attributes. */
  tailBytes: number;
  /** Whole blocks elsewhere, and the first of them. */
  blockCount: number;
  blockAddress: number;
  /** Of directories: the sorted names, and how many stand in each block. */
  names: readonly string[];
  nameCounts: readonly number[];
}

export interface ImagePlan {
  /** In the order of their inodes in the image; the first is the root. */
  readonly inodes: readonly PlannedInode[];
  readonly byInode: ReadonlyMap<Inode, PlannedInode>;
  readonly buildTimeSeconds: number;
  readonly metadataBytes: number;
  readonly blockCount: number;
}

/**
 * Last parts of files up to this size stand behind their inodes. Larger ones would often not fit into what is left of a
 * block of inodes, and leave more unused there than in a block of their own.
 */
const MAX_INLINE_BYTES = BLOCK_SIZE / 2;

/** Decides where everything goes: superblock and inodes first, data behind them, each in the order of the walk. */
export function planImage(root: Directory): ImagePlan {
  const byInode = new Map<Inode, PlannedInode>();
  const inodes = collectInodes(root, byInode);
  const buildTimeSeconds = findCommonTime(inodes);
  let position = SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE;
  for (const planned of inodes) {
    measure(planned, buildTimeSeconds);
    position = placeInode(planned, position);
  }
  let block = Math.ceil(position / BLOCK_SIZE);
  for (const planned of inodes) {
    planned.blockAddress = planned.blockCount === 0 ? 0 : block;
    block += planned.blockCount;
  }
  return { inodes, byInode, buildTimeSeconds, metadataBytes: position, blockCount: block };
}

/** Every inode once, folder after folder, each folder's content in the order of its names. */
function collectInodes(root: Directory, byInode: Map<Inode, PlannedInode>): PlannedInode[] {
  const first = newPlan(root, undefined, 1);
  byInode.set(root, first);
  const inodes = [first];
  // The list grows while we go along it.
  for (const planned of inodes) {
    if (planned.inode.kind !== 'directory') continue;
    planned.linkCount = 2;
    const { children } = planned.inode;
    for (const name of [...children.keys()].sort(compareBytes)) {
      const child = children.get(name)?.inode as Inode;
      if (child.kind === 'directory') planned.linkCount++;
      const known = byInode.get(child);
      if (known !== undefined) known.linkCount++;
      else {
        const added = newPlan(child, planned, inodes.length + 1);
        byInode.set(child, added);
        inodes.push(added);
      }
    }
  }
  return inodes;
}

function newPlan(inode: Inode, parent: PlannedInode | undefined, serial: number): PlannedInode {
  return {
    inode,
    parent,
    serial,
    linkCount: 1,
    sizeBytes: 0,
    compact: false,
    layout: LAYOUT_PLAIN,
    xattrs: NO_BYTES,
    nid: 0,
    tailBytes: 0,
    blockCount: 0,
    blockAddress: 0,
    names: NO_NAMES,
    nameCounts: NO_COUNTS,
  };
}

const NO_BYTES = Buffer.alloc(0);
const NO_NAMES: readonly string[] = [];
const NO_COUNTS: readonly number[] = [];

/** The time that most files have: they do without one of their own. */
function findCommonTime(inodes: readonly PlannedInode[]): number {
  const counts = new Map<number, number>();
  for (const { inode } of inodes) {
    const { mtimeSeconds } = inode.attributes;
    counts.set(mtimeSeconds, (counts.get(mtimeSeconds) ?? 0) + 1);
  }
  let common = { seconds: 0, count: 0 };
  for (const [seconds, count] of counts) {
    const isBetter = count > common.count || (count === common.count && seconds < common.seconds);
    if (isBetter) common = { seconds, count };
  }
  return common.seconds;
}

function measure(planned: PlannedInode, buildTimeSeconds: number): void {
  const { inode } = planned;
  if (inode.kind === 'directory') {
    planned.names = ['.', '..', ...inode.children.keys()].sort(compareBytes);
    const { counts, sizeBytes } = packNames(planned.names);
    planned.nameCounts = counts;
    planned.sizeBytes = sizeBytes;
  } else if (inode.kind === 'file') planned.sizeBytes = inode.content.sizeBytes;
  else if (inode.kind === 'symlink') planned.sizeBytes = inode.target.length;
  if (inode.attributes.xattrs.length > 0) planned.xattrs = encodeXattrs(inode.attributes.xattrs);
  planned.compact = fitsCompact(planned, buildTimeSeconds);
}

function fitsCompact({ inode, sizeBytes, linkCount }: PlannedInode, buildTime: number): boolean {
  const { uid, gid, mtimeSeconds, mtimeNanoseconds } = inode.attributes;
  const hasCommonTime = mtimeSeconds === buildTime && mtimeNanoseconds === 0;
  const fits16Bits = uid <= 0xffff && gid <= 0xffff && linkCount <= 0xffff;
  return hasCommonTime && fits16Bits && sizeBytes <= 0xffff_ffff;
}

/** Finds the inode's place at or behind `position`; gives the position behind it. */
function placeInode(planned: PlannedInode, position: number): number {
  const header = planned.compact ? COMPACT_INODE_SIZE : EXTENDED_INODE_SIZE;
  const fixed = header + planned.xattrs.length;
  const tail = planned.sizeBytes % BLOCK_SIZE;
  const isInline = tail > 0 && tail <= MAX_INLINE_BYTES && fixed + tail <= BLOCK_SIZE;
  planned.layout = isInline ? LAYOUT_INLINE : LAYOUT_PLAIN;
  planned.tailBytes = isInline ? tail : 0;
  planned.blockCount = Math.ceil((planned.sizeBytes - planned.tailBytes) / BLOCK_SIZE);
  // Inode and tail must be in one block; attributes that are longer than that may run on.
  const together = isInline ? fixed + tail : header;
  const start = alignUp(position, SLOT_SIZE);
  const left = BLOCK_SIZE - (start % BLOCK_SIZE);
  const offset = together <= left ? start : start + left;
  planned.nid = offset / SLOT_SIZE;
  return offset + fixed + planned.tailBytes;
}

function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** One character is one byte here, so comparing strings compares bytes, as the kernel's binary search does. */
function compareBytes(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
