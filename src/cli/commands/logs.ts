import {
  type LogStart,
  type LogsRequest,
  STREAM_KIND,
  type StreamKind,
} from '../../sandboxer/api.ts';
import type { SandboxerClient } from '../../sandboxer/client.ts';
import { WardianError } from '../../util/errors.ts';
import { parseTime } from '../arguments/time.ts';
import { parseInteger } from '../arguments/values.ts';
import type { CommandContext } from '../command.ts';
import { connect } from '../connect.ts';
import { defineCommand } from '../define-command.ts';

/** Bytes that may wait for a slow reader of our output before the sandboxer has to wait, too. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Sandboxers that may die one after the other without having sent anything new. */
const MAX_LOSSES = 3;

/** `wardian logs`. */
export const logs = defineCommand(
  {
    name: 'logs',
    operands: 'CONTAINER',
    minimumOperands: 1,
    maximumOperands: 1,
    summary: 'show what a container has written',
    completes: 'container',
    flags: {
      follow: { short: 'f', help: 'go on while it runs' },
      tail: { short: 'n', value: 'LINES', help: 'only the last so many lines' },
      since: { value: 'TIME', help: 'from a time on, or from so long ago (10m)' },
      until: { value: 'TIME', help: 'up to a time, or to so long ago' },
      timestamps: { short: 't', help: 'put its time in front of every line' },
    },
  },
  async ({ flags, operands: [container = ''] }, context) => {
    const nowMs = Date.now();
    const lines =
      flags.tail === undefined || flags.tail === 'all'
        ? -1
        : parseInteger('--tail', flags.tail, { minimum: -1 });
    const request: LogsRequest = {
      container,
      follow: flags.follow,
      ...(lines >= 0 && { tail: lines }),
      ...(flags.since !== undefined && { sinceMs: parseTime('--since', flags.since, nowMs) }),
      ...(flags.until !== undefined && { untilMs: parseTime('--until', flags.until, nowMs) }),
      timestamps: flags.timestamps,
    };
    await showLogs(request, context);
    return 0;
  },
);

/** Shows a log; when the sandboxer dies, the next one goes on behind what this one has sent. */
async function showLogs(first: LogsRequest, context: CommandContext): Promise<void> {
  const writer = new LogWriter(context);
  for (let request = first, losses = 0; ; losses += 1) {
    const seenBefore = writer.seenBytes;
    const client = await connect(context);
    try {
      writer.begin(client);
      const stream = client.openStream('logs', request, {
        onFrame: (kind, offset, bytes) => writer.take(kind, offset, bytes),
      });
      await Promise.race([stream.done, writer.failed]);
      return await Promise.race([writer.idle(), writer.failed]);
    } catch (error) {
      if (writer.seenBytes > seenBefore) losses = 0;
      if (client.isOpen || !isLoss(error) || losses >= MAX_LOSSES) throw error;
      if (writer.start !== undefined) request = { ...first, start: writer.start };
    } finally {
      client.close();
    }
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof WardianError && error.code === 'SANDBOXER_UNREACHABLE';
}

/** Writes log frames to the stream each belongs to, and lets the sandboxer wait when the reader is slow. */
class LogWriter {
  readonly #context: CommandContext;
  #client: SandboxerClient | undefined;
  /** Bytes of each stream that have come, from whichever sandboxer. */
  readonly #seen = { stdout: 0, stderr: 0 };
  #start: LogStart | undefined;
  #waiting = 0;
  #onIdle = (): void => {};
  readonly failed: Promise<never>;
  #fail!: (error: Error) => void;

  constructor(context: CommandContext) {
    this.#context = context;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // It may fail when nobody waits any more.
  }

  get seenBytes(): number {
    return this.#seen.stdout + this.#seen.stderr;
  }

  /** Where the log began; undefined until the sandboxer has said so. */
  get start(): LogStart | undefined {
    return this.#start;
  }

  /** From here on frames come from this client's sandboxer. */
  begin(client: SandboxerClient): void {
    this.#client = client;
    if (this.#waiting > MAX_WAITING_BYTES) client.pause();
  }

  take(kind: StreamKind, offset: number, bytes: Buffer): void {
    if (kind === STREAM_KIND.logStart) this.#start ??= JSON.parse(bytes.toString()) as LogStart;
    else if (kind === STREAM_KIND.stdout) this.#write('stdout', offset, bytes);
    else if (kind === STREAM_KIND.stderr) this.#write('stderr', offset, bytes);
  }

  async idle(): Promise<void> {
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** A sandboxer counts from where the log began, so what an earlier one has sent is known by its offset. */
  #write(name: 'stdout' | 'stderr', offset: number, bytes: Buffer): void {
    const fresh = bytes.subarray(Math.max(0, this.#seen[name] - offset));
    if (fresh.length === 0) return;
    this.#seen[name] = offset + bytes.length;
    this.#waiting += fresh.length;
    if (this.#waiting > MAX_WAITING_BYTES) this.#client?.pause();
    this.#context[name].write(fresh, (error) => {
      if (error) this.#fail(error);
      this.#waiting -= fresh.length;
      if (this.#waiting <= MAX_WAITING_BYTES) this.#client?.resume();
      if (this.#waiting === 0) this.#onIdle();
    });
  }
}
