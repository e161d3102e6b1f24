import { renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { VirtualMachineRecord } from '../hypervisor/driver.ts';
import { nameFullDisk, WardianError } from '../util/errors.ts';

export type ContainerStatus = 'created' | 'running' | 'exited';

/** How a process ended. */
export interface ExitReport {
  /** As a shell counts: exit code, or 128 + signal. */
  exitCode: number;
  signal: number;
  outOfMemory: boolean;
  /** Set when the sandbox died rather than the process. */
  sandboxFailure?: string;
}

/** The host process that stands for a process of an engine's container. */
export interface StubProcess {
  pid: number;
  /** Start time in clock ticks since boot (proc(5), stat field 22). */
  startTicks: string;
}

/** A process that was started beside the container's own. */
export interface ExecState {
  readonly execId: string;
  /** Ends when the client that started it has gone. */
  readonly owned: boolean;
  /** Of an engine's container. */
  readonly stub?: StubProcess;
}

/** What only a container of an engine has. */
export interface EngineState {
  readonly stub: StubProcess;
  /** Id of the container whose sandbox it has joined; absent: it has one of its own. */
  readonly sandbox?: string;
  isPaused?: boolean;
}

/** The machine below a container, as far as another process must know it. */
export interface MachineState {
  readonly record: VirtualMachineRecord;
  readonly accelerator: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Empty when it was booted cold. */
  readonly templateKey: string;
  readonly kernelRelease: string;
  /** Whose kernel and whose VMM it is; absent in a state of a release that had one of each. */
  readonly guest?: string;
  readonly vmm?: string;
}

/** All that is on disk about a sandbox with its container; `Request` is what it was made from. */
export interface SandboxState<Request = unknown> {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  readonly image: { readonly reference: string; readonly id: string };
  readonly createdAtMs: number;
  readonly request: Request;
  /** The container's specification (runtime-spec config.json), as text. */
  readonly spec: string;
  readonly stopSignal: number;
  machine?: MachineState;
  /** It ends when the client that started it has gone. */
  owned: boolean;
  status: ContainerStatus;
  startedAtMs?: number;
  finishedAtMs?: number;
  exit?: ExitReport;
  /** Why it could not start or ended as it did; empty when there is nothing to say. */
  error: string;
  execs: ExecState[];
  /** Absent for people's containers. */
  readonly engine?: EngineState;
}

const STATE_FILE = 'state.json';
/** A state file larger than this is not ours: environment and arguments of a process fit in 4 MiB. */
const MAX_STATE_BYTES = 16 * 1024 * 1024;
const ID = /^[0-9a-f]{64}$/;

function assertContainerId(id: string): void {
  if (ID.test(id)) return;
  throw new WardianError(
    'NAME_INVALID',
    `container id ${JSON.stringify(id.slice(0, 80))} is not 64 hex digits`,
  );
}

/** Folder of a sandbox. Its name is cut because a unix socket's path below it may have 107 bytes. */
export function sandboxDirectory(runtimeDirectory: string, id: string): string {
  assertContainerId(id);
  return path.join(runtimeDirectory, 'sandboxes', id.slice(0, 16));
}

/**
 * Writes the state so that a reader sees the old or the new one whole. Not synced to the disk: after a power
 * failure the virtual machine is gone as well, and a damaged state is cleared away. Some kilobytes without waiting for
 * a disk are written sooner than one of Node's threads can be asked to.
 */
export async function writeSandboxState(directory: string, state: SandboxState): Promise<void> {
  const file = path.join(directory, STATE_FILE);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 });
    renameSync(temporary, file);
  } catch (error) {
    throw nameFullDisk(error, directory);
  }
}

/** Reads and checks a state; anything but a whole, fitting one is STATE_CORRUPT. */
export async function readSandboxState(directory: string): Promise<SandboxState> {
  const file = path.join(directory, STATE_FILE);
  const text = await readFile(file, 'utf8');
  const value = text.length > MAX_STATE_BYTES ? undefined : parseJson(text);
  if (!isSandboxState(value) || !directory.endsWith(value.id.slice(0, 16))) {
    throw new WardianError('STATE_CORRUPT', `${file} is damaged`, {
      hint: 'it is cleared away, with its virtual machine, when the next sandboxer starts',
    });
  }
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // damaged: the caller says so with the file's name
  }
}

function isSandboxState(value: unknown): value is SandboxState {
  if (typeof value !== 'object' || value === null) return false;
  const state = value as Partial<SandboxState>;
  return (
    state.version === 1 &&
    typeof state.id === 'string' &&
    ID.test(state.id) &&
    typeof state.name === 'string' &&
    typeof state.image?.reference === 'string' &&
    typeof state.image.id === 'string' &&
    typeof state.createdAtMs === 'number' &&
    typeof state.request === 'object' &&
    state.request !== null &&
    typeof state.spec === 'string' &&
    typeof state.stopSignal === 'number' &&
    ['created', 'running', 'exited'].includes(state.status ?? '') &&
    (state.status !== 'running' || hasMachine(state)) &&
    isEngineState(state.engine) &&
    typeof state.error === 'string' &&
    typeof state.owned === 'boolean' &&
    Array.isArray(state.execs)
  );
}

function hasMachine({ machine, engine }: Partial<SandboxState>): boolean {
  return typeof engine?.sandbox === 'string' || isMachineState(machine);
}

function isEngineState(value: EngineState | undefined): boolean {
  if (value === undefined) return true;
  const { stub, sandbox } = value;
  return (
    Number.isInteger(stub?.pid) &&
    typeof stub.startTicks === 'string' &&
    (sandbox === undefined || ID.test(sandbox))
  );
}

function isMachineState(value: MachineState | undefined): boolean {
  return (
    typeof value === 'object' &&
    typeof value.record === 'object' &&
    Number.isInteger(value.record.pid) &&
    typeof value.record.directory === 'string'
  );
}
