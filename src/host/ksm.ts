import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasErrno, WardianError } from '../util/errors.ts';

/** The kernel's same-page merging as it stands (Documentation/admin-guide/mm/ksm.rst); all counts are of the whole host. */
export interface KsmState {
  readonly isOn: boolean;
  /** Pages looked at in one go, and the pause between two. */
  readonly pagesToScan: number;
  readonly sleepMs: number;
  /** Pages that stand for several, and how many more there would be without them. */
  readonly sharedPages: number;
  readonly savedPages: number;
  /** Pages like no other, and pages that change too often to be looked up. */
  readonly uniquePages: number;
  readonly volatilePages: number;
  readonly fullScans: number;
  readonly pageBytes: number;
  /** What is saved, less the kernel's own records about it; undefined before Linux 6.4. */
  readonly profitBytes: number | undefined;
  /** Processor time of the kernel's thread since the boot; undefined where it cannot be seen, as in a container. */
  readonly threadCpuMs: number | undefined;
}

/** What merging means for one process. */
export interface ProcessKsm {
  /** It has asked for memory of its own to be merged. */
  readonly isMergeable: boolean;
  readonly mergedPages: number;
}

/** What `run` takes. Unmerging gives everybody a copy back, which can take a while and needs the memory. */
const RUN = { stop: '0', go: '1', unmerge: '2' } as const;

/**
 * 25,000 pages a second: 300,000 pages, two hundred idle sandboxes, are seen in a quarter of a minute for a few percent of
 * one core. The kernel's own pace (5,000 a second) takes minutes for that.
 */
const PACE = { pages_to_scan: '1250', sleep_millisecs: '50' } as const;

/** USER_HZ, the unit of times in /proc, on every architecture that Node runs on. */
const TICK_MS = 10;
/** Fields of /proc/PID/stat behind the name (proc(5)): state is the first of them. */
const [USER_TIME, SYSTEM_TIME] = [11, 12];

/** Reads the counters below `root` (`/`, or a tree that a test has made). Throws KSM_MISSING. */
export function readKsm(root: string): KsmState {
  checkPresent(root);
  const count = (name: string): number => Number(readCounter(root, name));
  const profit = readOptional(root, 'general_profit');
  return {
    isOn: readCounter(root, 'run') === RUN.go,
    pagesToScan: count('pages_to_scan'),
    sleepMs: count('sleep_millisecs'),
    sharedPages: count('pages_shared'),
    savedPages: count('pages_sharing'),
    uniquePages: count('pages_unshared'),
    volatilePages: count('pages_volatile'),
    fullScans: count('full_scans'),
    pageBytes: readPageSize(),
    profitBytes: profit === undefined ? undefined : Number(profit),
    threadCpuMs: readThreadCpu(root),
  };
}

/** Switches merging on for the whole host, until it is switched off or the machine is started anew. */
export function enableKsm(root: string): void {
  checkPresent(root);
  const advisor = readOptional(root, 'advisor_mode');
  const advises = advisor !== undefined && !advisor.includes('[none]');
  if (!advises) {
    for (const [name, value] of Object.entries(PACE)) writeSetting(root, name, value);
  }
  writeSetting(root, 'run', RUN.go);
}

/** Switches merging off and gives every process copies of its own again, for which there must be room. */
export function disableKsm(root: string): void {
  const { savedPages, pageBytes } = readKsm(root);
  const availableBytes = readAvailableBytes(root);
  const neededBytes = savedPages * pageBytes;
  if (neededBytes > availableBytes) {
    const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
    throw new WardianError(
      'HOST_NO_MEMORY',
      `unmerging needs ${mebibytes(neededBytes)}, and ${mebibytes(availableBytes)} are free`,
      { hint: 'stop some containers first, and try again' },
    );
  }
  writeSetting(root, 'run', RUN.unmerge);
  writeSetting(root, 'run', RUN.stop);
}

