import { existsSync, lstatSync, mkdirSync, type Stats } from 'node:fs';
import path from 'node:path';
import { hasErrno, WardianError } from '../util/errors.ts';

/** Where Wardian keeps things; every folder belongs to one user and is private to it unless said otherwise. */
export interface Directories {
  /** Sockets and the state of sandboxes: gone after a reboot, as the virtual machines are. */
  readonly runtime: string;
  /** What can be made again: kernel, initramfs, templates. May be deleted at any time when nothing runs. */
  readonly cache: string;
  /** What cannot be made again: images, container logs. */
  readonly data: string;
}

/** Others may look into a folder of ours, never put something there. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Finds the folders: `WARDIAN_RUNTIME_DIR`, `WARDIAN_CACHE_DIR` and `WARDIAN_DATA_DIR` first, then for root
 * the system's places, for everyone else the XDG base directories. Throws CONFIG_INVALID for a relative path of ours
 * (the sandboxer works elsewhere); one of XDG's is ignored, as that specification demands.
 */
export function findDirectories(
  environment: Record<string, string | undefined>,
  uid: number,
): Directories {
  const isRoot = uid === 0;
  const home = environment['HOME'] ?? '/nonexistent';
  const runtimeBase = getAbsolute(environment['XDG_RUNTIME_DIR']);
  const runtime = runtimeBase ? path.join(runtimeBase, 'wardian') : `/tmp/wardian-${uid}`;
  const cacheBase = getAbsolute(environment['XDG_CACHE_HOME']) ?? path.join(home, '.cache');
  const dataBase = getAbsolute(environment['XDG_DATA_HOME']) ?? path.join(home, '.local/share');
  const choose = (variable: string, ofRoot: string, ofOthers: string): string => {
    const chosen = environment[variable];
    if (chosen) return checkAbsolute(variable, chosen);
    return isRoot ? ofRoot : ofOthers;
  };
  return {
    runtime: choose('WARDIAN_RUNTIME_DIR', '/run/wardian', runtime),
    cache: choose('WARDIAN_CACHE_DIR', '/var/cache/wardian', path.join(cacheBase, 'wardian')),
    data: choose('WARDIAN_DATA_DIR', '/var/lib/wardian', path.join(dataBase, 'wardian')),
  };
}

/**
 * Makes a folder that only this user can enter, and refuses one that somebody else made first
 * (a world-writable parent such as /tmp makes that an attack) or may put things into.
 */
export function ensurePrivateDirectory(directory: string): void {
  ensureDirectory(directory, 0o700);
  const status = lstatSync(directory);
  if (status.isDirectory() && status.uid === process.getuid?.()) {
    if ((status.mode & WRITABLE_BY_OTHERS) === 0) return;
    throw new WardianError('HOST_PERMISSION', `others may write to ${directory}`, {
      hint: `see what is in it, then: chmod 700 ${directory}`,
    });
  }
  throw new WardianError('HOST_PERMISSION', `${directory} ${describeStranger(status)}`, {
    hint: `remove it, or set WARDIAN_RUNTIME_DIR to a folder of your own`,
  });
}

/** Makes a folder and those above it that are missing; HOST_PERMISSION or HOST_NO_SPACE says which could not be made. */
export function ensureDirectory(directory: string, mode: number): void {
  // Not mkdir's own recursion: Node's tries for ever where a parent is there but nothing can be made in it (/proc).
  const missing: string[] = [];
  for (let place = directory; !existsSync(place); place = path.dirname(place)) missing.push(place);
  for (const place of missing.reverse()) {
    try {
      mkdirSync(place, { mode });
    } catch (cause) {
      if (hasErrno(cause, 'EEXIST') && existsSync(place)) continue; // somebody else was quicker
      const code = hasErrno(cause, 'ENOSPC', 'EDQUOT') ? 'HOST_NO_SPACE' : 'HOST_PERMISSION';
      throw new WardianError(code, `the folder ${place} cannot be made`, {
        cause,
        hint: 'mend that, or choose other folders: WARDIAN_RUNTIME_DIR, WARDIAN_CACHE_DIR, WARDIAN_DATA_DIR',
      });
    }
  }
}

function describeStranger(status: Stats): string {
  return status.isDirectory() ? 'does not belong to this user' : 'is not a folder';
}

function getAbsolute(directory: string | undefined): string | undefined {
  return directory !== undefined && path.isAbsolute(directory) ? directory : undefined;
}

function checkAbsolute(variable: string, directory: string): string {
  if (path.isAbsolute(directory)) return directory;
  throw new WardianError('CONFIG_INVALID', `${variable} is ${JSON.stringify(directory)}`, {
    hint: 'give an absolute path',
  });
}
