import { readFile } from 'node:fs/promises';

const KIBIBYTE = 1024;

/** Bytes that programs could still have without swapping (MemAvailable of proc(5)); 0 when the kernel does not say. */
export async function readAvailableMemory(): Promise<number> {
  return sumKibibytes(await readFile('/proc/meminfo', 'latin1'), /^MemAvailable: +(\d+) kB$/gm);
}

/**
 * Bytes of memory that a process has written to and shares with nobody (Private_Dirty of /proc/PID/smaps_rollup):
 * what its end gives back, and nothing else can. Undefined when it has ended, or may not be looked at.
 */
export async function readPrivateMemory(pid: number): Promise<number | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1');
    return sumKibibytes(text, /^Private_Dirty: +(\d+) kB$/gm);
  } catch {
    return undefined; // ENOENT or ESRCH: it has ended; EACCES: it is another user's
  }
}

function sumKibibytes(text: string, pattern: RegExp): number {
  let bytes = 0;
  for (const [, number] of text.matchAll(pattern)) bytes += Number(number) * KIBIBYTE;
  return bytes;
}
