import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { WardianError } from '../util/errors.ts';

/** The launcher reports here; its readiness is one byte, everything else is text (native/launcher/launcher.h). */
const REPORT_FD = 3;
const READY = 'R'.charCodeAt(0);
/** A report is a line or two. */
const MAX_REPORT_BYTES = 4096;
/** Measuring the clock takes 0.2 s, memory as long as a disk takes for a gigabyte or two. */
const HELPER_TIMEOUT_MS = 60_000;
/** The launcher binds two sockets before it reports; anything above milliseconds is a stalled host. */
const READY_TIMEOUT_MS = 15_000;

export interface LaunchRequest {
  readonly launcherPath: string;
  /** Arguments of the launcher, from `run` to the program's last. */
  readonly argv: readonly string[];
  /** Files for stdout and stderr, and for descriptors 4 and up, in that order. */
  readonly outputFd: number;
  readonly inheritedFds: readonly number[];
}

export interface LaunchedProcess {
  readonly pid: number;
  /** Settles when the process is gone and its parent knows. Never rejects. */
  readonly exited: Promise<{ exitCode: number | undefined; signal: string | undefined }>;
  kill(): void;
  /** Stops keeping the event loop alive for it. */
  release(): void;
}

/** Starts a program through the launcher; resolves once its sockets can be connected to. */
export async function launchProcess(request: LaunchRequest): Promise<LaunchedProcess> {
  const child = spawn(request.launcherPath, request.argv, {
    env: {},
    stdio: ['ignore', request.outputFd, request.outputFd, 'pipe', ...request.inheritedFds],
  });
  const exited = new Promise<{ exitCode: number | undefined; signal: string | undefined }>(
    (resolve) => {
      child.once('exit', (code, signal) =>
        resolve({ exitCode: code ?? undefined, signal: signal ?? undefined }),
      );
      child.once('error', () => resolve({ exitCode: undefined, signal: undefined }));
    },
  );
  try {
    await waitUntilReady(child, request.launcherPath);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    pid: child.pid as number,
    exited,
    kill: () => child.kill('SIGKILL'),
    release: () => child.unref(),
  };
}

/** Has a stem fork a machine; resolves to its pid once the machine has its sockets. */
export async function requestFork(request: LaunchRequest): Promise<number> {
  const child = spawn(request.launcherPath, request.argv, {
    env: {},
    stdio: ['ignore', request.outputFd, request.outputFd, 'pipe', ...request.inheritedFds],
    timeout: HELPER_TIMEOUT_MS,
  });
  const answer = await readAnswer(child, request.launcherPath);
  const pid = Number(answer);
  if (Number.isSafeInteger(pid) && pid > 1) return pid;
  throw failed(`the launcher answered ${JSON.stringify(answer)}`);
}

/** Resolves at the readiness byte. What follows it, a failure to become the program, is told by the exit and its log. */
function waitUntilReady(child: ChildProcess, launcherPath: string): Promise<void> {
  const report = child.stdio[REPORT_FD] as Readable;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(failed('the launcher did not report in time')),
      READY_TIMEOUT_MS,
    );
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    child.once('error', (error) => settle(() => reject(notStarted(launcherPath, error))));
    report.once('data', (bytes: Buffer) => {
      // Nothing more is read: the pipe must not keep the event loop alive for as long as the launcher prepares.
      report.destroy();
      if (bytes[0] === READY) settle(resolve);
      else settle(() => reject(failed(bytes.toString('utf8', 0, MAX_REPORT_BYTES).trim())));
    });
    report.once('end', () => settle(() => reject(failed('the launcher ended without a report'))));
    report.on('error', () => {}); // ECONNRESET: the exit says it better
  });
}

/** Guest memory that can be written, for a machine that is to become a template. */
export async function createGuestMemory(
  launcherPath: string,
  sizeBytes: number,
): Promise<FileHandle> {
  return (await takeMemory(launcherPath, ['create', String(sizeBytes)])).memory;
}

/** Sealed guest memory with the content of a file; the checksum is that of the content. */
export function loadGuestMemory(
  launcherPath: string,
  filePath: string,
  sizeBytes: number,
): Promise<{ memory: FileHandle; checksum: string }> {
  return takeMemory(launcherPath, ['load', filePath, String(sizeBytes)]);
}

