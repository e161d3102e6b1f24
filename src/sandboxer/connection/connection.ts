import type { Duplex } from 'node:stream';
import {
  encodeFrame,
  FRAME_FLAG,
  FRAME_TYPE,
  type Frame,
  FrameError,
  FrameReader,
} from '../../util/ttrpc/frame.ts';

/** A data frame with these flags and no payload says that the client no longer waits for the call. */
export const CANCEL_FLAGS = FRAME_FLAG.remoteClosed | FRAME_FLAG.noData;

/**
 * One end of a socket between a client and the sandboxer: turns bytes into frames and back.
 * Frames of one turn of the event loop go out in one write; what `onFrame` throws ends the connection, for it means that
 * the other end does not keep to the rules.
 */
export class Connection {
  readonly #socket: Duplex;
  readonly #reader = new FrameReader();
  readonly #onFrame: (frame: Frame) => void;
  #failure: Error | undefined;
  #isOpen = true;
  #isGathering = false;
  /** Fulfilled when the socket is closed, for whatever reason. */
  readonly closed: Promise<void>;

  constructor(socket: Duplex, onFrame: (frame: Frame) => void) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isOpen = false;
        resolve();
      });
    });
    socket.on('error', (error) => {
      this.#failure ??= error;
    });
    // The other end has nothing more to say, so nobody is left to hear our answers.
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Why the connection broke, when it was not closed on purpose. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Sends frames, or drops them when the connection is closed (see `closed`). Throws when one is too long. */
  send(frames: readonly Frame[]): void {
    if (!this.#isOpen || this.#socket.destroyed || this.#socket.writableEnded) return;
    const parts = frames.flatMap(encodeFrame); // Before anything is written, for it may throw.
    this.#gather();
    for (const part of parts) this.#socket.write(part);
  }

  /** Fulfilled when the socket takes more, or is closed. */
  async drained(): Promise<void> {
    if (!this.#isOpen || !this.#socket.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.on('drain', done).on('close', done);
    });
  }

  /** Stops reading until `resume`: the other end then feels back-pressure. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes after what was sent has left. */
  close(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  /** Closes at once. */
  destroy(reason?: Error): void {
    this.#failure ??= reason;
    this.#socket.destroy();
  }

  /** What is sent in one turn of the event loop leaves in one write: the other end has it all or nothing. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      this.#socket.uncork();
    });
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (!this.#isOpen) return;
        this.#onFrame(frame);
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

interface MessageHeader {
  readonly streamId: number;
  readonly kind: 'request' | 'response';
  readonly flags?: number;
}

/** A request or response frame with `message` as JSON. Throws WardianError when it is too long. */
export function encodeMessage(
  { streamId, kind, flags = 0 }: MessageHeader,
  message: unknown,
): Frame {
  const payload = Buffer.from(JSON.stringify(message));
  return { streamId, type: FRAME_TYPE[kind], flags, payload };
}

/** The JSON object in a frame. Throws FrameError when it is not one. */
export function decodeMessage(frame: Frame): Record<string, unknown> {
  let message: unknown;
  try {
    message = JSON.parse(Buffer.from(frame.payload).toString('utf8'));
  } catch {
    throw new FrameError(`the message on stream ${frame.streamId} is not JSON`); // The text may be anything.
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new FrameError(`the message on stream ${frame.streamId} is not an object`);
  }
  return message as Record<string, unknown>;
}

/** Data frames with these payloads. */
export function wrapData(streamId: number, payloads: readonly Buffer[]): Frame[] {
  return payloads.map((payload) => ({ streamId, type: FRAME_TYPE.data, flags: 0, payload }));
}
