import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';

export interface DetachedProgram {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where its standard output and error go, behind what is there. */
  readonly logPath: string;
}

/** The descriptor on which a detached program says one line when it is ready. */
export const READY_DESCRIPTOR = 3;

/** A readiness line is short; more than this is not one. */
const MAX_READY_BYTES = 64 * 1024;

/** Bytes at the end of a log that are worth showing when a program did not start. */
const LOG_TAIL_BYTES = 2048;

/**
 * Starts a program in a session of its own that outlives this process, and waits until it has said a line on
 * READY_DESCRIPTOR; resolves with that line, or with undefined when it closed the descriptor (or ended) without.
 * Rejects when it cannot be executed, or when `signal` is aborted: the program then is killed.
 */
export async function startDetached(
  program: DetachedProgram,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const log = openSync(
    program.logPath,
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const child = spawn(program.file, program.arguments, {
      cwd: '/',
      detached: true,
      env: { ...program.environment },
      stdio: ['ignore', log, log, 'pipe'],
    });
    let abort = (): void => {};
    const failed = new Promise<never>((_resolve, reject) => {
      child.once('error', reject);
      abort = () => {
        child.kill('SIGKILL');
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
    });
    child.unref();
    const ready = child.stdio[READY_DESCRIPTOR] as Readable;
    try {
      return await Promise.race([readLine(ready), failed]);
    } finally {
      // The signal may be a timeout for the start: what has started is not to be killed by it.
      signal.removeEventListener('abort', abort);
      failed.catch(() => {}); // Settled too late to matter: the line is there.
      ready.destroy();
    }
  } finally {
    closeSync(log);
  }
}

async function readLine(stream: Readable): Promise<string | undefined> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    const end = text.indexOf('\n');
    if (end !== -1) return text.slice(0, end);
    if (text.length > MAX_READY_BYTES) return undefined;
  }
  return undefined;
}

/** The last lines of a log, for an error's cause; empty when there is no log. */
export function readLogTail(logPath: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(logPath, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return ''; // No log: the program did not come so far.
  }
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES));
    const read = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, read).trim();
  } finally {
    closeSync(descriptor);
  }
}
