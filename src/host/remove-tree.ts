import { type Dirent, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { hasErrno } from '../util/errors.ts';

/** More entries than a machine's folder has; a guest that could fill one shall not hold up the others. */
const MOST_ENTRIES = 64;

/**
 * Removes a folder with what is in it, if it is there. A small one at once: ten system calls take a tenth of a
 * millisecond, while each of Node's asynchronous ones waits for a thread, and on a busy host for a processor, too.
 */
export async function removeTree(directory: string): Promise<void> {
  const isGone = removeAtOnce(directory, { entriesLeft: MOST_ENTRIES });
  if (!isGone) await rm(directory, { recursive: true, force: true });
}

/** False when there is more than that: part of it is gone then. */
function removeAtOnce(directory: string, budget: { entriesLeft: number }): boolean {
  for (const entry of listEntries(directory)) {
    if (budget.entriesLeft-- === 0) return false;
    const place = path.join(directory, entry.name);
    if (!entry.isDirectory()) removeFile(place);
    else if (!removeAtOnce(place, budget)) return false;
  }
  ignoreMissing(() => rmdirSync(directory));
  return true;
}

/** Removes a file, if it is there. */
export function removeFile(file: string): void {
  ignoreMissing(() => unlinkSync(file));
}

function listEntries(directory: string): Dirent[] {
  let entries: Dirent[] = [];
  ignoreMissing(() => {
    entries = readdirSync(directory, { withFileTypes: true });
  });
  return entries;
}

function ignoreMissing(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
