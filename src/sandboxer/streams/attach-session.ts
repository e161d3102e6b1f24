import { WardianError } from '../../util/errors.ts';
import type { TraceMark } from '../../util/trace.ts';
import {
  type AttachRequest,
  type ExitReport,
  type SandboxerMethods,
  STREAM_KIND,
  type StreamKind,
} from '../api.ts';
import type { ClientStream, SandboxerClient } from '../client.ts';
import { OutputTrack, type WriteOutput } from './output-track.ts';
import { readTrace } from './send-trace.ts';
import { StdinFeed } from './stdin-feed.ts';

export type AttachEnd = { kind: 'exited'; report: ExitReport } | { kind: 'detached' };

export interface AttachOptions {
  /** Connected; the session goes on with another one when its sandboxer dies. */
  readonly client: SandboxerClient;
  reconnect(): Promise<SandboxerClient>;
  readonly request: AttachRequest;
  /** The call that starts the process, when it was sent together with this session's first request. */
  readonly started?: Promise<unknown>;
  readonly writeStdout: WriteOutput;
  readonly writeStderr: WriteOutput;
  /** A line about a long step that the sandboxer takes first. */
  onProgress?(line: string): void;
  /** The sandboxer's part of a trace that the run request asked for, as far as it has come. */
  onTrace?(marks: TraceMark[]): void;
  /** `push` of stdin may go on. */
  onStdinRoom?(): void;
  /** Another connection took over: a terminal tells it its size. */
  onReconnected?(): void;
}

/** How long a sandboxer may be away before a session gives up; a new one adopts the machines in tenths of a second. */
const RECONNECT_TIMEOUT_MS = 10_000;

const RECONNECT_DELAY_MS = 100;
/** A connection that lasted this long was a good one: its loss begins a new span of patience. */
const STEADY_MS = 1_000;

/**
 * A client's hold on the standard streams of a process. It outlives sandboxers: when one dies, the session
 * connects again (which starts another) and goes on at its own offsets, so that no byte is lost or doubled.
 */
export class AttachSession {
  readonly #options: AttachOptions;
  #client: SandboxerClient;
  #stream: ClientStream<ExitReport> | undefined;
  #ended = false;
  /** When the present connection was made, and when the patience of its losses in a row is over. */
  #connectedAtMs = Date.now();
  #giveUpAtMs = 0;
  #changeListeners: (() => void)[] = [];
  readonly #stdout: OutputTrack;
  readonly #stderr: OutputTrack;
  readonly #stdin: StdinFeed;
  /** Settles when the process has ended and all its output is written, or when the session was left. */
  readonly done: Promise<AttachEnd>;
  #resolveDetached!: (end: AttachEnd) => void;
  #rejectWrite!: (error: Error) => void;

  constructor(options: AttachOptions) {
    this.#options = options;
    this.#client = options.client;
    const detached = new Promise<AttachEnd>((resolve, reject) => {
      this.#resolveDetached = resolve;
      this.#rejectWrite = reject;
    });
    this.#stdout = this.#createTrack('stdout', options.writeStdout);
    this.#stderr = this.#createTrack('stderr', options.writeStderr);
    this.#stdin = new StdinFeed(
      (kind, offset, bytes) => this.#stream?.send(kind, offset, bytes),
      () => options.onStdinRoom?.(),
    );
    this.#stream = this.#open(options.request.from);
    this.done = Promise.race([this.#follow(this.#stream), detached]).finally(() => this.#end());
    this.done.catch(() => {}); // Whoever started the process may hear of the failure first.
  }

  /**
   * A call beside the stream (`kill`, `resize`); when its sandboxer dies it is made again with the next,
   * so it must be harmless to make twice.
   */
  async call<M extends keyof SandboxerMethods>(
    method: M,
    request: SandboxerMethods[M]['request'],
  ): Promise<SandboxerMethods[M]['response']> {
    for (;;) {
      const client = this.#client;
      try {
        return await client.call(method, request);
      } catch (error) {
        if (client.isOpen || this.#ended) throw error;
        if (this.#client === client) await this.#changed();
        if (this.#ended) throw error;
      }
    }
  }

  /** Closes the connection; `done` may never settle when the process still runs. */
  close(): void {
    this.#end();
    this.#client.close();
  }

  /** Feeds stdin; false: wait for `onStdinRoom`. */
  pushStdin(bytes: Uint8Array): boolean {
    return this.#stdin.push(bytes);
  }

  endStdin(): void {
    this.#stdin.end();
  }

  /** Leaves the process to itself. */
  detach(): void {
    this.#stream?.send(STREAM_KIND.detach, 0);
    this.#resolveDetached({ kind: 'detached' });
  }

  #end(): void {
    this.#ended = true;
    this.#announceChange();
  }

  /** Resolves when there is another connection, or the session has ended. */
  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#changeListeners.push(resolve);
    });
  }

