import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Engines live in the system's folders too, which a user's PATH may leave out. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Where programs are looked for. */
export function searchPath(): string {
  return [process.env['PATH'] ?? '/usr/bin:/bin', ...SYSTEM_FOLDERS].join(':');
}

/** True when a program of this name can be run. */
export function findProgram(name: string): boolean {
  return searchPath()
    .split(':')
    .some((folder) => {
      try {
        accessSync(path.join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false; // not in this folder
      }
    });
}
