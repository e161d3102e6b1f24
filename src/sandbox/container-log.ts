import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { OutputSink, OutputStream } from './output-stream.ts';

/**
 * A container's log: its output as records, so that it can be cut off at any byte and still be read and
 * continued without losing or doubling a byte:
 *
 *     <unix time in ms> <stdout|stderr> <offset in the stream> <length>\n<bytes>\n
 */
export type LogStream = 'stdout' | 'stderr';

export interface LogRecord {
  readonly timeMs: number;
  readonly stream: LogStream;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Longer headers are not ours: four numbers and a word fit well. */
const MAX_HEADER_BYTES = 80;
const MAX_RECORD_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** A log that has not grown for this long gives its descriptor back: most containers say little. */
const IDLE_MS = 1000;
const HEADER = /^(\d{1,16}) (stdout|stderr) (\d{1,16}) (\d{1,8})$/;

interface LogHeader {
  readonly timeMs: number;
  readonly stream: LogStream;
  readonly offset: number;
  readonly length: number;
  /** Bytes of the header line. */
  readonly size: number;
}

/** Reads complete records from `position` on; a torn one at the end is left alone. Returns where it stopped. */
export async function* readLog(file: FileHandle, position = 0): AsyncGenerator<LogRecord, number> {
  let start = position;
  let buffer: Buffer = Buffer.alloc(0);
  for (;;) {
    const header = parseHeader(buffer);
    const needed = header === undefined ? buffer.length + 1 : header.size + header.length + 1;
    if (header !== undefined && buffer.length >= needed) {
      const bytes = buffer.subarray(header.size, needed - 1);
      yield { timeMs: header.timeMs, stream: header.stream, offset: header.offset, bytes };
      buffer = buffer.subarray(needed);
      start += needed;
      continue;
    }
    if (header === undefined && buffer.length > MAX_HEADER_BYTES) return start;
    const more = Buffer.allocUnsafe(Math.max(READ_BYTES, needed - buffer.length));
    const { bytesRead } = await file.read(more, 0, more.length, start + buffer.length);
    if (bytesRead === 0) return start;
    buffer = Buffer.concat([buffer, more.subarray(0, bytesRead)]);
  }
}

function parseHeader(buffer: Buffer): LogHeader | undefined {
  const lineEnd = buffer.subarray(0, MAX_HEADER_BYTES).indexOf(0x0a);
  if (lineEnd === -1) return undefined;
  const match = HEADER.exec(buffer.toString('latin1', 0, lineEnd));
  if (match === null) return undefined;
  const [timeMs, offset, length] = [Number(match[1]), Number(match[3]), Number(match[4])];
  if (length > MAX_RECORD_BYTES) return undefined;
  return { timeMs, stream: match[2] as LogStream, offset, length, size: lineEnd + 1 };
}

/** Appends to a container's log. One write is under way at a time; what comes meanwhile goes with the next. */
export class ContainerLog {
  readonly #path: string;
  #file: FileHandle | undefined;
  #idle: NodeJS.Timeout | undefined;
  #size: number;
  readonly #positions: Record<LogStream, number>;
  #queue: { stream: LogStream; offset: number; bytes: Uint8Array }[] = [];
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;
  #closed = false;
  readonly #listeners = new Set<() => void>();

  private constructor(path: string, size: number, positions: Record<LogStream, number>) {
    this.#path = path;
    this.#size = size;
    this.#positions = positions;
  }

  /** Opens a log, made when it is not there; a torn record at its end is cut off. */
  static async open(path: string): Promise<ContainerLog> {
    const file = await open(path, 'a+', 0o600);
    try {
      const positions = { stdout: 0, stderr: 0 };
      const { size: sizeBytes } = await file.stat();
      const size = sizeBytes === 0 ? 0 : await findEnd(file, positions);
      if (size < sizeBytes) await file.truncate(size);
      return new ContainerLog(path, size, positions);
    } finally {
      await file.close();
    }
  }

  /** Why the log stopped growing (a full disk); the container goes on without it. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Up to which offset a stream stands in the log. */
  getPosition(stream: LogStream): number {
    return this.#positions[stream];
  }

  /** A sink that writes `output` into this log. */
  createSink(stream: LogStream, output: OutputStream): OutputSink {
    const log = this;
    const advance = (): void => output.advance();
    this.#listeners.add(advance);
    return {
      get position() {
        return log.#failure === undefined ? log.#positions[stream] : Number.MAX_SAFE_INTEGER;
      },
      write: (offset, bytes) => log.#append(stream, offset, bytes),
      end: () => {},
    };
  }

  /** Calls `listener` after every write; returns how to stop that. */
  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits until all that was handed over is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    await this.#closeFile();
  }

  #append(stream: LogStream, offset: number, bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#queue.push({ stream, offset, bytes });
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#writeBatch(batch);
      } catch (error) {
        this.#failure = error as Error;
        await this.#file?.truncate(this.#size).catch(() => {}); // the reader skips a torn record anyway
      }
      for (const listener of this.#listeners) listener();
    }
    this.#writing = undefined;
    this.#closeWhenIdle();
  }

  /** Not made anew when it is gone: whoever removed it wants it no more. */
  async #openFile(): Promise<FileHandle> {
    if (this.#closed) throw new Error('the log is closed');
    clearTimeout(this.#idle);
    this.#file ??= await open(this.#path, constants.O_WRONLY | constants.O_APPEND);
    return this.#file;
  }

  #closeWhenIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#writing === undefined) void this.#closeFile();
    }, IDLE_MS).unref();
  }

  async #closeFile(): Promise<void> {
    clearTimeout(this.#idle);
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #writeBatch(
    batch: readonly { stream: LogStream; offset: number; bytes: Uint8Array }[],
  ): Promise<void> {
    const timeMs = Date.now();
    const buffers = batch.flatMap(({ stream, offset, bytes }) => [
      Buffer.from(`${timeMs} ${stream} ${offset} ${bytes.length}\n`),
      bytes,
      NEWLINE,
    ]);
    const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    await this.#writeAll(buffers, total);
    this.#size += total;
    for (const { stream, offset, bytes } of batch) {
      this.#positions[stream] = offset + bytes.length;
    }
  }

  async #writeAll(buffers: Uint8Array[], total: number): Promise<void> {
    const file = await this.#openFile();
    const { bytesWritten } = await file.writev(buffers);
    if (bytesWritten === total) return;
    const rest = Buffer.concat(buffers).subarray(bytesWritten);
    await file.appendFile(rest);
  }
}

const NEWLINE = Buffer.from('\n');

async function findEnd(file: FileHandle, positions: Record<LogStream, number>): Promise<number> {
  const records = readLog(file);
  for (;;) {
    const next = await records.next();
    if (next.done) return next.value;
    positions[next.value.stream] = next.value.offset + next.value.bytes.length;
  }
}