/** Seals guest memory against every further change and writes it to a new file, leaving out what is zero. */
export async function saveGuestMemory(
  launcherPath: string,
  memory: FileHandle,
  filePath: string,
): Promise<{ checksum: string }> {
  const inherited = 4;
  const helper = startHelper(
    launcherPath,
    ['memory', 'save', String(inherited), filePath],
    [memory.fd],
  );
  try {
    return { checksum: parseAnswer(await helper.answer).checksum };
  } catch (error) {
    if (!(error instanceof WardianError) || error.code !== 'HOST_NO_SPACE') throw error;
    throw new WardianError('HOST_NO_SPACE', `no space is left for ${filePath}`, { cause: error });
  }
}

/** Frequency of this machine's time stamp counter, measured over 0.2 s. */
export async function measureTscKhz(launcherPath: string): Promise<number> {
  const khz = Number((await startHelper(launcherPath, ['clock'], []).answer).trim());
  if (Number.isSafeInteger(khz) && khz > 0) return khz;
  throw failed('the launcher did not measure the clock');
}

/**
 * Tries whether this user may isolate a machine here; undefined when it worked, else the reason. That no space is left
 * is such a reason: it is how the kernel says that no more user namespaces are allowed (user_namespaces(7)).
 */
export async function findIsolationObstacle(launcherPath: string): Promise<string | undefined> {
  try {
    await startHelper(launcherPath, ['isolation'], []).answer;
    return undefined;
  } catch (error) {
    const isRefusal =
      error instanceof WardianError &&
      (error.code === 'HYPERVISOR_FAILED' || error.code === 'HOST_NO_SPACE');
    if (isRefusal) return error.message;
    throw error;
  }
}

/** The launcher holds the memory until we have opened it through /proc: Node cannot receive descriptors. */
async function takeMemory(
  launcherPath: string,
  argv: readonly string[],
): Promise<{ memory: FileHandle; checksum: string }> {
  const helper = startHelper(launcherPath, ['memory', ...argv], []);
  try {
    const { fd, checksum } = parseAnswer(await helper.answer);
    return { memory: await open(`/proc/${helper.pid}/fd/${fd}`, 'r+'), checksum };
  } finally {
    helper.letGo();
  }
}

interface Helper {
  readonly pid: number;
  /** The first line of the report. */
  readonly answer: Promise<string>;
  letGo(): void;
}

function startHelper(
  launcherPath: string,
  argv: readonly string[],
  inheritedFds: readonly number[],
): Helper {
  const nullFd = openSync('/dev/null', 'w');
  const child = spawn(launcherPath, argv, {
    env: {},
    stdio: ['pipe', nullFd, nullFd, 'pipe', ...inheritedFds],
    timeout: HELPER_TIMEOUT_MS,
  });
  closeSync(nullFd);
  child.stdin?.on('error', () => {}); // EPIPE: it has ended, which its answer tells
  return {
    pid: child.pid ?? -1,
    answer: readAnswer(child, launcherPath),
    letGo: () => child.stdin?.end(),
  };
}

function readAnswer(child: ChildProcess, launcherPath: string): Promise<string> {
  const report = child.stdio[REPORT_FD] as Readable;
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', (error) => reject(notStarted(launcherPath, error)));
    report.on('error', () => {}); // the end that follows is what counts
    report.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (!text.includes('\n') && text.length < MAX_REPORT_BYTES) return;
      if (text.startsWith('launcher: ')) reject(failed(text.slice('launcher: '.length).trim()));
      else resolve(text);
    });
    report.once('close', () => reject(failed('the launcher ended without an answer')));
  });
}

function parseAnswer(answer: string): { fd: number; checksum: string } {
  const match = /^(\d{1,4}) ([0-9a-f]{16})\n$/.exec(answer);
  if (match === null) throw failed(`the launcher answered ${JSON.stringify(answer)}`);
  return { fd: Number(match[1]), checksum: match[2] as string };
}

/** The launcher's complaints end in the words of strerror(3), which tell a host that is full from a fault of ours. */
function failed(message: string): WardianError {
  if (/: No space left on device$/.test(message)) return new WardianError('HOST_NO_SPACE', message);
  const isOutOfMemory = /: (Out of memory|Cannot allocate memory)$/.test(message);
  return new WardianError(isOutOfMemory ? 'HOST_NO_MEMORY' : 'HYPERVISOR_FAILED', message);
}

function notStarted(launcherPath: string, cause: Error): WardianError {
  return new WardianError('HOST_SETUP_MISSING', `the launcher ${launcherPath} cannot be started`, {
    cause,
    hint: './wardian check',
  });
}
