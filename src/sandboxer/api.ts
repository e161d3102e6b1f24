import type { PairExplanation } from '../template/explain-pair.ts';
import type { GuestName } from '../template/guest.ts';
import type {
  ContainerReference,
  ContainerStats,
  EmptyResponse,
  ExecResponse,
} from './api-basics.ts';
import type { EngineMethods } from './engine-api.ts';

/**
 * What clients ask of the sandboxer over its socket. Frames are ttrpc's; payloads of requests and responses are
 * the JSON of these types (both ends are of one build, checked by `hello`), data frames carry standard streams.
 */

/** Path of the sandboxer's socket inside the runtime folder. */
export const SOCKET_NAME = 'sandboxer.sock';

/**
 * Names the engine's container for whose sake a sandboxer was started below that engine's monitor (conmon), which waits
 * for all its children: such a sandboxer does no more than it must, and leaves when that container has ended.
 */
export const PROVISIONAL_VARIABLE = 'WARDIAN_PROVISIONAL';

/** Bytes that a client or the sandboxer may send on a stream beyond what was acknowledged. */
export const STREAM_WINDOW_BYTES = 256 * 1024;

export interface SandboxerMethods extends EngineMethods {
  hello: { request: { version: string }; response: HelloResponse };
  run: { request: RunRequest; response: RunResponse };
  exec: { request: ExecRequest; response: ExecResponse };
  list: { request: { all: boolean }; response: { containers: ContainerSummary[] } };
  inspect: { request: ContainerReference; response: ContainerDetails };
  stop: { request: ContainerReference & { timeoutMs: number }; response: EmptyResponse };
  kill: {
    /** `all`: every process of the container. */
    request: ContainerReference & { signal: number; execId?: string; all?: boolean };
    response: EmptyResponse;
  };
  remove: {
    request: ContainerReference & { force: boolean; timeoutMs: number };
    response: EmptyResponse;
  };
  wait: { request: ContainerReference; response: { exitCode: number } };
  resize: {
    request: ContainerReference & { execId?: string; rows: number; columns: number };
    response: EmptyResponse;
  };
  stats: { request: ContainerReference; response: ContainerStats };
  info: { request: Record<string, never>; response: SandboxerInfo };
  /** Makes the template of a size class unless it is there. */
  prepareTemplate: {
    request: TemplateRequest;
    response: { key: string; made: boolean };
  };
  /** Ends the machines that wait for the next container; they are made again when one was started. */
  drainPool: { request: Record<string, never>; response: EmptyResponse };
  /** Ends the sandboxer when nothing runs (`force`: even then; the virtual machines go on). */
  shutdown: { request: { force: boolean }; response: EmptyResponse };
}

/** Stream calls: data frames both ways, the response when the stream has ended. */
export interface SandboxerStreams {
  attach: { request: AttachRequest; response: ExitReport };
  logs: { request: LogsRequest; response: EmptyResponse };
}

export interface TemplateRequest {
  limits: ResourceLimits;
  /** As in a RunRequest. */
  guest?: GuestName;
}

export interface HelloResponse {
  version: string;
  pid: number;
  /** It leaves as soon as the container has ended for which it was started; another may take its place before. */
  provisional: boolean;
}

/** `wardian run`: every field is validated again by the sandboxer. Absent means podman's default. */
export interface RunRequest {
  /** 64 hex digits, chosen by the client so that it can attach in the same write. */
  id: string;
  name?: string;
  image: string;
  /** Replaces the image's CMD. */
  command?: string[];
  /** Replaces the image's ENTRYPOINT; an empty list removes it. */
  entrypoint?: string[];
  /** `NAME=value` each, on top of the image's. */
  env: string[];
  workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  user?: string;
  hostname?: string;
  terminal: boolean;
  /** Size of the client's terminal when it starts. */
  terminalSize?: { rows: number; columns: number };
  /** Keep stdin open; otherwise it is /dev/null. */
  interactive: boolean;
  /** Remove the container when it has ended. */
  autoRemove: boolean;
  /** Goes on when the client has gone. Otherwise the container dies with the client that attached as its owner. */
  detached: boolean;
  readOnly: boolean;
  tmpfs: { destination: string; options: string }[];
  network: 'none';
  labels: Record<string, string>;
  stopSignal?: number;
  limits: ResourceLimits;
  /** False boots the sandbox cold. */
  template: boolean;
  /** Whose kernel it runs on: the distribution's, or the one that was built. Absent: what is preferred here. */
  guest?: GuestName;
  /** Send the phases of the start, and of the end, to whoever attaches. */
  trace?: boolean;
}

export interface ResourceLimits {
  /** Decimal number of CPUs, 0.01 and up; the machine gets as many whole ones as that needs. */
  cpus?: number;
  memoryBytes?: number;
  pids?: number;
}

export interface RunResponse {
  id: string;
  name: string;
  warnings: string[];
}

