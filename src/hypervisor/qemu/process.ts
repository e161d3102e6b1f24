import { closeSync, constants, openSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type LaunchedProcess, launchProcess } from '../../host/launcher.ts';
import {
  identifyProcess,
  isProcessAlive,
  type ProcessIdentity,
} from '../../host/process-identity.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import { CONSOLE_LOG } from '../driver.ts';
import { INHERITED_FD } from './arguments.ts';
import { buildHostSide, type HostSide } from './host-side.ts';
import { VMM_LOG } from './machine-log.ts';
import { type Replaced, STEM_FDS, STEM_SOCKET } from './replaced.ts';

export const QMP_SOCKET = 'qmp.sock';
export const AGENT_SOCKET = 'agent.sock';

/** What a guest may print, and QEMU complain of, before it is dropped: nobody reads more, and it is memory in /run. */
export const LOG_LIMIT_BYTES = 8 * 1024 * 1024;
/** A machine goes before the process that looks after all of them when the host runs out of memory. */
const OOM_SCORE = 500;
/** An adopted machine has closed its monitor: until the kernel has taken it down only moments pass. */
const DEATH_TIMEOUT_MS = 5_000;
const DEATH_PAUSE_MS = 2;
const MAX_SOCKET_PATH = 107; // sun_path of unix(7), less the final zero

/** What the VMM may still reach once it runs; absent: everything that its user may. */
export interface Confinement {
  /** Whom it becomes; absent: it stays who we are, in a user namespace of its own. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Group of /dev/kvm, where that is needed to open it. */
  readonly deviceGid?: number;
  /** Files and folders that stay visible, read-only. */
  readonly visiblePaths: readonly string[];
}

export interface QemuStart {
  readonly launcherPath: string;
  readonly directory: string;
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** Guest memory, of a clone or a template to be; absent: QEMU allocates its own. */
  readonly memory?: FileHandle;
  /** File with the device state, of a clone. */
  readonly statePath?: string;
  /** Of a stem, which has memory and state as well. */
  readonly replaced?: Replaced;
  readonly hostSide: HostSide;
  readonly confinement: Confinement | undefined;
}

export interface QemuExit {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

/** A QEMU process, our child or not. */
export interface QemuProcess {
  readonly identity: ProcessIdentity;
  readonly exited: Promise<QemuExit>;
  kill(): void;
  release(): void;
}

/** Starts QEMU through the launcher; its sockets are there when this resolves, QEMU itself need not be. */
export async function startQemu(start: QemuStart): Promise<QemuProcess> {
  const opened: number[] = [];
  try {
    const own = (fd: number): number => {
      opened.push(fd);
      return fd;
    };
    const vmmLog = own(openLog(start.directory, VMM_LOG));
    const inheritedFds = [own(openLog(start.directory, CONSOLE_LOG))];
    if (start.memory !== undefined) inheritedFds.push(start.memory.fd);
    // Opened anew for each clone: the position in the file would be shared otherwise.
    if (start.statePath !== undefined) inheritedFds.push(own(openSync(start.statePath, 'r')));
    if (start.replaced !== undefined) {
      const console = inheritedFds[0] as number;
      const nothing = own(openSync('/dev/null', 'r')); // where the launcher opens the share
      inheritedFds.push(nothing, own(openSync(start.replaced.imagePath, 'r')), console);
    }
    const { launcherPath } = start;
    const argv = buildLauncherArguments(start);
    return followChild(await launchProcess({ launcherPath, argv, outputFd: vmmLog, inheritedFds }));
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** The launcher's command line; pure, so that a test can read it. */
export function buildLauncherArguments(start: QemuStart): string[] {
  const { directory, confinement, hostSide } = start;
  const kept: number[] = [INHERITED_FD.console];
  if (start.memory !== undefined) kept.push(INHERITED_FD.memory);
  if (start.statePath !== undefined) kept.push(INHERITED_FD.state);
  if (start.replaced !== undefined) kept.push(...STEM_FDS);
  return [
    'run',
    ...(start.replaced === undefined
      ? []
      : ['--stem', '--socket', `${INHERITED_FD.stem}=${path.join(directory, STEM_SOCKET)}`]),
    ...['--socket', `${INHERITED_FD.qmp}=${path.join(directory, QMP_SOCKET)}`],
    ...['--socket', `${INHERITED_FD.agent}=${path.join(directory, AGENT_SOCKET)}`],
    ...kept.flatMap((fd) => ['--keep', String(fd)]),
    ...(hostSide.share?.writable ? [] : ['--file-limit', String(LOG_LIMIT_BYTES)]),
    ...['--oom-score', String(OOM_SCORE)],
    ...buildHostSide(hostSide),
    ...(confinement === undefined ? [] : buildConfinement(confinement)),
    '--',
    ...start.argv,
  ];
}

function buildConfinement({ user, deviceGid, visiblePaths }: Confinement): string[] {
  return [
    '--isolate',
    ...(user === undefined ? [] : ['--user', String(user.uid), '--group', String(user.gid)]),
    ...(deviceGid === undefined ? [] : ['--device-group', String(deviceGid)]),
    ...visiblePaths.flatMap((visible) => ['--visible', visible]),
  ];
}

/** Takes over a process that is not our child; undefined when it is gone. */
export function adoptQemu(
  identity: ProcessIdentity,
  monitorClosed: Promise<void>,
): QemuProcess | undefined {
  if (!isProcessAlive(identity)) return undefined;
  return {
    identity,
    exited: monitorClosed.then(() => waitUntilGone(identity)),
    kill: () => killProcess(identity),
    release: () => {},
  };
}

function followChild(launched: LaunchedProcess): QemuProcess {
  // A child that has died already is ours to reap, so its pid is not used again while anybody reads this.
  const identity = identifyProcess(launched.pid) ?? {
    pid: launched.pid,
    startTime: '0',
    bootId: '',
  };
  return {
    identity,
    exited: launched.exited,
    kill: () => launched.kill(),
    release: () => launched.release(),
  };
}

/** Its monitor closes while the kernel takes the process down: what remains has no event to wait for. */
async function waitUntilGone(identity: ProcessIdentity): Promise<QemuExit> {
  const deadline = performance.now() + DEATH_TIMEOUT_MS;
  while (isProcessAlive(identity)) {
    if (performance.now() > deadline) killProcess(identity);
    await delay(DEATH_PAUSE_MS);
  }
  return { exitCode: undefined, signal: undefined };
}

function killProcess(identity: ProcessIdentity): void {
  if (!isProcessAlive(identity)) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** Opens a log that the VMM can append to but not reopen: it inherits the descriptor. */
export function openLog(directory: string, name: string): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
  return openSync(path.join(directory, name), flags, 0o600);
}

/** Connects to a socket in a machine's folder, however long that folder's path is. */
export async function connectTo(directory: string, name: string): Promise<Socket> {
  const direct = path.join(directory, name);
  if (Buffer.byteLength(direct) <= MAX_SOCKET_PATH) return await connectSocket(direct);
  const folder = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await connectSocket(`/proc/self/fd/${folder}/${name}`);
  } finally {
    closeSync(folder);
  }
}

function connectSocket(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  }).catch((error: unknown) => {
    throw new WardianError('SANDBOX_DIED', `cannot connect to the machine at ${socketPath}`, {
      cause: error,
    });
  }) as Promise<Socket>;
}
