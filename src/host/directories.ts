import { lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { WardianError } from '../util/errors.ts';

/** Where Wardian keeps things; every folder belongs to one user and is private to it unless said otherwise. */
export interface Directories {
  /** Sockets and the state of sandboxes: gone after a reboot, as the virtual machines are. */
  readonly runtime: string;
  /** What can be made again: kernel, initramfs, templates. May be deleted at any time when nothing runs. */
  readonly cache: string;
  /** What cannot be made again: images, container logs. */
  readonly data: string;
}

/**
 * Finds the folders: `WARDIAN_RUNTIME_DIR`, `WARDIAN_CACHE_DIR` and `WARDIAN_DATA_DIR` first, then for root
 * the system's places, for everyone else the XDG base directories.
 */
export function findDirectories(
  environment: Record<string, string | undefined>,
  uid: number,
): Directories {
  const isRoot = uid === 0;
  const home = environment['HOME'] ?? '/nonexistent';
  const runtimeBase = environment['XDG_RUNTIME_DIR'];
  const runtime = isRoot
    ? '/run/wardian'
    : runtimeBase
      ? path.join(runtimeBase, 'wardian')
      : `/tmp/wardian-${uid}`;
  const cacheBase = environment['XDG_CACHE_HOME'] || path.join(home, '.cache');
  const dataBase = environment['XDG_DATA_HOME'] || path.join(home, '.local/share');
  return {
    runtime: environment['WARDIAN_RUNTIME_DIR'] || runtime,
    cache:
      environment['WARDIAN_CACHE_DIR'] ||
      (isRoot ? '/var/cache/wardian' : path.join(cacheBase, 'wardian')),
    data:
      environment['WARDIAN_DATA_DIR'] ||
      (isRoot ? '/var/lib/wardian' : path.join(dataBase, 'wardian')),
  };
}

/**
 * Makes a folder that only this user can enter, and refuses one that somebody else made first
 * (a world-writable parent such as /tmp makes that an attack).
 */
export function ensurePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const status = lstatSync(directory);
  if (!status.isDirectory() || status.uid !== process.getuid?.()) {
    throw new WardianError('HOST_PERMISSION', `${directory} does not belong to this user`, {
      hint: `remove it, or set WARDIAN_RUNTIME_DIR to a folder of your own`,
    });
  }
}