  #announceChange(): void {
    for (const listener of this.#changeListeners.splice(0)) listener();
  }

  #createTrack(name: 'stdout' | 'stderr', write: WriteOutput): OutputTrack {
    const { from } = this.#options.request;
    return new OutputTrack({
      start: typeof from === 'object' ? from[name] : undefined,
      write,
      acknowledge: (offset) => this.#stream?.send(STREAM_KIND[`${name}Acknowledged`], offset),
      onWriteError: (error) => this.#rejectWrite(error),
    });
  }

  #open(from: AttachRequest['from']): ClientStream<ExitReport> {
    return this.#client.openStream(
      'attach',
      { ...this.#options.request, from },
      { onFrame: (kind, offset, bytes) => this.#receive(kind, offset, bytes) },
    );
  }

  #receive(kind: StreamKind, offset: number, bytes: Buffer): void {
    if (kind === STREAM_KIND.stdout) this.#stdout.receive(offset, bytes);
    else if (kind === STREAM_KIND.stderr) this.#stderr.receive(offset, bytes);
    else if (kind === STREAM_KIND.stdinAcknowledged) this.#stdin.acknowledge(offset);
    else if (kind === STREAM_KIND.progress) this.#options.onProgress?.(bytes.toString('utf8'));
    else if (kind === STREAM_KIND.trace) this.#options.onTrace?.(readTrace(bytes));
  }

  /** Waits for the end, through as many sandboxers as it takes. */
  async #follow(first: ClientStream<ExitReport>): Promise<AttachEnd> {
    for (let stream = first; ; ) {
      try {
        const report = await stream.done;
        await Promise.all([this.#stdout.idle(), this.#stderr.idle()]);
        return { kind: 'exited', report };
      } catch (error) {
        if (this.#client.isOpen || this.#ended) throw error;
        stream = await this.#reopen(error);
      }
    }
  }

  async #reopen(lost: unknown): Promise<ClientStream<ExitReport>> {
    this.#stream = undefined;
    await this.#options.started; // A process that was not started cannot be attached to, anywhere.
    const client = await this.#reconnect(lost);
    if (this.#ended) {
      client.close();
      throw lost;
    }
    this.#client = client;
    // What came before the loss may still wait in a slow pipe: it counts as received, for it will be written.
    const stream = this.#open(this.#position());
    this.#stream = stream;
    this.#stdin.resend();
    this.#announceChange();
    this.#options.onReconnected?.();
    return stream;
  }

  /** Where to go on; a session that has seen nothing yet begins as it began. */
  #position(): AttachRequest['from'] {
    const stdout = this.#stdout.received;
    const stderr = this.#stderr.received;
    const stdin = this.#stdin.acknowledged;
    const isNew = stdout === undefined && stderr === undefined && stdin === 0;
    if (isNew && typeof this.#options.request.from === 'string') return this.#options.request.from;
    return { stdout: stdout ?? 0, stderr: stderr ?? 0, stdin };
  }

  async #reconnect(lost: unknown): Promise<SandboxerClient> {
    const wasSteady = Date.now() - this.#connectedAtMs > STEADY_MS;
    if (wasSteady || this.#giveUpAtMs === 0) {
      this.#giveUpAtMs = Date.now() + RECONNECT_TIMEOUT_MS;
    } else {
      await this.#waitToReconnect(lost, lost); // it comes and goes: not as fast as it can
    }
    for (;;) {
      try {
        const client = await this.#options.reconnect();
        this.#connectedAtMs = Date.now();
        return client;
      } catch (error) {
        await this.#waitToReconnect(lost, error);
      }
    }
  }

  async #waitToReconnect(lost: unknown, cause: unknown): Promise<void> {
    if (this.#ended) throw lost;
    if (Date.now() > this.#giveUpAtMs) {
      throw new WardianError('SANDBOXER_UNREACHABLE', 'the sandboxer did not come back', {
        cause,
        hint: 'the container may still run: see wardian ps, then wardian attach',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_DELAY_MS));
  }
}
