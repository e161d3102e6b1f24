/** Where the relay sends: the agent's stdio stream. */
export interface StdinTarget {
  writeStdin(bytes: Uint8Array, offset: number): void;
  endStdin(offset: number): void;
}

/** A client that feeds stdin; told how many of its own bytes the process has been given. */
export interface StdinWriter {
  onAcknowledged(clientOffset: number): void;
}

/** Bytes that may be under way to the agent without its acknowledgement (docs/protocol.md). */
const AGENT_WINDOW_BYTES = 256 * 1024;

interface Chunk {
  writer: StdinWriter;
  bytes: Uint8Array;
  /** Offset in the writer's own count behind this chunk. */
  clientEnd: number;
}

/**
 * Brings stdin from attached clients to the agent. Clients count their bytes from 0, the agent counts all
 * bytes of the process; with several clients their bytes follow each other as they came.
 */
export class StdinRelay {
  #target: StdinTarget | undefined;
  readonly #accepted = new Map<StdinWriter, number>();
  /** Chunks from `#acknowledged` on: first those that were sent, then those that wait for room. */
  #chunks: Chunk[] = [];
  #sentChunks = 0;
  #sent: number;
  #acknowledged: number;
  #endRequested = false;
  #endSent = false;
  #closed = false;

  /** `acknowledged`: what the agent already had when this relay was made. */
  constructor(acknowledged: number) {
    this.#sent = acknowledged;
    this.#acknowledged = acknowledged;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Starts, or starts again after the agent's session did, to send to `target`. */
  connect(target: StdinTarget): void {
    this.#target = target;
    this.#sent = this.#acknowledged;
    this.#sentChunks = 0;
    this.#endSent = false;
    this.#send();
  }

  /** `accepted`: how many of its bytes are known to have reached the process already. */
  addWriter(writer: StdinWriter, accepted: number): void {
    this.#accepted.set(writer, accepted);
    if (accepted > 0 || this.#closed) {
      writer.onAcknowledged(this.#closed ? Number.MAX_SAFE_INTEGER : accepted);
    }
  }

  removeWriter(writer: StdinWriter): void {
    this.#accepted.delete(writer);
  }

  /** Takes bytes at the writer's own offset; what it sent before is dropped. */
  write(writer: StdinWriter, offset: number, bytes: Uint8Array): void {
    const accepted = this.#accepted.get(writer);
    if (accepted === undefined) return;
    const fresh = bytes.subarray(Math.max(0, accepted - offset));
    if (fresh.length === 0) return;
    const clientEnd = accepted + fresh.length;
    this.#accepted.set(writer, clientEnd);
    if (this.#closed) {
      writer.onAcknowledged(clientEnd);
      return;
    }
    this.#chunks.push({ writer, bytes: fresh, clientEnd });
    this.#send();
  }

  end(): void {
    this.#endRequested = true;
    this.#send();
  }

  /** The agent has handed everything before `offset` to the process. */
  onAcknowledged(offset: number): void {
    let end = this.#acknowledged;
    let done = 0;
    for (const chunk of this.#chunks) {
      if (end + chunk.bytes.length > offset) break;
      end += chunk.bytes.length;
      done += 1;
    }
    const finished = this.#chunks.splice(0, done);
    this.#sentChunks = Math.max(0, this.#sentChunks - done);
    this.#acknowledged = end;
    for (const { writer, clientEnd } of finished) writer.onAcknowledged(clientEnd);
    this.#send();
  }

  /** The process reads no more: what is and what comes is dropped, so that no writer waits for ever. */
  onClosed(): void {
    this.#closed = true;
    const dropped = this.#chunks.splice(0);
    this.#sentChunks = 0;
    for (const { writer, clientEnd } of dropped) writer.onAcknowledged(clientEnd);
  }

  #send(): void {
    const target = this.#target;
    if (target === undefined || this.#closed) return;
    for (;;) {
      const chunk = this.#chunks[this.#sentChunks];
      if (chunk === undefined) break;
      const outstanding = this.#sent - this.#acknowledged;
      if (outstanding > 0 && outstanding + chunk.bytes.length > AGENT_WINDOW_BYTES) return;
      target.writeStdin(chunk.bytes, this.#sent);
      this.#sent += chunk.bytes.length;
      this.#sentChunks += 1;
    }
    if (this.#endRequested && !this.#endSent) {
      this.#endSent = true;
      target.endStdin(this.#sent);
    }
  }
}
