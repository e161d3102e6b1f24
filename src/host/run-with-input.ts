import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';

/** As much as an error can show. */
const MAX_OUTPUT_BYTES = 4096;
/** What a program left in its pipes is there at once; what it left running may hold them for ever. */
const LAST_OUTPUT_MS = 200;

export interface ProgramRequest {
  readonly program: string;
  /** With the name that the program gets as its own. */
  readonly argv: readonly string[];
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** What it can read from standard input, and then the end. */
  readonly input: string;
  /** It is killed then, with what it started; absent: never. */
  readonly timeoutMs?: number | undefined;
}

/** How a program ended. */
export interface ProgramEnd {
  /** Absent when a signal ended it, or it could not be started. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly isTimedOut: boolean;
  /** Why it could not be started, in the kernel's words. */
  readonly startError: string | undefined;
  /** The beginning of what it wrote to standard output and error. */
  readonly output: string;
}

/** Runs a program to its end; what it may have left running in the background goes on. Never rejects. */
export async function runWithInput(request: ProgramRequest): Promise<ProgramEnd> {
  const [name = request.program, ...rest] = request.argv;
  const child = spawn(request.program, rest, {
    argv0: name,
    env: request.environment,
    cwd: request.workingDirectory,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that a timeout ends what it started as well
  });
  const output = collectBeginning(child);
  child.stdin.on('error', () => {}); // EPIPE: it does not want to know
  child.stdin.end(request.input);
  let isTimedOut = false;
  const timer = startTimer(request.timeoutMs, () => {
    isTimedOut = true;
    killGroup(child.pid);
  });
  const end = await waitForEnd(child);
  clearTimeout(timer);
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  return { ...end, isTimedOut, output: output() };
}

type PipedProcess = ChildProcessByStdio<Writable, Readable, Readable>;

function collectBeginning(child: PipedProcess): () => string {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for (const stream of [child.stdout, child.stderr]) {
    // The rest is read and dropped: a full pipe would stop the program.
    stream.on('data', (chunk: Buffer) => {
      if (lengthBytes < MAX_OUTPUT_BYTES)
        chunks.push(chunk.subarray(0, MAX_OUTPUT_BYTES - lengthBytes));
      lengthBytes += chunk.length;
    });
  }
  return () => Buffer.concat(chunks).toString('utf8').trim();
}

function waitForEnd(
  child: PipedProcess,
): Promise<Pick<ProgramEnd, 'exitCode' | 'signal' | 'startError'>> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ exitCode: undefined, signal: undefined, startError: describeErrno(error) }),
    );
    child.once('exit', (code, signal) => {
      const end = {
        exitCode: code ?? undefined,
        signal: signal ?? undefined,
        startError: undefined,
      };
      const timer = setTimeout(() => resolve(end), LAST_OUTPUT_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(end);
      });
    });
  });
}

function startTimer(timeoutMs: number | undefined, action: () => void): NodeJS.Timeout | undefined {
  return timeoutMs === undefined ? undefined : setTimeout(action, timeoutMs);
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: it has ended meanwhile
  }
}

/** Engines look for the kernel's own words in a message: "no such file or directory". */
function describeErrno(error: NodeJS.ErrnoException): string {
  return getSystemErrorMap().get(error.errno ?? 0)?.[1] ?? error.message;
}
