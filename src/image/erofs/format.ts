import { crc32c } from './crc32c.ts';

/*
 * The on-disk format: the Linux kernel's Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
 * All numbers are little-endian. We write the uncompressed core that every kernel since 5.4 reads.
 */

const BLOCK_BITS = 12;
export const BLOCK_SIZE = 1 << BLOCK_BITS;

/** Inodes are addressed in units of this size, from the start of the image since our metadata begins in block 0. */
export const SLOT_SIZE = 32;

export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 128;
const MAGIC = 0xe0f5e1e2;
const COMPAT_CHECKSUM = 1;
const COMPAT_MTIME = 2;

export const COMPACT_INODE_SIZE = 32;
export const EXTENDED_INODE_SIZE = 64;

/** Where a file's data lies: in blocks of its own, or with its last part behind its inode. */
export const LAYOUT_PLAIN = 0;
export const LAYOUT_INLINE = 2;

export const DIRENT_SIZE = 12;

export interface Superblock {
  readonly rootNid: number;
  readonly inodeCount: number;
  readonly blockCount: number;
  /** Modification time of every compact inode, in seconds since 1970. */
  readonly buildTimeSeconds: number;
}

/** Writes the superblock into the image's first block, and its checksum over the rest of that block. */
export function putSuperblock(firstBlock: Buffer, superblock: Superblock): void {
  const view = firstBlock.subarray(SUPERBLOCK_OFFSET, BLOCK_SIZE);
  view.writeUInt32LE(MAGIC, 0);
  view.writeUInt32LE(0, 4);
  view.writeUInt32LE(COMPAT_CHECKSUM | COMPAT_MTIME, 8);
  view.writeUInt8(BLOCK_BITS, 12);
  view.writeUInt16LE(superblock.rootNid, 14);
  view.writeBigUInt64LE(BigInt(superblock.inodeCount), 16);
  view.writeBigInt64LE(BigInt(superblock.buildTimeSeconds), 24);
  view.writeUInt32LE(superblock.blockCount, 36);
  // Block addresses of metadata and shared attributes, UUID, label and incompatible features stay 0.
  view.writeUInt32LE(crc32c(0xffff_ffff, view), 4);
}

export interface InodeFields {
  readonly compact: boolean;
  readonly layout: number;
  /** Bytes of the attributes behind the inode, 0 or as `encodeXattrs` gives them. */
  readonly xattrBytes: number;
  /** File type and permissions, as in stat(2). */
  readonly mode: number;
  readonly linkCount: number;
  readonly sizeBytes: number;
  /** First data block, or the device number. */
  readonly address: number;
  /** A number for 32-bit programs; unique in the image. */
  readonly serial: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

export function encodeInode(inode: InodeFields): Buffer {
  const data = Buffer.alloc(inode.compact ? COMPACT_INODE_SIZE : EXTENDED_INODE_SIZE);
  data.writeUInt16LE((inode.compact ? 0 : 1) | (inode.layout << 1), 0);
  data.writeUInt16LE(countXattrSlots(inode.xattrBytes), 2);
  data.writeUInt16LE(inode.mode, 4);
  data.writeUInt32LE(inode.address, 16);
  data.writeUInt32LE(inode.serial, 20);
  if (inode.compact) putCompactFields(data, inode);
  else putExtendedFields(data, inode);
  return data;
}

function putCompactFields(data: Buffer, inode: InodeFields): void {
  data.writeUInt16LE(inode.linkCount, 6);
  data.writeUInt32LE(inode.sizeBytes, 8);
  data.writeUInt16LE(inode.uid, 24);
  data.writeUInt16LE(inode.gid, 26);
}

function putExtendedFields(data: Buffer, inode: InodeFields): void {
  data.writeBigUInt64LE(BigInt(inode.sizeBytes), 8);
  data.writeUInt32LE(inode.uid, 24);
  data.writeUInt32LE(inode.gid, 28);
  data.writeBigInt64LE(BigInt(inode.mtimeSeconds), 32);
  data.writeUInt32LE(inode.mtimeNanoseconds, 40);
  data.writeUInt32LE(inode.linkCount, 44);
}

/** The header counts as one, every further four bytes as one more. */
function countXattrSlots(xattrBytes: number): number {
  return xattrBytes === 0 ? 0 : (xattrBytes - 12) / 4 + 1;
}

/** A device number as stat(2) of Linux shows it (the kernel's `new_encode_dev`). */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
