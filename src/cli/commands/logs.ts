import { type LogsRequest, STREAM_KIND, type StreamKind } from '../../sandboxer/api.ts';
import type { SandboxerClient } from '../../sandboxer/client.ts';
import { parseTime } from '../arguments/time.ts';
import { parseInteger } from '../arguments/values.ts';
import type { CommandContext } from '../command.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';

/** Bytes that may wait for a slow reader of our output before the sandboxer has to wait, too. */
const MAX_WAITING_BYTES = 1024 * 1024;

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
    await withSandboxer(context, (client) => showLogs(client, request, context));
    return 0;
  },
);

async function showLogs(
  client: SandboxerClient,
  request: LogsRequest,
  context: CommandContext,
): Promise<void> {
  const writer = new LogWriter(client, context);
  const stream = client.openStream('logs', request, {
    onFrame: (kind, _offset, bytes) => writer.write(kind, bytes),
  });
  await Promise.race([stream.done, writer.failed]);
  await Promise.race([writer.idle(), writer.failed]);
}

/** Writes log frames to the stream each belongs to, and lets the sandboxer wait when the reader is slow. */
class LogWriter {
  readonly #client: SandboxerClient;
  readonly #context: CommandContext;
  #waiting = 0;
  #onIdle = (): void => {};
  readonly failed: Promise<never>;
  #fail!: (error: Error) => void;

  constructor(client: SandboxerClient, context: CommandContext) {
    this.#client = client;
    this.#context = context;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // It may fail when nobody waits any more.
  }

  write(kind: StreamKind, bytes: Buffer): void {
    if (kind !== STREAM_KIND.stdout && kind !== STREAM_KIND.stderr) return;
    const stream = kind === STREAM_KIND.stdout ? this.#context.stdout : this.#context.stderr;
    this.#waiting += bytes.length;
    if (this.#waiting > MAX_WAITING_BYTES) this.#client.pause();
    stream.write(bytes, (error) => {
      if (error) this.#fail(error);
      this.#waiting -= bytes.length;
      if (this.#waiting <= MAX_WAITING_BYTES) this.#client.resume();
      if (this.#waiting === 0) this.#onIdle();
    });
  }

  async idle(): Promise<void> {
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
