import {
  boolean,
  integer,
  line,
  list,
  matching,
  object,
  oneOf,
  optional,
  required,
  signed64,
  table,
  unsigned32,
  unsigned64,
} from './readers.ts';
import {
  type BlockDevice,
  type BlockIoResources,
  type CpuResources,
  DEVICE_TYPES,
  type Device,
  type IdMapping,
  type Linux,
  type MemoryResources,
  NAMESPACE_TYPES,
  type Namespace,
  type Resources,
  SECCOMP_ACTIONS,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
  type Seccomp,
  type SeccompArgument,
  type SeccompSyscall,
} from './types.ts';

const MAXIMUM_WORD = 256;
const MAXIMUM_PATH = 4096;
const MAXIMUM_LIST = 4096;
/** BPF_MAXINSNS bounds the filter anyway; this bounds the work until we notice. */
const MAXIMUM_SYSCALL_NAMES = 1024;
/** MAX_ERRNO of the kernel. */
const MAXIMUM_ERRNO = 4095;
const MAXIMUM_SAFE = Number.MAX_SAFE_INTEGER;

const word = line(MAXIMUM_WORD);
export const absolutePath = matching(/^\//, 'an absolute path', MAXIMUM_PATH);
const paths = list(absolutePath, MAXIMUM_LIST);
/** "0-3,7": cpuset.cpus and cpuset.mems. */
const numberList = matching(/^[0-9, -]*$/, 'a list of numbers such as 0-3,7', MAXIMUM_PATH);

export const readIdMapping = object<IdMapping>({
  containerID: required(unsigned32),
  hostID: required(unsigned32),
  size: required(unsigned32),
});

const readSeccomp = object<Seccomp>({
  defaultAction: required(oneOf(SECCOMP_ACTIONS)),
  defaultErrnoRet: optional(integer(0, MAXIMUM_ERRNO)),
  architectures: optional(
    list(matching(/^SCMP_ARCH_[A-Z0-9_]+$/, 'an architecture such as SCMP_ARCH_X86_64', 64), 64),
  ),
  flags: optional(list(oneOf(SECCOMP_FLAGS), SECCOMP_FLAGS.length)),
  listenerPath: optional(line(MAXIMUM_PATH)),
  syscalls: optional(
    list(
      object<SeccompSyscall>({
        names: required(
          list(matching(/^[A-Za-z0-9_]+$/, 'the name of a system call', 64), MAXIMUM_SYSCALL_NAMES),
        ),
        action: required(oneOf(SECCOMP_ACTIONS)),
        errnoRet: optional(integer(0, MAXIMUM_ERRNO)),
        args: optional(
          list(
            object<SeccompArgument>({
              index: required(integer(0, 5)),
              value: required(unsigned64),
              valueTwo: optional(unsigned64),
              op: required(oneOf(SECCOMP_OPERATORS)),
            }),
            64,
          ),
        ),
      }),
      MAXIMUM_LIST,
    ),
  ),
});

const blockDevices = list(
  object<BlockDevice>({ major: required(unsigned32), minor: required(unsigned32) }),
  MAXIMUM_LIST,
);

export const readResources = object<Resources>({
  memory: optional(
    object<MemoryResources>({
      limit: optional(signed64),
      reservation: optional(signed64),
      swap: optional(signed64),
      swappiness: optional(integer(0, 200)),
      disableOOMKiller: optional(boolean),
    }),
  ),
  cpu: optional(
    object<CpuResources>({
      shares: optional(unsigned64),
      quota: optional(signed64),
      period: optional(unsigned64),
      burst: optional(unsigned64),
      realtimeRuntime: optional(signed64),
      realtimePeriod: optional(unsigned64),
      idle: optional(integer(0, 1)),
      cpus: optional(numberList),
      mems: optional(numberList),
    }),
  ),
  pids: optional(object<{ limit: bigint }>({ limit: required(signed64) })),
  blockIO: optional(
    object<BlockIoResources>({
      weight: optional(integer(0, 1000)),
      weightDevice: optional(blockDevices),
      throttleReadBpsDevice: optional(blockDevices),
      throttleWriteBpsDevice: optional(blockDevices),
      throttleReadIOPSDevice: optional(blockDevices),
      throttleWriteIOPSDevice: optional(blockDevices),
    }),
  ),
  hugepageLimits: optional(
    list(
      object<{ pageSize: string; limit: bigint }>({
        pageSize: required(matching(/^[1-9][0-9]{0,6}[KMG]B$/, 'a page size such as 2MB', 16)),
        limit: required(unsigned64),
      }),
      64,
    ),
  ),
  network: optional(
    object<NonNullable<Resources['network']>>({
      classID: optional(unsigned32),
      priorities: optional(
        list(
          object<{ name: string; priority: number }>({
            name: required(word),
            priority: required(unsigned32),
          }),
          MAXIMUM_LIST,
        ),
      ),
    }),
  ),
  rdma: optional(
    table(
      word,
      object<{ hcaHandles?: number; hcaObjects?: number }>({
        hcaHandles: optional(unsigned32),
        hcaObjects: optional(unsigned32),
      }),
      64,
    ),
  ),
  unified: optional(table(word, line(MAXIMUM_PATH), MAXIMUM_LIST)),
});

export const readLinux = object<Linux>({
  uidMappings: optional(list(readIdMapping, MAXIMUM_LIST)),
  gidMappings: optional(list(readIdMapping, MAXIMUM_LIST)),
  timeOffsets: optional(
    table(
      word,
      object<{ secs?: number; nanosecs?: number }>({
        secs: optional(integer(-MAXIMUM_SAFE, MAXIMUM_SAFE)),
        nanosecs: optional(unsigned32),
      }),
      8,
    ),
  ),
  sysctl: optional(
    table(
      matching(/^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$/, 'the name of a sysctl', MAXIMUM_WORD),
      line(MAXIMUM_PATH),
      MAXIMUM_LIST,
    ),
  ),
  resources: optional(readResources),
  cgroupsPath: optional(line(MAXIMUM_PATH)),
  namespaces: optional(
    list(
      object<Namespace>({ type: required(oneOf(NAMESPACE_TYPES)), path: optional(absolutePath) }),
      64,
    ),
  ),
  devices: optional(
    list(
      object<Device>({
        type: required(oneOf(DEVICE_TYPES)),
        path: required(absolutePath),
        major: optional(integer(0, 0xfff)),
        minor: optional(integer(0, 0xfffff)),
        fileMode: optional(integer(0, 0o177777)),
        uid: optional(unsigned32),
        gid: optional(unsigned32),
      }),
      MAXIMUM_LIST,
    ),
  ),
  seccomp: optional(readSeccomp),
  rootfsPropagation: optional(word),
  maskedPaths: optional(paths),
  readonlyPaths: optional(paths),
  mountLabel: optional(line(MAXIMUM_PATH)),
  intelRdt: optional(object<{ closID?: string }>({ closID: optional(word) })),
  netDevices: optional(table(word, (value) => value, MAXIMUM_LIST)),
  memoryPolicy: optional(object<{ mode?: string }>({ mode: optional(word) })),
  personality: optional(
    object<NonNullable<Linux['personality']>>({
      domain: required(word),
      flags: optional(list(word, 64)),
    }),
  ),
});
