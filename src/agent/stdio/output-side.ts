import { agentBreach } from '../failures.ts';
import { STDIO_WINDOW_BYTES } from './limits.ts';
import type { StdioOutput } from './stdio-message.ts';

/** The host's books on stdout or stderr: what has come, what was acknowledged, what the guest may send. */
export class OutputSide {
  readonly #name: string;
  /** Offset of the next byte that has not come yet. */
  #received: number;
  #acknowledged: number;
  #acknowledgementSent: number;
  #ended = false;

  constructor(name: string, offset: number) {
    this.#name = name;
    this.#received = offset;
    this.#acknowledged = offset;
    this.#acknowledgementSent = offset;
  }

  get received(): number {
    return this.#received;
  }

  /** Bytes whose acknowledgement the guest has yet to hear of. */
  get unsentAcknowledgement(): number {
    return this.#acknowledged - this.#acknowledgementSent;
  }

  /** Returns what is new in a frame, or undefined; throws AGENT_PROTOCOL when the frame breaks the rules. */
  receive({ offset, data, eof }: StdioOutput): Buffer | undefined {
    const end = offset + data.length;
    if (offset > this.#received) {
      throw this.#breach(`goes on at ${offset} instead of ${this.#received}`);
    }
    if (end > this.#acknowledged + STDIO_WINDOW_BYTES) {
      throw this.#breach(`has more than ${STDIO_WINDOW_BYTES} bytes that were not acknowledged`);
    }
    if (eof && end < this.#received) throw this.#breach('ends before what it has sent');
    if (this.#ended && end > this.#received) throw this.#breach('goes on after its end');
    const news = end > this.#received || (eof && !this.#ended);
    if (!news) return undefined;
    const fresh = data.subarray(this.#received - offset);
    this.#received = end;
    this.#ended = eof;
    return fresh;
  }

  /** Notes that everything before `offset` has arrived for good. */
  acknowledge(offset: number): void {
    if (offset > this.#received) {
      throw new RangeError(`${this.#name} has come up to ${this.#received}, not to ${offset}`);
    }
    this.#acknowledged = Math.max(this.#acknowledged, offset);
  }

  /** The acknowledgement to send now, or undefined when the guest has heard it. */
  takeAcknowledgement(): number | undefined {
    if (this.unsentAcknowledgement === 0) return undefined;
    this.#acknowledgementSent = this.#acknowledged;
    return this.#acknowledged;
  }

  #breach(what: string): Error {
    return agentBreach(`the guest's ${this.#name} ${what}`);
  }
}
