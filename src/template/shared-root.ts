import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { hasErrno } from '../util/errors.ts';

/** To be raised whenever what is made below changes, so that the folder gets another name. */
const RECIPE_VERSION = 1;

/** In the folder: the root file system of a container, and what is bound into it. */
export const SHARED_ROOT = 'rootfs';
export const SHARED_FILES: Readonly<Record<string, string>> = {
  hosts: '/etc/hosts',
  'resolv.conf': '/etc/resolv.conf',
  containerenv: '/run/.containerenv',
};

const DIRECTORIES = ['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp'];
const APPLETS = ['sh', 'cat', 'true'];

/**
 * Makes the folder that a machine shares with its guest while it warms up: a throw-away container's root, with all of
 * its mount points, because the guest may not write there. Returns its path; does nothing when it is there.
 */
export async function prepareSharedRoot(busyboxPath: string, directory: string): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(busyboxPath))
    .digest('hex');
  const target = path.join(directory, `share-${RECIPE_VERSION}-${digest.slice(0, 16)}`);
  if (existsSync(target)) return target;
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const draft = await mkdtemp(path.join(directory, 'draft-'));
  try {
    await fill(draft, busyboxPath);
    await chmod(draft, 0o755); // VMMs are users of their own
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process has made the same one.
    if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
  return target;
}

async function fill(directory: string, busyboxPath: string): Promise<void> {
  const root = path.join(directory, SHARED_ROOT);
  for (const name of DIRECTORIES) await mkdir(path.join(root, name), { recursive: true });
  await cp(busyboxPath, path.join(root, 'bin/busybox'));
  for (const name of APPLETS) await symlink('busybox', path.join(root, 'bin', name));
  for (const [name, place] of Object.entries(SHARED_FILES)) {
    await writeFile(path.join(directory, name), 'warm\n', { mode: 0o644 });
    await writeFile(path.join(root, place), '', { mode: 0o644 });
  }
}
