/**
 * The Linux part of the OCI runtime specification 1.2 (config.json), as far as Wardian reads it.
 * Names are the specification's own. Numbers that need all 64 bits are `bigint`, so that
 * RLIM_INFINITY or a seccomp mask survives; `parseSpec` and `formatSpec` go from and to JSON.
 */
export interface Spec {
  ociVersion: string;
  root?: Root;
  process?: Process;
  hostname?: string;
  domainname?: string;
  mounts?: Mount[];
  hooks?: Hooks;
  annotations?: Record<string, string>;
  linux?: Linux;
}

export interface Root {
  path: string;
  readonly?: boolean;
}

export interface Process {
  terminal?: boolean;
  consoleSize?: { height: number; width: number };
  user?: User;
  args?: string[];
  env?: string[];
  cwd: string;
  capabilities?: ProcessCapabilities;
  rlimits?: ProcessRlimit[];
  noNewPrivileges?: boolean;
  apparmorProfile?: string;
  selinuxLabel?: string;
  oomScoreAdj?: number;
  scheduler?: Scheduler;
  ioPriority?: { class: string; priority?: number };
  execCPUAffinity?: { initial?: string; final?: string };
}

/** sched_setattr(2); times in nanoseconds. */
export interface Scheduler {
  policy: string;
  nice?: number;
  priority?: number;
  flags?: string[];
  runtime?: bigint;
  deadline?: bigint;
  period?: bigint;
}

export interface User {
  uid?: number;
  gid?: number;
  umask?: number;
  additionalGids?: number[];
}

export interface ProcessCapabilities {
  bounding?: string[];
  effective?: string[];
  inheritable?: string[];
  permitted?: string[];
  ambient?: string[];
}

export interface ProcessRlimit {
  type: string;
  soft: bigint;
  hard: bigint;
}

export interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}

export interface Hook {
  path: string;
  args?: string[];
  env?: string[];
  timeout?: number;
}

export interface Hooks {
  prestart?: Hook[];
  createRuntime?: Hook[];
  createContainer?: Hook[];
  startContainer?: Hook[];
  poststart?: Hook[];
  poststop?: Hook[];
}

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export const NAMESPACE_TYPES = [
  'pid',
  'network',
  'mount',
  'ipc',
  'uts',
  'user',
  'cgroup',
  'time',
] as const;
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];

export interface Namespace {
  type: NamespaceType;
  path?: string;
}

export const DEVICE_TYPES = ['c', 'b', 'u', 'p'] as const;

export interface Device {
  type: (typeof DEVICE_TYPES)[number];
  path: string;
  major?: number;
  minor?: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface Linux {
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  timeOffsets?: Record<string, { secs?: number; nanosecs?: number }>;
  sysctl?: Record<string, string>;
  resources?: Resources;
  cgroupsPath?: string;
  namespaces?: Namespace[];
  devices?: Device[];
  seccomp?: Seccomp;
  rootfsPropagation?: string;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  mountLabel?: string;
  intelRdt?: { closID?: string };
  /** Read only to be refused. */
  netDevices?: Record<string, unknown>;
  memoryPolicy?: { mode?: string };
  personality?: { domain: string; flags?: string[] };
}

export interface Resources {
  memory?: MemoryResources;
  cpu?: CpuResources;
  pids?: { limit: bigint };
  blockIO?: BlockIoResources;
  hugepageLimits?: { pageSize: string; limit: bigint }[];
  network?: { classID?: number; priorities?: { name: string; priority: number }[] };
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>;
  unified?: Record<string, string>;
}

/** Bytes; -1 is no limit. `swap` counts memory and swap together, as cgroup version 1 did. */
export interface MemoryResources {
  limit?: bigint;
  reservation?: bigint;
  swap?: bigint;
  swappiness?: number;
  disableOOMKiller?: boolean;
}

/** Times in microseconds. */
export interface CpuResources {
  shares?: bigint;
  quota?: bigint;
  period?: bigint;
  burst?: bigint;
  realtimeRuntime?: bigint;
  realtimePeriod?: bigint;
  idle?: number;
  cpus?: string;
  mems?: string;
}

/** Per-device limits are read only to be refused: they name the host's devices. */
export interface BlockIoResources {
  weight?: number;
  weightDevice?: BlockDevice[];
  throttleReadBpsDevice?: BlockDevice[];
  throttleWriteBpsDevice?: BlockDevice[];
  throttleReadIOPSDevice?: BlockDevice[];
  throttleWriteIOPSDevice?: BlockDevice[];
}

export interface BlockDevice {
  major: number;
  minor: number;
}

export const SECCOMP_ACTIONS = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
] as const;
export type SeccompAction = (typeof SECCOMP_ACTIONS)[number];

export const SECCOMP_OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;
export type SeccompOperator = (typeof SECCOMP_OPERATORS)[number];

export const SECCOMP_FLAGS = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
] as const;
export type SeccompFlag = (typeof SECCOMP_FLAGS)[number];

export interface Seccomp {
  defaultAction: SeccompAction;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: SeccompFlag[];
  listenerPath?: string;
  syscalls?: SeccompSyscall[];
}

export interface SeccompSyscall {
  names: string[];
  action: SeccompAction;
  errnoRet?: number;
  args?: SeccompArgument[];
}

/** With SCMP_CMP_MASKED_EQ `value` is the mask and `valueTwo` what must be left. */
export interface SeccompArgument {
  index: number;
  value: bigint;
  valueTwo?: bigint;
  op: SeccompOperator;
}
