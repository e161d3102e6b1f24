import type { Duplex } from 'node:stream';
import { WardianError } from '../../util/errors.ts';

/** QEMU's longest answer to what we ask is a few kilobytes; a VMM taken over by its guest may send anything. */
const MAX_LINE_BYTES = 1024 * 1024;
/** QEMU answers within milliseconds unless the host is out of breath. */
const COMMAND_TIMEOUT_MS = 20_000;
const MAX_ERROR_TEXT = 500;

/** The events that we listen for; others are ignored (QEMU QMP Reference, "Events"). */
export type QmpEvent =
  | { readonly event: 'SHUTDOWN'; readonly reason: string }
  | { readonly event: 'MIGRATION'; readonly status: string }
  | { readonly event: 'DEVICE_DELETED'; readonly device: string };

interface Pending {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * QEMU's monitor. Commands leave at once, even before QEMU runs: they wait in its socket.
 * Answers come in order of their commands but are matched by id.
 */
export class QmpClient {
  /** Resolves when the connection is over. Never rejects. */
  readonly closed: Promise<void>;
  /** Resolves when QEMU takes commands; rejects when it never will. */
  readonly ready: Promise<unknown>;
  readonly #stream: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #greeted = false;
  #isClosed = false;

  /** Begins the session: the first command is always the one that ends negotiation. */
  constructor(stream: Duplex) {
    this.#stream = stream;
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.#fail('QEMU closed its monitor');
        resolve();
      });
    });
    stream.on('error', () => {}); // 'close' follows, and that is what counts
    stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    this.ready = this.execute('qmp_capabilities');
    this.ready.catch(() => {}); // whoever issues the next command learns of it
  }

  /** True once nothing more can come; every command that was under way has failed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True once QEMU itself, and not merely its socket, was there. */
  get greeted(): boolean {
    return this.#greeted;
  }

  execute(command: string, parameters?: object, timeoutMs = COMMAND_TIMEOUT_MS): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(gone(command));
    const id = this.#nextId++;
    const request = { execute: command, id, ...(parameters && { arguments: parameters }) };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(failed(`QEMU did not answer ${command} within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      this.#pending.set(id, { command, resolve, reject, timer });
      this.#stream.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Calls back for every event from now on; returns how to stop that. */
  listen(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with the first event that `accept` takes; rejects when the monitor closes or time is up. */
  waitFor(
    what: string,
    accept: (event: QmpEvent) => boolean,
    timeoutMs: number,
  ): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const stop = this.listen((event) => {
        if (!accept(event)) return;
        finish();
        resolve(event);
      });
      const timer = setTimeout(() => {
        finish();
        reject(failed(`QEMU did not report ${what} within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      const finish = (): void => {
        stop();
        clearTimeout(timer);
      };
      void this.closed.then(() => {
        finish();
        reject(gone(what));
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }

  #receive(bytes: Buffer): void {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      this.#received.push(bytes.subarray(start, end));
      const line = Buffer.concat(this.#received).toString('utf8');
      this.#received = [];
      this.#receivedBytes = 0;
      start = end + 1;
      this.#handleLine(line);
    }
    const rest = bytes.subarray(start);
    this.#receivedBytes += rest.length;
    if (this.#receivedBytes > MAX_LINE_BYTES) this.#breach();
    else if (rest.length > 0) this.#received.push(rest);
  }

  #handleLine(line: string): void {
    if (line.trim() === '' || this.#isClosed) return;
    const message = parseObject(line);
    if (message === undefined) this.#breach();
    else if ('QMP' in message) this.#greeted = true;
    else if (typeof message['event'] === 'string') this.#handleEvent(message);
    else this.#handleAnswer(message);
  }

  #handleEvent(message: Record<string, unknown>): void {
    const event = parseEvent(message);
    if (event === undefined) return;
    for (const listener of [...this.#listeners]) listener(event);
  }

  #handleAnswer(message: Record<string, unknown>): void {
    const pending = this.#pending.get(message['id'] as number);
    if (pending === undefined) return; // its caller has given up
    this.#pending.delete(message['id'] as number);
    clearTimeout(pending.timer);
    if ('return' in message) pending.resolve(message['return']);
    else
      pending.reject(failed(`QEMU refused ${pending.command}: ${describeError(message['error'])}`));
  }

  #breach(): void {
    this.#fail('QEMU sent something that is not its protocol');
    this.#stream.destroy();
  }

  #fail(reason: string): void {
    this.#isClosed = true;
    for (const { command, reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(failed(`${reason} before it answered ${command}`));
    }
    this.#pending.clear();
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return asObject(value);
  } catch {
    return undefined; // not JSON: the caller ends the session
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as Record<string, unknown>;
}

function parseEvent(message: Record<string, unknown>): QmpEvent | undefined {
  const data = asObject(message['data']) ?? {};
  const text = (key: string): string => (typeof data[key] === 'string' ? data[key] : '');
  switch (message['event']) {
    case 'SHUTDOWN':
      return { event: 'SHUTDOWN', reason: text('reason') };
    case 'MIGRATION':
      return { event: 'MIGRATION', status: text('status') };
    case 'DEVICE_DELETED':
      return { event: 'DEVICE_DELETED', device: text('device') };
    default:
      return undefined;
  }
}

function describeError(error: unknown): string {
  const description = asObject(error)?.['desc'];
  return typeof description === 'string' ? description.slice(0, MAX_ERROR_TEXT) : 'no reason given';
}

function failed(message: string): WardianError {
  return new WardianError('HYPERVISOR_FAILED', message);
}

function gone(what: string): WardianError {
  return failed(`QEMU has ended; it cannot be asked for ${what}`);
}
