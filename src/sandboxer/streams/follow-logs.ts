import { open } from 'node:fs/promises';
import type { Container } from '../../sandbox/container.ts';
import { type LogRecord, type LogStream, readLog } from '../../sandbox/container-log.ts';
import { hasErrno } from '../../util/errors.ts';
import { type LogStart, type LogsRequest, STREAM_KIND } from '../api.ts';
import type { ServerStream } from '../connection/server-connection.ts';

export interface LogSource {
  readonly logPath: string;
  /** Absent when the container has ended. */
  readonly container: Container | undefined;
}

/** Sends a container's log to a client, as asked for, and goes on while the container runs with `follow`. */
export async function followLogs(
  { logPath, container }: LogSource,
  request: LogsRequest,
  stream: ServerStream,
): Promise<void> {
  const file = await open(logPath, 'r').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined; // never written: an empty log
    throw error;
  });
  if (file === undefined) return;
  stream.onFrame(() => {}); // acknowledgements: a log has no window, the socket's back-pressure is enough
  const growth = watchGrowth(container, stream);
  try {
    const start = request.start ?? (await findTail(file, request));
    stream.send(STREAM_KIND.logStart, 0, Buffer.from(JSON.stringify(start)));
    const writer = new LineWriter(request, stream, start.skipLines);
    let { position } = start;
    for (;;) {
      const seen = growth.count();
      position = await sendFrom(file, position, writer, stream);
      if (!request.follow || stream.signal.aborted) break;
      if (!(await growth.waitBeyond(seen))) {
        await sendFrom(file, position, writer, stream);
        break;
      }
    }
  } finally {
    growth.stop();
    await file.close();
  }
}

type LogFile = Awaited<ReturnType<typeof open>>;

async function sendFrom(
  file: LogFile,
  position: number,
  writer: LineWriter,
  stream: ServerStream,
): Promise<number> {
  const records = readLog(file, position);
  for (;;) {
    const next = await records.next();
    if (next.done) return next.value;
    if (stream.signal.aborted) return position;
    writer.write(next.value);
    await stream.drained();
  }
}

/** Counts growth of a running container's log, so that none between two looks is missed. */
function watchGrowth(container: Container | undefined, stream: ServerStream) {
  let count = 0;
  let wake = (): void => {};
  let running = container?.running === true;
  const stop = container?.log?.onGrowth(() => {
    count += 1;
    wake();
  });
  void container?.finished.then(() => {
    running = false;
    wake();
  });
  // Once, not in each wait: a promise keeps whoever waits for it, and this one may live as long as the container.
  void stream.closed.then(() => wake());
  return {
    count: () => count,
    stop: () => stop?.(),
    /** False when there is nothing more to come. */
    async waitBeyond(seen: number): Promise<boolean> {
      if (count === seen && running && !stream.signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return !stream.signal.aborted && (running || count !== seen);
    },
  };
}

/** Where the last `tail` lines begin: a record, and how many of its lines come before them. */
async function findTail(file: LogFile, { tail }: LogsRequest): Promise<LogStart> {
  if (tail === undefined) return { position: 0, skipLines: 0 };
  // The newest records that together have as many lines as asked for, or just more.
  const recent: { position: number; lines: number }[] = [];
  let lines = 0;
  let position = 0;
  let unfinished = 0;
  const records = readLog(file);
  for (let next = await records.next(); !next.done; next = await records.next()) {
    const { bytes } = next.value;
    const count = countLines(bytes);
    unfinished = bytes.at(-1) === NEWLINE ? 0 : 1;
    recent.push({ position, lines: count });
    lines += count;
    position += recordSize(next.value);
    while (recent[0] !== undefined && lines - recent[0].lines >= tail) {
      lines -= recent[0].lines;
      recent.shift();
    }
  }
  const start = recent[0]?.position ?? position;
  return { position: start, skipLines: Math.max(0, lines + unfinished - tail) };
}

const NEWLINE = 0x0a;

function recordSize({ timeMs, stream, offset, bytes }: LogRecord): number {
  return `${timeMs} ${stream} ${offset} ${bytes.length}\n`.length + bytes.length + 1;
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** Sends records as lines: with a time in front of each, and only those of the time that was asked for. */
class LineWriter {
  readonly #request: LogsRequest;
  readonly #stream: ServerStream;
  readonly #atLineStart: Record<LogStream, boolean> = { stdout: true, stderr: true };
  readonly #offsets: Record<LogStream, number> = { stdout: 0, stderr: 0 };

  #skipLines: number;

  constructor(request: LogsRequest, stream: ServerStream, skipLines: number) {
    this.#request = request;
    this.#stream = stream;
    this.#skipLines = skipLines;
  }

  write({ timeMs, stream, bytes: all }: LogRecord): void {
    const bytes = this.#skip(all);
    if (bytes.length === 0) return;
    const { sinceMs = 0, untilMs = Number.MAX_SAFE_INTEGER, timestamps } = this.#request;
    if (timeMs < sinceMs || timeMs > untilMs) return;
    this.#send(stream, timestamps ? this.#stamp(timeMs, stream, bytes) : bytes);
  }

  #skip(bytes: Buffer): Buffer {
    let start = 0;
    while (this.#skipLines > 0) {
      const newline = bytes.indexOf(NEWLINE, start);
      if (newline === -1) return bytes.subarray(bytes.length);
      start = newline + 1;
      this.#skipLines -= 1;
    }
    return bytes.subarray(start);
  }

  #stamp(timeMs: number, stream: LogStream, bytes: Buffer): Buffer {
    const stamp = Buffer.from(`${new Date(timeMs).toISOString()} `);
    const parts: Buffer[] = [];
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (this.#atLineStart[stream]) parts.push(stamp);
      parts.push(bytes.subarray(start, end));
      this.#atLineStart[stream] = newline !== -1;
      start = end;
    }
    return Buffer.concat(parts);
  }

  #send(stream: LogStream, bytes: Uint8Array): void {
    this.#stream.send(STREAM_KIND[stream], this.#offsets[stream], bytes);
    this.#offsets[stream] += bytes.length;
  }
}
