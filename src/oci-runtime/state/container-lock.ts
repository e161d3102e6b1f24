import { withLock } from '../../host/lock.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import type { ContainerFolder } from './state-folder.ts';

/** Hooks may take long, and so may the end of a process that has much to write; longer than that is stuck. */
const TIMEOUT_MS = 60_000;

/** Runs `action` while no other command changes the container; CONTAINER_NOT_FOUND when there is none (any more). */
export async function withContainerLock<T>(
  folder: ContainerFolder,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await withLock(folder.lock, { timeoutMs: TIMEOUT_MS }, action);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') || !isAbout(error, folder.lock)) throw error;
    const id = folder.path.slice(folder.path.lastIndexOf('/') + 1);
    throw new WardianError('CONTAINER_NOT_FOUND', `container "${id}" does not exist`);
  }
}

/** An ENOENT of the lock's own files, rather than of what is done under it. */
function isAbout(error: unknown, lockPath: string): boolean {
  const { path } = error as NodeJS.ErrnoException;
  return path?.startsWith(lockPath) ?? false;
}
