import { readdirSync, readFileSync } from 'node:fs';
import { findProcessName, measureMemoryFileBytes } from '../memory.ts';

/** What the host spends on one process, by proc(5). */
export interface ProcessCost {
  readonly name: string;
  /** Pages that no other process maps: what would be free without it. */
  readonly privateBytes: number;
  /** Pages that are no file's, those among them that it shares with its forks. */
  readonly anonymousBytes: number;
  readonly residentBytes: number;
  /** Its share of all that it maps, memory files (a template's) left out. */
  readonly proportionalBytes: number;
  /** Page tables, which are the kernel's and in no other figure. */
  readonly pageTableBytes: number;
  readonly threads: number;
  readonly descriptors: number;
  readonly cpuMs: number;
}

const KIBIBYTE = 1024;
/** USER_HZ, the unit of times in /proc. */
const TICK_MS = 10;
/** Fields of /proc/PID/stat behind the name: state is the first of them. */
const [USER_TIME, SYSTEM_TIME] = [11, 12];

/** Undefined when it is gone, or belongs to another user. */
export function measureProcess(pid: number): ProcessCost | undefined {
  try {
    const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');
    return {
      name: findProcessName(pid),
      ...parseRollup(read('smaps_rollup')),
      ...parseStatus(read('status')),
      cpuMs: parseCpu(read('stat')),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    };
  } catch {
    return undefined;
  }
}

export function parseRollup(
  text: string,
): Pick<ProcessCost, 'privateBytes' | 'anonymousBytes' | 'residentBytes' | 'proportionalBytes'> {
  return {
    privateBytes: sumFields(text, /^Private_\w+:\s*(\d+) kB$/gm),
    anonymousBytes: sumFields(text, /^Anonymous:\s*(\d+) kB$/gm),
    residentBytes: sumFields(text, /^Rss:\s*(\d+) kB$/gm),
    proportionalBytes: sumFields(text, /^Pss_(?:Anon|File):\s*(\d+) kB$/gm),
  };
}

export function parseStatus(text: string): Pick<ProcessCost, 'pageTableBytes' | 'threads'> {
  return {
    pageTableBytes: sumFields(text, /^VmPTE:\s*(\d+) kB$/gm),
    threads: Number(/^Threads:\s*(\d+)$/m.exec(text)?.[1] ?? 0),
  };
}

/** Processor time since its start. Its name may hold anything, a bracket too. */
export function parseCpu(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * TICK_MS;
}

function sumFields(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, [, size]) => sum + Number(size) * KIBIBYTE, 0);
}

/** Who is looked at: the processes of the containers' machines, and all that were not there before the first of them. */
export interface Population {
  readonly sandboxer: number;
  readonly machines: readonly number[];
  readonly others: readonly number[];
}

/** What the host spends on all of them together. */
export interface Census {
  readonly sandboxer: ProcessCost;
  /** One for each container's machine that still lives. */
  readonly machines: readonly ProcessCost[];
  /** Machines that wait for a container, stems, helpers. */
  readonly others: readonly ProcessCost[];
  /** Guest memory of templates, which all clones share. */
  readonly templateBytes: number;
}

export function takeCensus({ sandboxer, machines, others }: Population): Census {
  const own = measureProcess(sandboxer);
  if (own === undefined) throw new Error('the sandboxer has gone');
  const living = measureAll(machines);
  if (living.length < machines.length) {
    throw new Error(`${machines.length - living.length} of the virtual machines have gone`);
  }
  return {
    sandboxer: own,
    machines: living,
    others: measureAll(others),
    templateBytes: measureMemoryFileBytes([sandboxer, ...machines, ...others]),
  };
}

function measureAll(pids: readonly number[]): ProcessCost[] {
  return pids.map(measureProcess).filter((cost) => cost !== undefined);
}
