const MEBIBYTE = 1024n * 1024n;

/**
 * What a container's cgroup on the host may use beyond the container's own limit: its machine lives there as well.
 * Measured (docs/oci-runtime.md): the VMM with its buffer for translated code, the guest's kernel and agent, and what
 * the kernel of the host keeps for both, page tables foremost. Generous, since going beyond ends the machine, while the
 * container is kept to its own limit by the guest.
 */
export const MEMORY_OVERHEAD_BYTES = 192n * MEBIBYTE;

/** Beside each byte that the guest has there is 1/64 for the page structures of its kernel, and as much for page tables. */
export const MEMORY_OVERHEAD_DIVISOR = 32n;

/** Threads of a VMM: processors, its own loops, and up to 64 that carry out file operations; and the stub. */
export const PIDS_OVERHEAD = 128n;

/** The host's limit for a container's limit on memory; no limit (negative) stays none. */
export function addMemoryOverhead(limitBytes: bigint): bigint {
  if (limitBytes < 0n) return limitBytes;
  return limitBytes + limitBytes / MEMORY_OVERHEAD_DIVISOR + MEMORY_OVERHEAD_BYTES;
}

/** The host's limit for a container's limit on processes: each of them may have a stub. */
export function addPidsOverhead(limit: bigint): bigint {
  return limit < 0n ? limit : limit + PIDS_OVERHEAD;
}
