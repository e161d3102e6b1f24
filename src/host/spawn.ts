import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { hasErrno, WardianError } from '../util/errors.ts';

/** As much of a tool's complaint as is worth showing. */
const MAX_COMPLAINT_BYTES = 4096;

type FilterProcess = ChildProcessByStdio<Writable, Readable, Readable>;

export interface FilterOptions {
  command: string;
  argv: readonly string[];
  input: AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
  /** What to do when the command is not installed. */
  missingHint: string;
}

/** A tool that read its input to the end and then refused it. */
export class FilterError extends Error {
  readonly complaint: string;

  constructor(command: string, complaint: string) {
    super(`${command}: ${complaint}`);
    this.complaint = complaint;
  }
}

/**
 * Streams bytes through another program (`zstd -dc`), holding back when the reader is slow. The program is gone when the
 * iteration ends, however it ends. Throws HOST_SETUP_MISSING when it is not installed, FilterError when it fails.
 */
export async function* filterThroughCommand(options: FilterOptions): AsyncGenerator<Buffer> {
  const child: FilterProcess = spawn(options.command, options.argv, {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exit = waitForExit(child, options);
  const complaint = collectText(child.stderr);
  const feeding = feed(options.input, child.stdin);
  const kill = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', kill, { once: true });
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    throwIfCancelled(options.signal, options.command);
    const code = await exit;
    if (code !== 0) throw new FilterError(options.command, (await complaint) || `exit ${code}`);
    const inputError = await feeding;
    if (inputError !== undefined) throw inputError;
  } catch (error) {
    // A tool that did not start, or a source that failed, is the reason; what else went wrong follows from it.
    kill();
    const startError = await exit.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    throw startError ?? (await Promise.race([feeding, Promise.resolve(undefined)])) ?? error;
  } finally {
    options.signal?.removeEventListener('abort', kill);
    kill();
    await exit.catch(() => undefined); // Reported above, when anybody still listens.
  }
}

export interface CommandOutput {
  stdout: string;
  stderr: string;
}

export interface CaptureOptions {
  timeoutMs: number;
  maxOutputBytes: number;
  signal?: AbortSignal | undefined;
  /** What it reads; absent: nothing. */
  input?: string;
  /** Absent: ours. */
  env?: NodeJS.ProcessEnv;
}

/** Runs a short command to its end and gives what it printed; a failure names the command and its complaint. */
export async function captureCommand(
  command: string,
  argv: readonly string[],
  limits: CaptureOptions,
): Promise<CommandOutput> {
  const child = spawn(command, argv, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: limits.timeoutMs,
    killSignal: 'SIGKILL',
    ...(limits.signal === undefined ? {} : { signal: limits.signal }),
    ...(limits.env === undefined ? {} : { env: limits.env }),
  });
  child.stdin.on('error', () => {}); // It read no further: what it says at its end is what counts.
  child.stdin.end(limits.input ?? '');
  try {
    const [stdout, stderr, code] = await Promise.all([
      collectText(child.stdout, limits.maxOutputBytes),
      collectText(child.stderr),
      once(child, 'close').then(([status]) => status as number | null),
    ]);
    if (code === 0) return { stdout, stderr };
    throw new FilterError(command, stderr || `exit ${code ?? 'by signal'}`);
  } finally {
    child.kill('SIGKILL');
  }
}

function waitForExit(child: FilterProcess, options: FilterOptions): Promise<number> {
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(describeSpawnError(error, options)));
    child.once('close', (code) => resolve(code ?? -1));
  });
  exit.catch(() => undefined); // Awaited only after stdout has ended; until then nobody may call it unhandled.
  return exit;
}

function describeSpawnError(error: Error, options: FilterOptions): Error {
  if (!hasErrno(error, 'ENOENT')) return error;
  return new WardianError('HOST_SETUP_MISSING', `the command ${options.command} is not installed`, {
    cause: error,
    hint: options.missingHint,
  });
}

/** Resolves to what went wrong with the source; that the tool stopped reading early is not an error of ours. */
async function feed(
  input: AsyncIterable<Uint8Array>,
  sink: Writable,
): Promise<unknown | undefined> {
  try {
    await pipeline(Readable.from(input, { objectMode: false }), sink);
    return undefined;
  } catch (error) {
    return hasErrno(error, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET') ? undefined : error;
  }
}

async function collectText(stream: Readable, maxBytes = MAX_COMPLAINT_BYTES): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The rest is read and dropped: a full pipe would stop the tool.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (length < maxBytes) chunks.push(chunk.subarray(0, maxBytes - length));
    length += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8').trim();
}

function throwIfCancelled(signal: AbortSignal | undefined, command: string): void {
  if (signal?.aborted === true) throw new WardianError('CANCELLED', `${command} was cancelled`);
}
