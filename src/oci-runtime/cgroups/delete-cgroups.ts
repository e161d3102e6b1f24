import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasErrno, WardianError } from '../../util/errors.ts';
import type { HostCgroups } from '../state/container-state.ts';
import { OWN_PARENT } from './cgroup-path.ts';

/** A killed process leaves its cgroup when it has let go of its memory, which takes a VMM some milliseconds. */
const TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** A container could nest more, but not with our knowledge: nothing of its own is on the host. */
const MAX_DEPTH = 32;

/**
 * Removes the cgroups of a container, after killing whatever still lives there, and the folders above that were made for it
 * and are empty now. What is gone already is no error; HOST_PERMISSION names what cannot be removed.
 */
export async function deleteHostCgroups({ directories, made }: HostCgroups): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (const directory of directories) await removeCgroup(directory, deadline);
  const above = made.filter((directory) => !directories.includes(directory));
  const ownParents = directories.map((directory) => path.dirname(directory)).filter(isOwnParent);
  for (const directory of [...above, ...ownParents].reverse()) removeIfEmpty(directory);
}

/** Shared by containers, each of which removes it when it was the last. */
function isOwnParent(directory: string): boolean {
  return directory.endsWith(OWN_PARENT);
}

async function removeCgroup(directory: string, deadline: number): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const folders = listFolders(directory, 0);
    try {
      for (const folder of folders) rmdirSync(folder);
      return;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) continue; // A folder in it went meanwhile: look again.
      if (!hasErrno(error, 'EBUSY', 'ENOTEMPTY')) throw stuck(directory, error);
      if (Date.now() > deadline) throw stuck(directory, error);
    }
    killAll(folders);
    // Version 1 tells nobody when a cgroup gets empty.
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** A cgroup and those in it, deepest first. */
function listFolders(directory: string, depth: number): string[] {
  try {
    const entries = depth > MAX_DEPTH ? [] : readdirSync(directory, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory());
    return [
      ...folders.flatMap(({ name }) => listFolders(`${directory}/${name}`, depth + 1)),
      directory,
    ];
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function killAll(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      writeFileSync(`${folder}/cgroup.kill`, '1', { flag: 'r+' });
    } catch {
      // Version 1, or a kernel before 5.14: one after the other.
      for (const pid of readProcesses(folder)) kill(pid);
    }
  }
}

function readProcesses(folder: string): number[] {
  try {
    return readFileSync(`${folder}/cgroup.procs`, 'utf8').split('\n').map(Number);
  } catch {
    return []; // Gone meanwhile.
  }
}

function kill(pid: number): void {
  // 0 is a process of another pid namespace, or the empty last line: kill(2) would take us for it.
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: already gone; EPERM shows when its cgroup cannot be removed
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // ENOTEMPTY, EBUSY: others are in it; ENOENT: they were quicker
  }
}

function stuck(directory: string, cause: unknown): WardianError {
  const left = readProcesses(directory).filter((pid) => pid > 0);
  const what = left.length > 0 ? `: process ${left[0]} does not end` : '';
  return new WardianError('HOST_PERMISSION', `the cgroup ${directory} cannot be removed${what}`, {
    cause,
    hint: 'end what is in it (cgroup.procs has the process ids), and delete the container again',
  });
}
