import {
  type Decoded,
  type Encodable,
  list,
  message,
  nested,
  optional,
  repeated,
  scalar,
} from '../util/protobuf/message.ts';

/**
 * The messages of protocol/agent.proto, field by field, where their meaning is explained.
 * A test compares this table with what protoc makes of that file, so the two cannot drift apart.
 */
const Interface = message('Interface', { name: scalar('string', 1), mac: scalar('bytes', 2) });
const KeyValue = message('KeyValue', { key: scalar('string', 1), value: scalar('string', 2) });

const Layer = message('Layer', {
  lun: scalar('uint32', 1),
  type: scalar('string', 2),
  data: scalar('string', 3),
});

const Rootfs = message('Rootfs', {
  layers: list(Layer, 1),
  readOnly: scalar('bool', 2),
  writableBytes: scalar('uint64', 3),
});

const Mount = message('Mount', {
  destination: scalar('string', 1),
  type: scalar('string', 2),
  source: scalar('string', 3),
  flags: scalar('uint64', 4),
  data: scalar('string', 5),
  propagation: scalar('uint64', 6),
  copyUp: scalar('bool', 7),
});

const InjectedFile = message('InjectedFile', {
  path: scalar('string', 1),
  content: scalar('bytes', 2),
  mode: scalar('uint32', 3),
  uid: scalar('uint32', 4),
  gid: scalar('uint32', 5),
});

const DeviceNode = message('DeviceNode', {
  path: scalar('string', 1),
  type: scalar('uint32', 2),
  major: scalar('uint32', 3),
  minor: scalar('uint32', 4),
  mode: scalar('uint32', 5),
  uid: scalar('uint32', 6),
  gid: scalar('uint32', 7),
});

const Capabilities = message('Capabilities', {
  bounding: scalar('fixed64', 1),
  effective: scalar('fixed64', 2),
  permitted: scalar('fixed64', 3),
  inheritable: scalar('fixed64', 4),
  ambient: scalar('fixed64', 5),
});

const Rlimit = message('Rlimit', {
  resource: scalar('uint32', 1),
  soft: scalar('uint64', 2),
  hard: scalar('uint64', 3),
});

const Process = message('Process', {
  args: repeated('string', 1),
  env: repeated('string', 2),
  cwd: scalar('string', 3),
  terminal: scalar('bool', 4),
  rows: scalar('uint32', 5),
  columns: scalar('uint32', 6),
  stdin: scalar('bool', 7),
  uid: scalar('uint32', 8),
  gid: scalar('uint32', 9),
  additionalGids: repeated('uint32', 10),
  umask: optional('uint32', 11),
  capabilities: nested(Capabilities, 12),
  rlimits: list(Rlimit, 13),
  noNewPrivileges: scalar('bool', 14),
  oomScoreAdjust: optional('sint32', 15),
  seccompFilter: scalar('bytes', 16),
  seccompFlags: scalar('uint32', 17),
});

const ExitStatus = message('ExitStatus', {
  code: scalar('uint32', 1),
  signal: scalar('uint32', 2),
  outOfMemory: scalar('bool', 3),
  realtimeNanoseconds: scalar('uint64', 4),
});

const ProcessState = message('ProcessState', {
  execId: scalar('string', 1),
  pid: scalar('uint32', 2),
  started: scalar('bool', 3),
  exit: nested(ExitStatus, 4),
  stdinAcknowledged: scalar('uint64', 5),
  stdoutAcknowledged: scalar('uint64', 6),
  stderrAcknowledged: scalar('uint64', 7),
});

const ContainerState = message('ContainerState', {
  id: scalar('string', 1),
  processes: list(ProcessState, 2),
});

const StartResponse = message('StartResponse', {
  pid: scalar('uint32', 1),
  execErrno: scalar('uint32', 2),
  execMessage: scalar('string', 3),
});

const containerAndExec = { containerId: scalar('string', 1), execId: scalar('string', 2) };

export const StdioRequest = message('StdioRequest', {
  ...containerAndExec,
  stdoutOffset: scalar('uint64', 3),
  stderrOffset: scalar('uint64', 4),
});
export const StdioResponse = message('StdioResponse', { exit: nested(ExitStatus, 1) });

