import { statfsSync } from 'node:fs';
import { WardianError } from '../../src/util/errors.ts';

/** Less than this free after a failure, and the failure was that. */
const FULL_BYTES = 64 * 2 ** 20;

/** Throws HOST_NO_SPACE when a build would not fit: better now than after a minute. */
export function requireSpace(folder: string, neededBytes: number): void {
  const freeBytes = readFreeBytes(folder);
  if (freeBytes >= neededBytes) return;
  throw new WardianError(
    'HOST_NO_SPACE',
    `a build needs ${inGiB(neededBytes)} in ${folder}, where ${inGiB(freeBytes)} are free`,
    { hint: 'free some space, or set WARDIAN_CACHE_DIR to a folder on another disk' },
  );
}

/** False when the disk below the folder is as good as full. */
export function hasSpace(folder: string): boolean {
  return readFreeBytes(folder) > FULL_BYTES;
}

function readFreeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function inGiB(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
