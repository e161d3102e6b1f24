import { WardianError } from '../util/errors.ts';

/** capabilities(7) in the order of linux/capability.h: the index is the bit. */
export const CAPABILITY_NAMES: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID'],
  ...['SETPCAP', 'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW'],
  ...['IPC_LOCK', 'IPC_OWNER', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT'],
  ...['SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD'],
  ...['LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP', 'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG'],
  ...['WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF', 'CHECKPOINT_RESTORE'],
].map((name) => `CAP_${name}`);

/** The mask of a list of capability names; `path` is its place in the specification. */
export function capabilityMask(names: readonly string[], path: string): bigint {
  return names.reduce((mask, name, index) => {
    const bit = CAPABILITY_NAMES.indexOf(name);
    if (bit >= 0) return mask | (1n << BigInt(bit));
    const place = `${path}[${index}]`;
    throw new WardianError('SPEC_INVALID', `${place} is "${name}", not a capability of Linux`);
  }, 0n);
}
