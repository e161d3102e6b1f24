/** Somebody who takes a stream's bytes: a log, an attached client. */
export interface OutputSink {
  /** All before this offset has arrived there for good. The stream reads it after `advance()`. */
  readonly position: number;
  write(offset: number, bytes: Uint8Array): void;
  end(offset: number): void;
}

/**
 * One output stream of a process on its way from the agent to its sinks.
 *
 * The agent is told that bytes have arrived only when every sink has them; until then they are kept here for
 * sinks that come later (a client that attaches, or comes back). The agent's window bounds how much that is.
 */
export class OutputStream {
  readonly #acknowledge: (offset: number) => void;
  /** Each sink with the offset of the next byte that it wants. */
  readonly #sinks = new Map<OutputSink, number>();
  /** Bytes from `#acknowledged` to `#received`, oldest first. */
  #pending: { offset: number; bytes: Uint8Array }[] = [];
  #received: number;
  #acknowledged: number;
  #ended = false;

  /** `start`: offset of the first byte that is still to come. */
  constructor(start: number, acknowledge: (offset: number) => void) {
    this.#received = start;
    this.#acknowledged = start;
    this.#acknowledge = acknowledge;
  }

  get received(): number {
    return this.#received;
  }

  /** First offset that a new sink can still be given. */
  get oldest(): number {
    return this.#acknowledged;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(offset: number, bytes: Uint8Array, eof: boolean): void {
    if (bytes.length > 0) {
      this.#pending.push({ offset, bytes });
      this.#received = offset + bytes.length;
      for (const sink of this.#sinks.keys()) this.#deliver(sink, offset, bytes);
    }
    if (eof) this.end();
    this.advance();
  }

  /** The stream is complete; also called when the process or its sandbox is gone. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const sink of this.#sinks.keys()) sink.end(this.#received);
  }

  /** Adds a sink and gives it everything that is kept from `from` on, and what comes. */
  addSink(sink: OutputSink, from: number): void {
    this.#sinks.set(sink, from);
    for (const { offset, bytes } of this.#pending) this.#deliver(sink, offset, bytes);
    if (this.#ended) sink.end(this.#received);
    this.advance();
  }

  removeSink(sink: OutputSink): void {
    if (this.#sinks.delete(sink)) this.advance();
  }

  /** Looks how far the slowest sink has come, and acknowledges and forgets up to there. */
  advance(): void {
    let slowest = this.#received;
    for (const sink of this.#sinks.keys()) slowest = Math.min(slowest, sink.position);
    if (slowest <= this.#acknowledged) return;
    this.#acknowledged = slowest;
    this.#dropPending();
    this.#acknowledge(slowest);
  }

  #deliver(sink: OutputSink, offset: number, bytes: Uint8Array): void {
    const skip = Math.max(0, (this.#sinks.get(sink) ?? 0) - offset);
    if (skip >= bytes.length) return;
    this.#sinks.set(sink, offset + bytes.length);
    sink.write(offset + skip, bytes.subarray(skip));
  }

  #dropPending(): void {
    const firstKept = this.#pending.findIndex(
      ({ offset, bytes }) => offset + bytes.length > this.#acknowledged,
    );
    this.#pending = firstKept === -1 ? [] : this.#pending.slice(firstKept);
  }
}

/** Keeps a stream's bytes for a client that is expected but not here yet. */
export function createHoldSink(position: number): OutputSink {
  return { position, write: () => {}, end: () => {} };
}
