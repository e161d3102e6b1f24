import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { getOwnIdentity, isProcessAlive } from '../host/process-identity.ts';

/** A folder for one loading; its name says whose it is, so that others can tell when it is nobody's any more. */
export async function createTemporaryFolder(parent: string): Promise<string> {
  const { pid, startTime, bootId } = getOwnIdentity();
  const name = [pid, startTime, bootId, randomBytes(6).toString('hex')].join('.');
  const folder = path.join(parent, name);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

/** Removes what processes left that were killed while loading. */
export async function clearStaleFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [pid, startTime = '', bootId = ''] = name.split('.');
    if (isProcessAlive({ pid: Number(pid), startTime, bootId })) continue;
    await rm(path.join(parent, name), { recursive: true, force: true });
  }
}