export interface ExecRequest extends ContainerReference {
  /** 64 hex digits, chosen by the client. */
  execId: string;
  command: string[];
  env: string[];
  workingDirectory?: string;
  user?: string;
  terminal: boolean;
  terminalSize?: { rows: number; columns: number };
  interactive: boolean;
  /** Nobody attaches: output is dropped and the process goes on. */
  detached: boolean;
}

export interface AttachRequest extends ContainerReference {
  execId?: string;
  /** True: this client feeds stdin. */
  stdin: boolean;
  /** The process ends when this client has gone and not come back within the grace time. */
  owner: boolean;
  /**
   * Where to begin. 'start': all that the agent still holds, for whoever started the process.
   * 'now': what comes from here on; an empty frame on each output stream tells the offset of that.
   * Offsets: a client that lost its sandboxer goes on where it was.
   */
  from: 'start' | 'now' | { stdout: number; stderr: number; stdin: number };
}

/** How a process ended; the response of `attach`. */
export interface ExitReport {
  exitCode: number;
  signal: number;
  outOfMemory: boolean;
  /** Set when the sandbox died rather than the process: what happened, for people. */
  sandboxFailure?: string;
}

export interface LogsRequest extends ContainerReference {
  follow: boolean;
  /** Last so many lines; absent: all. */
  tail?: number;
  /** Unix time in milliseconds. */
  sinceMs?: number;
  untilMs?: number;
  timestamps: boolean;
  /** A client that lost its sandboxer begins where that one had begun (`logStart`); `tail` then means nothing. */
  start?: LogStart;
}

/** Where in a log a reader begins: at a record, behind some of its lines. */
export interface LogStart {
  position: number;
  skipLines: number;
}

export type ContainerStatus = 'created' | 'running' | 'exited';

export interface ContainerSummary {
  id: string;
  name: string;
  image: string;
  imageId: string;
  command: string[];
  status: ContainerStatus;
  createdAtMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  exitCode?: number;
  labels: Record<string, string>;
}

export interface ContainerDetails extends ContainerSummary {
  state: {
    status: ContainerStatus;
    running: boolean;
    exitCode: number;
    outOfMemory: boolean;
    /** Empty, or why it could not start or ended as it did. */
    error: string;
    /** Pid of the VMM on the host, 0 when it has ended. */
    pid: number;
  };
  config: {
    env: string[];
    workingDirectory: string;
    user: string;
    hostname: string;
    terminal: boolean;
    interactive: boolean;
    entrypoint: string[];
    stopSignal: number;
    readOnly: boolean;
    tmpfs: { destination: string; options: string }[];
    autoRemove: boolean;
    limits: ResourceLimits;
  };
  sandbox: {
    driver: string;
    accelerator: string;
    cpus: number;
    memoryBytes: number;
    /** Key of the template it was cloned from; empty when it was booted cold. */
    template: string;
    kernel: string;
    /** distro or mini. */
    guest: string;
    /** distro or small, and its version. */
    vmm: string;
    directory: string;
  };
  execIds: string[];
  logPath: string;
}

export interface SandboxerInfo {
  version: string;
  pid: number;
  /** See HelloResponse. */
  provisional: boolean;
  containers: { running: number; exited: number };
  accelerator: string;
  acceleratorReason: string;
  /** What the next sandbox runs on and in, and why. */
  guest: PairExplanation;
  directories: { runtime: string; cache: string; data: string };
  /** Machines that wait for the next container. */
  pool: PoolInfo;
  /** What is in force, and who decided it. */
  configuration: readonly { key: string; value: string; source: string }[];
}

export interface PoolInfo {
  /** At most, of each size. */
  size: number;
  memoryLimitBytes: number;
  /** How many wait now, and the memory that they have for themselves. */
  ready: number;
  memoryBytes: number;
  /** One is on its way. */
  making: boolean;
}

/**
 * Payload of a data frame: u8 kind, u64be offset, then bytes.
 * Kinds stdin, stdout, stderr carry data at that offset; the `…Eof` kinds end a stream there;
 * the `…Acknowledged` kinds carry no bytes and say that all before the offset has arrived for good.
 */
export const STREAM_KIND = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  stdinEof: 3,
  stdinAcknowledged: 4,
  stdoutAcknowledged: 5,
  stderrAcknowledged: 6,
  /** Client to sandboxer: let go of the process without ending it (detach keys). */
  detach: 7,
  /** Sandboxer to client: one line of text about a long step (making a template); offset is 0. */
  progress: 8,
  /** Sandboxer to client: a LogStart as JSON, before the first line of a log; offset is 0. */
  logStart: 9,
  /** Sandboxer to client: TraceMarks as a JSON list; offset is 0. */
  trace: 10,
} as const;

export type StreamKind = (typeof STREAM_KIND)[keyof typeof STREAM_KIND];
