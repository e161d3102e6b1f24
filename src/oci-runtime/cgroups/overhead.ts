const MEBIBYTE = 1024n * 1024n;

/**
 * What a container's cgroup on the host may use beyond the container's own limit: its machine lives there as well.
 * Measured (docs/oci-runtime.md): a VMM with its translated code, the guest's kernel and agent have 30 to 100 MiB. The rest
 * is for the pages of files that the VMM writes for its guest: they count until they are on the disk, and in version 1
 * a cgroup that is full of them is out of memory rather than slow. Generous, since that ends the machine, while the
 * container is kept to its own limit by the guest.
 */
const MEMORY_OVERHEAD_BYTES = 256n * MEBIBYTE;

/**
 * A page that no machine of a template has touched before is there twice when one does, as the template's and as its own
 * (do_cow_fault of mm/memory.c), and counts twice. A quarter more is for page tables and for pages that the guest's
 * kernel keeps or spreads over.
 */
const withTemplatePages = (limitBytes: bigint): bigint => limitBytes * 2n + limitBytes / 4n;

/** Threads of a VMM (processors, its own loops, and up to 64 that carry out file operations), and a stub for each exec. */
export const LEAST_PIDS = 256n;

/** The host's limit for a container's limit on memory; no limit (negative) stays none. */
export function addMemoryOverhead(limitBytes: bigint): bigint {
  if (limitBytes < 0n) return limitBytes;
  return withTemplatePages(limitBytes) + MEMORY_OVERHEAD_BYTES;
}

/**
 * The host's limit for a container's limit on processes: the same, which is what engines look at, unless it is too low for
 * the machine. The container's processes are the guest's, which keeps them to their limit.
 */
export function raisePidsLimit(limit: bigint): bigint {
  return limit < 0n || limit > LEAST_PIDS ? limit : LEAST_PIDS;
}
