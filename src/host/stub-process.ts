import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { WardianError } from '../util/errors.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';

/** The stub talks to us here (native/stub/stub.h): "ready" or "error: …" comes, "go" leaves. */
const CONTROL_FD = 3;
/** A complaint names a path or two. */
const MAX_REPORT_BYTES = 16 * 1024;
/** Joining cgroups waits for the kernel's other processors, and mounts for disks; a minute is a stalled host. */
const READY_TIMEOUT_MS = 60_000;
/** It has nothing more to do than to close a descriptor. */
const GO_TIMEOUT_MS = 15_000;

export interface StubStart {
  readonly stubPath: string;
  readonly argv: readonly string[];
  /** For a sandboxer that the stub may have to start. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A stub that has our standard streams. It dies with us until it was told to go. */
export interface Stub extends ProcessIdentity {
  /** Resolves when all is prepared; rejected with what the stub says when that failed. */
  readonly ready: Promise<void>;
  /** Lets it serve its process; from here on it lives without us. */
  go(): Promise<void>;
  /** Resolves to the exit code that a shell would give. */
  readonly exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a stub, which prepares itself meanwhile. */
export function startStub({ stubPath, argv, environment }: StubStart): Stub {
  const child = spawn(stubPath, argv, {
    env: environment,
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  const control = child.stdio[CONTROL_FD] as Socket;
  control.on('error', () => {}); // EPIPE: it has ended, which its exit tells
  const ready = readReport(child, control, stubPath);
  ready.catch(() => {}); // Awaited when other things are done; until then nobody may call it unhandled.
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]),
    );
  });
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  return {
    // When it could not be started, `ready` says so.
    ...(identity ?? { pid: 0, startTime: '', bootId: '' }),
    ready,
    go: () => sendGo(control),
    exited,
    kill: (signal) => child.kill(signal),
  };
}

function readReport(child: ChildProcess, control: Socket, stubPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(failed('the stub did not report')), READY_TIMEOUT_MS);
    const settle = (error?: WardianError): void => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    };
    child.once('error', (cause) => settle(notStarted(stubPath, cause)));
    control.on('data', (bytes: Buffer) => {
      text += bytes.toString('utf8');
      if (text.includes('\n') || text.length > MAX_REPORT_BYTES) settle(readLine(text));
    });
    control.once('close', () => settle(failed('the stub ended before it was ready')));
  });
}

/** Undefined for "ready". */
function readLine(text: string): WardianError | undefined {
  const [line = ''] = text.split('\n');
  if (line === 'ready') return undefined;
  const complaint = /^error: (.*)$/.exec(line)?.[1];
  return failed(complaint ?? `the stub said ${JSON.stringify(line.slice(0, 200))}`);
}

/** Resolves when the stub has closed its end: it then serves. */
function sendGo(control: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failed('the stub did not go')), GO_TIMEOUT_MS);
    const settle = (): void => {
      clearTimeout(timer);
      resolve();
    };
    if (control.destroyed) return settle();
    control.once('close', settle);
    control.write('go\n');
  });
}

/** Complaints end in the words of strerror(3). */
function failed(message: string): WardianError {
  if (/: No such file or directory$/.test(message))
    return new WardianError('PATH_NOT_FOUND', message);
  if (/: No space left on device$/.test(message)) return new WardianError('HOST_NO_SPACE', message);
  return new WardianError('HOST_PERMISSION', message);
}

function notStarted(stubPath: string, cause: Error): WardianError {
  return new WardianError('HOST_SETUP_MISSING', `${stubPath} cannot be started`, {
    cause,
    hint: 'run ./wardian check in the checkout, which builds what is missing',
  });
}