/** Requests and responses of the unary calls, by the name of the call. */
export const CALLS = {
  Personalize: {
    request: message('PersonalizeRequest', {
      entropy: scalar('bytes', 1),
      realtimeNanoseconds: scalar('uint64', 2),
      hostname: scalar('string', 3),
      interfaces: list(Interface, 4),
    }),
    response: message('PersonalizeResponse', {}),
  },
  PrepareSnapshot: {
    request: message('PrepareSnapshotRequest', {}),
    response: message('PrepareSnapshotResponse', { nonce: scalar('bytes', 1) }),
  },
  Ping: {
    request: message('PingRequest', {}),
    response: message('PingResponse', {
      agentVersion: scalar('string', 1),
      kernelRelease: scalar('string', 2),
      memoryTotalBytes: scalar('uint64', 3),
      memoryAvailableBytes: scalar('uint64', 4),
    }),
  },
  CreateContainer: {
    request: message('CreateContainerRequest', {
      id: scalar('string', 1),
      rootfs: nested(Rootfs, 2),
      process: nested(Process, 3),
      namespaces: scalar('uint64', 4),
      hostname: scalar('string', 5),
      mounts: list(Mount, 6),
      files: list(InjectedFile, 7),
      devices: list(DeviceNode, 8),
      maskedPaths: repeated('string', 9),
      readonlyPaths: repeated('string', 10),
      sysctls: list(KeyValue, 11),
      cgroupFiles: list(KeyValue, 12),
      rootfsPropagation: scalar('uint64', 13),
    }),
    response: message('CreateContainerResponse', { pid: scalar('uint32', 1) }),
  },
  StartContainer: {
    request: message('StartContainerRequest', { id: scalar('string', 1) }),
    response: StartResponse,
  },
  Exec: {
    request: message('ExecRequest', { ...containerAndExec, process: nested(Process, 3) }),
    response: StartResponse,
  },
  SignalProcess: {
    request: message('SignalProcessRequest', {
      ...containerAndExec,
      signal: scalar('uint32', 3),
      all: scalar('bool', 4),
    }),
    response: message('SignalProcessResponse', {}),
  },
  ResizeTerminal: {
    request: message('ResizeTerminalRequest', {
      ...containerAndExec,
      rows: scalar('uint32', 3),
      columns: scalar('uint32', 4),
    }),
    response: message('ResizeTerminalResponse', {}),
  },
  DeleteProcess: {
    request: message('DeleteProcessRequest', containerAndExec),
    response: message('DeleteProcessResponse', {}),
  },
  DeleteContainer: {
    request: message('DeleteContainerRequest', { id: scalar('string', 1) }),
    response: message('DeleteContainerResponse', {}),
  },
  ListContainers: {
    request: message('ListContainersRequest', {}),
    response: message('ListContainersResponse', { containers: list(ContainerState, 1) }),
  },
  UpdateContainer: {
    request: message('UpdateContainerRequest', {
      id: scalar('string', 1),
      cgroupFiles: list(KeyValue, 2),
    }),
    response: message('UpdateContainerResponse', {}),
  },
  Stats: {
    request: message('StatsRequest', { containerId: scalar('string', 1) }),
    response: message('StatsResponse', {
      cpuUsageMicroseconds: scalar('uint64', 1),
      memoryCurrentBytes: scalar('uint64', 2),
      memoryPeakBytes: scalar('uint64', 3),
      memoryLimitBytes: scalar('uint64', 4),
      pidsCurrent: scalar('uint64', 5),
      outOfMemoryKills: scalar('uint64', 6),
    }),
  },
  WriteFile: {
    request: message('WriteFileRequest', {
      containerId: scalar('string', 1),
      path: scalar('string', 2),
      offset: scalar('uint64', 3),
      data: scalar('bytes', 4),
      mode: scalar('uint32', 5),
      uid: scalar('uint32', 6),
      gid: scalar('uint32', 7),
    }),
    response: message('WriteFileResponse', {}),
  },
  ReadFile: {
    request: message('ReadFileRequest', {
      containerId: scalar('string', 1),
      path: scalar('string', 2),
      offset: scalar('uint64', 3),
      length: scalar('uint32', 4),
    }),
    response: message('ReadFileResponse', {
      data: scalar('bytes', 1),
      sizeBytes: scalar('uint64', 2),
      mode: scalar('uint32', 3),
      eof: scalar('bool', 4),
    }),
  },
  Shutdown: {
    request: message('ShutdownRequest', { graceMilliseconds: scalar('uint32', 1) }),
    response: message('ShutdownResponse', {}),
  },
} as const;

export type CallName = keyof typeof CALLS;
/** A request as a plain object: fields left out are zero, 64-bit numbers may be bigint or safe numbers. */
export type RequestOf<C extends CallName> = Encodable<(typeof CALLS)[C]['request']>;
export type ResponseOf<C extends CallName> = Decoded<(typeof CALLS)[C]['response']>;

export type CreateContainerRequest = RequestOf<'CreateContainer'>;
export type ProcessDescription = Encodable<typeof Process>;
export type StdioRequest = Encodable<typeof StdioRequest>;
export type StartResponse = Decoded<typeof StartResponse>;
export type ExitStatus = Decoded<typeof ExitStatus>;
export type ContainerState = Decoded<typeof ContainerState>;
export type ProcessState = Decoded<typeof ProcessState>;
