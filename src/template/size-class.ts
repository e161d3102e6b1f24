import { WardianError } from '../util/errors.ts';

/** The machine that a sandbox gets; one template serves all of one size. */
export interface SizeClass {
  readonly cpus: number;
  readonly memoryBytes: number;
}

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;
/** Powers of two keep the number of templates small. Guest memory is only taken from the host when it is used. */
const SMALLEST_BYTES = 256 * MEBIBYTE;
const LARGEST_BYTES = 512 * GIBIBYTE;
const DEFAULT_BYTES = 1 * GIBIBYTE;
/** What kernel, its modules, the unpacked initramfs and the agent need beside a container. */
const GUEST_FIXED_BYTES = 80 * MEBIBYTE;
/** The kernel describes each page of 4096 bytes by 64. */
const PAGE_TABLE_SHARE = 64 / 4096;
const MAX_CPUS = 64;

/** The most that a container can use of a host's memory: the largest machine that fits into it has a little less. */
export function findMostMemory(hostBytes: number): number {
  let bytes = SMALLEST_BYTES;
  while (bytes * 2 <= Math.min(hostBytes, LARGEST_BYTES)) bytes *= 2;
  return Math.floor(usableBytes(bytes));
}

/** The smallest machine in which a container may use up its limits: whole CPUs, memory in powers of two. */
export function chooseSizeClass(limits: { cpus?: number; memoryBytes?: number }): SizeClass {
  return { cpus: chooseCpus(limits.cpus), memoryBytes: chooseMemory(limits.memoryBytes) };
}

function chooseCpus(cpus: number | undefined): number {
  if (cpus === undefined) return 1;
  if (Number.isFinite(cpus) && cpus > 0 && cpus <= MAX_CPUS) return Math.ceil(cpus);
  throw new WardianError('USAGE', `a sandbox cannot have ${cpus} CPUs`, {
    hint: `ask for more than 0 and at most ${MAX_CPUS}`,
  });
}

function chooseMemory(limitBytes: number | undefined): number {
  if (limitBytes === undefined) return DEFAULT_BYTES;
  if (!Number.isFinite(limitBytes) || limitBytes <= 0) {
    throw new WardianError('USAGE', `a sandbox cannot have ${limitBytes} bytes of memory`);
  }
  for (let bytes = SMALLEST_BYTES; bytes <= LARGEST_BYTES; bytes *= 2) {
    if (usableBytes(bytes) >= limitBytes) return bytes;
  }
  throw new WardianError('USAGE', `a sandbox cannot have ${limitBytes} bytes of memory`, {
    hint: `ask for less than ${LARGEST_BYTES / GIBIBYTE} GiB`,
  });
}

function usableBytes(memoryBytes: number): number {
  return memoryBytes * (1 - PAGE_TABLE_SHARE) - GUEST_FIXED_BYTES;
}
