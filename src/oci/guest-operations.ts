/**
 * What the agent is asked to do for a container: the messages of protocol/agent.proto as plain
 * objects, in the form that the protobuf encoder takes (64-bit numbers are bigint). Numbers are the
 * kernel's: mount flags, capability bits, clone flags. Everything here is decided; nothing is looked up later.
 */
export interface GuestContainer {
  id: string;
  rootfs: GuestRootfs;
  process: GuestProcess;
  /** CLONE_NEW* bits to make anew; the rest is the sandbox's own. */
  namespaces: bigint;
  hostname: string;
  mounts: GuestMount[];
  files: GuestFile[];
  devices: GuestDevice[];
  maskedPaths: string[];
  readonlyPaths: string[];
  sysctls: GuestKeyValue[];
  cgroupFiles: GuestKeyValue[];
  rootfsPropagation: bigint;
  joins: GuestJoin[];
  startHooks: GuestHook[];
}

/** A namespace of another container in the sandbox, by its CLONE_NEW* bit. */
export interface GuestJoin {
  namespace: bigint;
  containerId: string;
}

/** A program of the container's root file system that runs before its process. */
export interface GuestHook {
  path: string;
  args: string[];
  env: string[];
  /** 0: none. */
  timeoutMilliseconds: number;
  input: Uint8Array;
}

export interface GuestRootfs {
  /** Top first. */
  layers: GuestLayer[];
  readOnly: boolean;
  writableBytes: bigint;
  /** Relative to the share; empty: there are layers. */
  folder: string;
}

export interface GuestLayer {
  lun: number;
  type: string;
  data: string;
}

export interface GuestMount {
  destination: string;
  type: string;
  source: string;
  flags: bigint;
  data: string;
  propagation: bigint;
  copyUp: boolean;
  /** MOUNT_ATTR_* bits for the whole tree of a bind. */
  recursiveSet: bigint;
  recursiveClear: bigint;
}

export interface GuestFile {
  path: string;
  content: Uint8Array;
  mode: number;
  uid: number;
  gid: number;
}

export interface GuestDevice {
  path: string;
  /** S_IFCHR, S_IFBLK or S_IFIFO. */
  type: number;
  major: number;
  minor: number;
  mode: number;
  uid: number;
  gid: number;
}

export interface GuestKeyValue {
  key: string;
  value: string;
}

export interface GuestProcess {
  args: string[];
  env: string[];
  cwd: string;
  terminal: boolean;
  rows: number;
  columns: number;
  stdin: boolean;
  uid: number;
  gid: number;
  additionalGids: number[];
  umask?: number;
  capabilities: GuestCapabilities;
  rlimits: GuestRlimit[];
  noNewPrivileges: boolean;
  oomScoreAdjust?: number;
  /** An array of `struct sock_filter`, little endian; empty: none. */
  seccompFilter: Uint8Array;
  seccompFlags: number;
  scheduler?: GuestScheduler;
  /** As ioprio_set(2) takes it. */
  ioPriority?: number;
  /** For sched_setaffinity(2); empty: all of its cgroup's. */
  cpus: number[];
  /** As personality(2) takes it. */
  personality?: number;
  /** Adds HOME, from the container's own /etc/passwd. */
  findHome: boolean;
}

/** struct sched_attr of sched_setattr(2). */
export interface GuestScheduler {
  policy: number;
  flags: bigint;
  nice: number;
  priority: number;
  runtimeNanoseconds: bigint;
  deadlineNanoseconds: bigint;
  periodNanoseconds: bigint;
}

/** Bit n is capability n. */
export interface GuestCapabilities {
  bounding: bigint;
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
  ambient: bigint;
}

export interface GuestRlimit {
  resource: number;
  soft: bigint;
  hard: bigint;
}