/** Settings as they are, to be written back as they were. */
export type KsmSettings = Readonly<Record<string, string>>;

export function saveKsmSettings(root: string): KsmSettings {
  checkPresent(root);
  const names = [...Object.keys(PACE), 'run'];
  return Object.fromEntries(names.map((name) => [name, readCounter(root, name)]));
}

export function restoreKsmSettings(root: string, settings: KsmSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    if (readCounter(root, name) !== value) writeSetting(root, name, value);
  }
}

/** Undefined where the kernel does not tell (before Linux 6.1), or not this user, or the process is gone. */
export function readProcessKsm(root: string, pid: number): ProcessKsm | undefined {
  try {
    const text = readFileSync(path.join(root, `proc/${pid}/ksm_stat`), 'latin1');
    const merged = /^ksm_merging_pages (\d+)$/m.exec(text)?.[1];
    const scanned = /^ksm_rmap_items (\d+)$/m.exec(text)?.[1];
    if (merged === undefined) return undefined;
    // Older kernels do not name the property, but they look only at processes that have it.
    const isMergeable = /^ksm_mergeable: yes$/m.test(text) || Number(scanned) > 0;
    return { isMergeable, mergedPages: Number(merged) };
  } catch {
    return undefined; // gone, not ours, or no such file in this kernel
  }
}

function locate(root: string, name: string): string {
  return path.join(root, 'sys/kernel/mm/ksm', name);
}

function checkPresent(root: string): void {
  if (existsSync(locate(root, 'run'))) return;
  throw new WardianError(
    'KSM_MISSING',
    `this kernel offers no same-page merging: no ${locate(root, 'run')}`,
  );
}

function readCounter(root: string, name: string): string {
  return readFileSync(locate(root, name), 'latin1').trim();
}

function readOptional(root: string, name: string): string | undefined {
  return existsSync(locate(root, name)) ? readCounter(root, name) : undefined;
}

function writeSetting(root: string, name: string, value: string): void {
  const file = locate(root, name);
  try {
    writeFileSync(file, value);
  } catch (cause) {
    if (!hasErrno(cause, 'EACCES', 'EPERM', 'EROFS')) throw cause;
    throw new WardianError('HOST_PERMISSION', `cannot write ${value} to ${file}`, {
      cause,
      hint: hasErrno(cause, 'EROFS')
        ? 'run it on the host itself: this container may only read /sys'
        : 'only root may change this: sudo wardian ksm enable|disable',
    });
  }
}

function readAvailableBytes(root: string): number {
  const text = readFileSync(path.join(root, 'proc/meminfo'), 'latin1');
  return Number(/^MemAvailable:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** The size of a page as the kernel tells it of our own memory. */
function readPageSize(): number {
  const smaps = readFileSync('/proc/self/smaps', 'latin1');
  const kibibytes = /^KernelPageSize:\s*(\d+) kB$/m.exec(smaps)?.[1];
  return Number(kibibytes ?? 4) * 1024;
}

/** The kernel's thread is found by its name; its pid is a small one, given at the boot. */
function readThreadCpu(root: string): number | undefined {
  for (let pid = 2; pid < MOST_KERNEL_PIDS; pid++) {
    const stat = readStat(root, pid);
    const nameEnd = stat?.lastIndexOf(')') ?? 0;
    if (stat === undefined || stat.slice(stat.indexOf('(') + 1, nameEnd) !== 'ksmd') continue;
    const fields = stat.slice(nameEnd + 2).split(' ');
    return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * TICK_MS;
  }
  return undefined;
}

/** Threads of the kernel are made at the boot, some for each core: on large machines ksmd comes late. */
const MOST_KERNEL_PIDS = 4096;

function readStat(root: string, pid: number): string | undefined {
  try {
    return readFileSync(path.join(root, `proc/${pid}/stat`), 'latin1');
  } catch {
    return undefined; // no such process
  }
}
