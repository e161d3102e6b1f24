import { BLOCK_SIZE, DIRENT_SIZE } from './format.ts';

/** A name in a directory; names are byte strings. */
export interface Dirent {
  readonly name: string;
  readonly nid: number;
  /** FT_* of the kernel. */
  readonly fileType: number;
}

/**
 * Splits sorted names into the blocks of a directory. Each block begins with its entries, their names follow;
 * an entry never crosses into the next block. Gives the number of names in each block.
 */
export function packNames(names: readonly string[]): { counts: number[]; sizeBytes: number } {
  const counts: number[] = [];
  let count = 0;
  let used = 0;
  for (const name of names) {
    const needed = DIRENT_SIZE + name.length;
    if (used + needed > BLOCK_SIZE) {
      counts.push(count);
      count = 0;
      used = 0;
    }
    count++;
    used += needed;
  }
  const sizeBytes = counts.length * BLOCK_SIZE + used;
  counts.push(count);
  return { counts, sizeBytes };
}

/** The directory's data: full blocks, the last one only as long as it is. */
export function* encodeDirectory(
  dirents: readonly Dirent[],
  counts: readonly number[],
): Generator<Buffer> {
  let start = 0;
  for (const [index, count] of counts.entries()) {
    const isLast = index === counts.length - 1;
    yield encodeBlock(dirents.slice(start, start + count), isLast);
    start += count;
  }
}

function encodeBlock(dirents: readonly Dirent[], isLast: boolean): Buffer {
  const used = dirents.reduce((sum, { name }) => sum + DIRENT_SIZE + name.length, 0);
  const block = Buffer.alloc(isLast ? used : BLOCK_SIZE);
  let nameOffset = dirents.length * DIRENT_SIZE;
  for (const [index, { name, nid, fileType }] of dirents.entries()) {
    const offset = index * DIRENT_SIZE;
    block.writeBigUInt64LE(BigInt(nid), offset);
    block.writeUInt16LE(nameOffset, offset + 8);
    block.writeUInt8(fileType, offset + 10);
    nameOffset += block.write(name, nameOffset, 'latin1');
  }
  return block;
}
