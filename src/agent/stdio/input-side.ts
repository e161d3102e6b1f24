import { WardianError } from '../../util/errors.ts';
import { agentBreach } from '../failures.ts';
import { MAX_STDIN_QUEUE_BYTES, STDIO_FRAME_BYTES, STDIO_WINDOW_BYTES } from './limits.ts';

/** A piece of stdin that may be sent now. */
export interface StdinPiece {
  data: Uint8Array;
  offset: number;
  eof: boolean;
}

/** The host's books on stdin: what waits, what was sent, what the guest has taken. */
export class InputSide {
  /** Bytes from `#sent` on that wait for the window or the channel. */
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #sent: number;
  #acknowledged: number;
  /** A guest that took bytes from a host before us may acknowledge them before we have sent them again. */
  readonly #tolerated: number;
  #state: 'open' | 'ending' | 'ended' | 'dropped' = 'open';

  constructor(offset: number) {
    this.#sent = offset;
    this.#acknowledged = offset;
    this.#tolerated = offset + STDIO_WINDOW_BYTES;
  }

  /** True while a writer may go on without waiting. */
  get hasRoom(): boolean {
    return this.#queuedBytes <= STDIO_FRAME_BYTES;
  }

  /** Queues bytes; those that were given before are passed over, a gap is the writer's mistake. */
  write(bytes: Uint8Array, offset: number): void {
    if (this.#state === 'dropped') return;
    const known = this.#end() - offset;
    this.#checkOffset(offset);
    if (known >= bytes.length) return;
    if (this.#state !== 'open') throw new WardianError('INTERNAL', 'stdin goes on after its end');
    const fresh = bytes.subarray(known);
    if (this.#queuedBytes + fresh.length > MAX_STDIN_QUEUE_BYTES) {
      throw new WardianError('INTERNAL', `more than ${MAX_STDIN_QUEUE_BYTES} bytes of stdin wait`);
    }
    this.#queue.push(fresh);
    this.#queuedBytes += fresh.length;
  }

  end(offset: number): void {
    if (this.#state !== 'open') return;
    this.#checkOffset(offset);
    this.#state = 'ending';
  }

  /** Takes the next piece that the window has room for. */
  next(): StdinPiece | undefined {
    const offset = this.#sent;
    const room = this.#acknowledged + STDIO_WINDOW_BYTES - offset;
    const data = this.#take(Math.min(room, STDIO_FRAME_BYTES));
    const eof = this.#state === 'ending' && this.#queuedBytes === 0;
    if (data === undefined && !eof) return undefined;
    if (eof) this.#state = 'ended';
    return { data: data ?? new Uint8Array(0), offset, eof };
  }

  /** Notes what the guest has taken; returns false when that was known. Throws AGENT_PROTOCOL when it cannot be. */
  acknowledged(offset: number): boolean {
    if (offset > Math.max(this.#sent, this.#tolerated)) {
      throw agentBreach(`the guest acknowledges stdin up to ${offset}, of ${this.#sent} sent`);
    }
    if (offset <= this.#acknowledged) return false;
    this.#acknowledged = offset;
    while (this.#sent < offset && this.#take(offset - this.#sent) !== undefined);
    this.#sent = Math.max(this.#sent, offset);
    return true;
  }

  /** Nobody reads stdin any more: drops what waits and what comes. Returns false when that was known. */
  drop(): boolean {
    if (this.#state === 'dropped') return false;
    this.#state = 'dropped';
    this.#queue = [];
    this.#queuedBytes = 0;
    return true;
  }

  /** Where the next byte that a writer has to give stands. */
  #end(): number {
    return this.#sent + this.#queuedBytes;
  }

  #checkOffset(offset: number): void {
    if (offset <= this.#end()) return;
    throw new WardianError('INTERNAL', `stdin goes on at ${offset} instead of ${this.#end()}`);
  }

  #take(maxBytes: number): Uint8Array | undefined {
    const first = this.#queue[0];
    if (first === undefined || maxBytes <= 0) return undefined;
    const piece = first.length <= maxBytes ? first : first.subarray(0, maxBytes);
    if (piece === first) this.#queue.shift();
    else this.#queue[0] = first.subarray(maxBytes);
    this.#queuedBytes -= piece.length;
    this.#sent += piece.length;
    return piece;
  }
}
