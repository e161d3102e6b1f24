import { FrameError } from '../../util/ttrpc/frame.ts';

/** Unacknowledged bytes that make an acknowledgement due even while more is being written. */
const ACKNOWLEDGE_BYTES = 64 * 1024;

/** Writes bytes and calls back when they have left, or with why they cannot. */
export type WriteOutput = (bytes: Uint8Array, done: (error?: Error | null) => void) => void;

/**
 * One output stream as a client follows it: drops what came twice, and acknowledges what was written for good,
 * at least every 64 KiB and when everything is written.
 */
export class OutputTrack {
  readonly #write: WriteOutput;
  readonly #acknowledge: (offset: number) => void;
  readonly #onWriteError: (error: Error) => void;
  #received: number | undefined;
  #written = 0;
  #acknowledged = 0;
  #idleListeners: (() => void)[] = [];

  /** `start`: offset of the first byte; undefined when the sandboxer decides. */
  constructor(options: {
    start: number | undefined;
    write: WriteOutput;
    acknowledge: (offset: number) => void;
    onWriteError: (error: Error) => void;
  }) {
    this.#received = options.start;
    this.#write = options.write;
    this.#acknowledge = options.acknowledge;
    this.#onWriteError = options.onWriteError;
  }

  /** Offset of the next byte; undefined when none has come yet. */
  get received(): number | undefined {
    return this.#received;
  }

  /** Takes bytes from the sandboxer. Throws FrameError when some are missing before them. */
  receive(offset: number, bytes: Uint8Array): void {
    if (this.#received === undefined) {
      this.#received = offset;
      this.#written = offset;
      this.#acknowledged = offset;
    }
    const repeated = this.#received - offset;
    if (repeated < 0) {
      throw new FrameError(`${-repeated} bytes of output are missing before offset ${offset}`);
    }
    if (repeated >= bytes.length) return;
    const fresh = bytes.subarray(repeated);
    this.#received = offset + bytes.length;
    const end = this.#received;
    this.#write(fresh, (error) => {
      if (error) this.#onWriteError(error);
      else this.#onWritten(end);
    });
  }

  /** Fulfilled when everything that came is written. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#idleListeners.push(resolve);
    });
  }

  #isIdle(): boolean {
    return this.#received === undefined || this.#written >= this.#received;
  }

  #onWritten(end: number): void {
    this.#written = end;
    const isIdle = this.#isIdle();
    if (isIdle || end - this.#acknowledged >= ACKNOWLEDGE_BYTES) {
      this.#acknowledged = end;
      this.#acknowledge(end);
    }
    if (!isIdle) return;
    for (const listener of this.#idleListeners.splice(0)) listener();
  }
}
