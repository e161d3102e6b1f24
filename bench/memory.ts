import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

const KIBIBYTE = 1024;
const BLOCK_BYTES = 512;

/** All processes that can be seen; inside the namespaces of a run that is the run and what it started. */
export function listProcesses(): Set<number> {
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Set(names.map(Number));
}

/** Bytes that only this process maps (proc(5), smaps_rollup): what would be free without it. 0 when it is gone or not ours. */
export function measurePrivateBytes(pid: number): number {
  try {
    return parsePrivateBytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  } catch {
    return 0; // it has ended, or belongs to another user
  }
}

export function parsePrivateBytes(rollup: string): number {
  const sizes = rollup.matchAll(/^Private_\w+:\s*(\d+) kB$/gm);
  return [...sizes].reduce((sum, [, size]) => sum + Number(size) * KIBIBYTE, 0);
}

/** Bytes of the memory files (memfd) that these processes hold open, each once: pages that are nobody's private ones. */
export function measureMemoryFileBytes(pids: readonly number[]): number {
  const sizes = new Map<number, number>();
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    for (const name of list(folder)) {
      try {
        const link = `${folder}/${name}`;
        if (!readlinkSync(link).startsWith('/memfd:')) continue;
        const { ino, blocks } = statSync(link);
        sizes.set(ino, blocks * BLOCK_BYTES);
      } catch {} // closed since it was listed
    }
  }
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Name of the program that a process runs, cut to 15 characters by the kernel. */
export function findProcessName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return ''; // it has ended
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // the process has ended, or belongs to another user
  }
}
