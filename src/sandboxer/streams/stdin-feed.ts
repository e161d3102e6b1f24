import { STREAM_KIND, STREAM_WINDOW_BYTES, type StreamKind } from '../api.ts';

type Send = (kind: StreamKind, offset: number, bytes?: Uint8Array) => void;

/**
 * Standard input on its way to the sandboxer: sends no more than the window beyond what was acknowledged,
 * and keeps what was not so that a new sandboxer can be given it again. Offsets count from 0.
 */
export class StdinFeed {
  readonly #send: Send;
  readonly #onRoom: () => void;
  /** From `#acknowledged` to `#end`, oldest first. */
  #kept: Uint8Array[] = [];
  #acknowledged = 0;
  #sent = 0;
  #end = 0;
  #isEnded = false;
  #isEndSent = false;
  #isClosed = false;

  /** `onRoom` is called when `push` may be called again after it returned false. */
  constructor(send: Send, onRoom: () => void) {
    this.#send = send;
    this.#onRoom = onRoom;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Takes bytes, which are not to be changed afterwards; false: wait for `onRoom` before the next. */
  push(bytes: Uint8Array): boolean {
    if (this.#isClosed || bytes.length === 0) return true;
    this.#kept.push(bytes);
    this.#end += bytes.length;
    this.#sendWhatFits();
    return this.#hasRoom();
  }

  /** Nothing more comes. */
  end(): void {
    this.#isEnded = true;
    this.#sendWhatFits();
  }

  /** All before `offset` has reached the process; past the end when it reads no more. */
  acknowledge(offset: number): void {
    if (offset <= this.#acknowledged) return;
    const hadRoom = this.#hasRoom();
    if (offset > this.#end) this.#close();
    else this.#forget(offset);
    this.#sendWhatFits();
    if (!hadRoom && this.#hasRoom()) this.#onRoom();
  }

  /** Sends everything again that was not acknowledged: a new sandboxer does not know it. */
  resend(): void {
    this.#sent = this.#acknowledged;
    this.#isEndSent = false;
    this.#sendWhatFits();
  }

  #hasRoom(): boolean {
    return this.#end - this.#acknowledged < STREAM_WINDOW_BYTES;
  }

  #close(): void {
    this.#isClosed = true;
    this.#kept = [];
    this.#acknowledged = this.#end;
    this.#sent = this.#end;
  }

  #forget(offset: number): void {
    let surplus = offset - this.#acknowledged;
    while (surplus > 0) {
      const first = this.#kept[0] as Uint8Array;
      if (first.length > surplus) this.#kept[0] = first.subarray(surplus);
      else this.#kept.shift();
      surplus -= Math.min(surplus, first.length);
    }
    this.#acknowledged = offset;
    this.#sent = Math.max(this.#sent, offset);
  }

  #sendWhatFits(): void {
    const limit = Math.min(this.#end, this.#acknowledged + STREAM_WINDOW_BYTES);
    let start = this.#acknowledged;
    for (const chunk of this.#kept) {
      if (start >= limit) break;
      const from = Math.max(start, this.#sent);
      const to = Math.min(start + chunk.length, limit);
      if (from < to) {
        this.#send(STREAM_KIND.stdin, from, chunk.subarray(from - start, to - start));
        this.#sent = to;
      }
      start += chunk.length;
    }
    if (this.#isEnded && !this.#isEndSent && this.#sent === this.#end) {
      this.#isEndSent = true;
      this.#send(STREAM_KIND.stdinEof, this.#end);
    }
  }
}
