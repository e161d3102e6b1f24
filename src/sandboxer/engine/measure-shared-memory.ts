import { statfsSync } from 'node:fs';
import { posix } from 'node:path';
import type { Mount } from '../../oci/runtime-spec/types.ts';
import type { ContainerShare } from '../engine-api.ts';

/** linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;

/** The size of the tmpfs that an engine binds to /dev/shm; undefined where it binds none. */
export function measureSharedMemory(
  mounts: readonly Mount[],
  share: ContainerShare,
): bigint | undefined {
  const place = mounts.findIndex(({ destination }) => posix.normalize(destination) === '/dev/shm');
  const bind = share.binds.find(({ mount }) => mount === place);
  if (bind === undefined) return undefined;
  const { type, bsize, blocks } = statfsSync(`${share.directory}/${share.folder}/${bind.name}`, {
    bigint: true,
  });
  return Number(type) === TMPFS_MAGIC ? bsize * blocks : undefined;
}
