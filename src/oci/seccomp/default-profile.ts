import type { Seccomp, SeccompSyscall } from '../runtime-spec/types.ts';
import { ERRNO } from './actions.ts';

interface Denial {
  /** Why a container has no use for these calls. */
  reason: string;
  names: string[];
  errno: number;
  /** With any of these capabilities the calls are allowed: whoever grants them means it. */
  unless: string[];
}

/**
 * The calls that a container does without unless it is told otherwise. The virtual machine is the
 * boundary; the profile only takes away ways into the guest's kernel that ordinary programs do not
 * use, so that what breaks into a process has less to try next. What is not named here is allowed: debuggers
 * (ptrace), io_uring, and all that the kernel guards by capabilities well enough by itself.
 */
const DENIALS: readonly Denial[] = [
  {
    reason: 'they replace the running kernel',
    names: ['kexec_load', 'kexec_file_load', 'reboot'],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_BOOT'],
  },
  {
    reason: 'they put code into the kernel',
    names: [
      ...['init_module', 'finit_module', 'delete_module', 'create_module'],
      ...['query_module', 'get_kernel_syms'],
    ],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_MODULE'],
  },
  {
    reason: 'the verifier and the tracing behind it are among the richest sources of kernel bugs',
    names: ['bpf'],
    errno: ERRNO.EPERM,
    unless: ['CAP_BPF', 'CAP_SYS_ADMIN'],
  },
  {
    reason: 'it measures other processes and the kernel itself',
    names: ['perf_event_open'],
    errno: ERRNO.EPERM,
    unless: ['CAP_PERFMON', 'CAP_SYS_ADMIN'],
  },
  {
    reason: 'stopping the kernel in the middle of a page fault is mostly a tool of exploits',
    names: ['userfaultfd'],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_PTRACE', 'CAP_SYS_ADMIN'],
  },
  {
    reason: 'it opens files by their number, past the root of the container',
    names: ['open_by_handle_at'],
    errno: ERRNO.EPERM,
    unless: ['CAP_DAC_READ_SEARCH'],
  },
  {
    reason: 'keys belong to a user of the whole kernel, not to a container',
    names: ['keyctl', 'add_key', 'request_key'],
    errno: ERRNO.ENOSYS,
    unless: ['CAP_SYS_ADMIN'],
  },
  {
    reason: 'mounts and namespaces of its own open, by way of user namespaces, all that they guard',
    names: [
      ...['mount', 'umount2', 'pivot_root', 'move_mount', 'open_tree', 'mount_setattr'],
      ...['fsopen', 'fsconfig', 'fsmount', 'fspick', 'unshare', 'setns'],
    ],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_ADMIN'],
  },
  {
    reason: 'its flags lie in memory, where no filter sees them; C libraries go back to clone',
    names: ['clone3'],
    errno: ERRNO.ENOSYS,
    unless: ['CAP_SYS_ADMIN'],
  },
  {
    reason: 'they administer the whole machine',
    names: ['quotactl', 'quotactl_fd', 'swapon', 'swapoff', 'lookup_dcookie', 'vhangup'],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_ADMIN'],
  },
  {
    reason: 'it writes a file of the whole machine at the end of each process',
    names: ['acct'],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_PACCT'],
  },
  {
    reason: 'it reads and clears the log of the kernel',
    names: ['syslog'],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYSLOG', 'CAP_SYS_ADMIN'],
  },
  {
    reason: 'they reach the ports of the (emulated) hardware',
    names: ['iopl', 'ioperm'],
    errno: ERRNO.EPERM,
    unless: ['CAP_SYS_RAWIO'],
  },
  {
    reason: 'they are left over from old kernels',
    names: [
      ...['uselib', 'ustat', 'sysfs', '_sysctl', 'nfsservctl', 'getpmsg', 'putpmsg'],
      ...['afs_syscall', 'tuxcall', 'security', 'vserver', 'epoll_ctl_old', 'epoll_wait_old'],
    ],
    errno: ERRNO.ENOSYS,
    unless: [],
  },
];

/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS, each of which makes a namespace. */
const NAMESPACE_FLAGS = [
  ...[0x02000000n, 0x04000000n, 0x08000000n, 0x10000000n, 0x20000000n, 0x40000000n, 0x00020000n],
];

/** The line between a virtual machine and its host; no container has business on it. */
const AF_VSOCK = 40n;

/** The profile of a container with these capabilities (its bounding set). */
export function defaultSeccomp(capabilities: readonly string[]): Seccomp {
  const has = (name: string) => capabilities.includes(name);
  const denials = DENIALS.filter(({ unless }) => !unless.some(has));
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [
      ...denials.map(({ names, errno }) => deny(names, errno)),
      ...(has('CAP_SYS_ADMIN') ? [] : NAMESPACE_FLAGS.map(denyClone)),
      denyVsock(),
    ],
  };
}

function deny(names: string[], errnoRet: number): SeccompSyscall {
  return { names, action: 'SCMP_ACT_ERRNO', errnoRet };
}

function denyClone(flag: bigint): SeccompSyscall {
  return {
    ...deny(['clone'], ERRNO.EPERM),
    args: [{ index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }],
  };
}

function denyVsock(): SeccompSyscall {
  return {
    ...deny(['socket'], ERRNO.EAFNOSUPPORT),
    args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_EQ' }],
  };
}
