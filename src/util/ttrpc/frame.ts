import { WardianError } from '../errors.ts';

/** Kinds of ttrpc frames. */
export const FRAME_TYPE = { request: 1, response: 2, data: 3 } as const;

/** Bits of a frame's flags; "remote" is whoever sends the frame. */
export const FRAME_FLAG = {
  /** The sender sends nothing more on this stream. */
  remoteClosed: 1,
  /** The request opens a stream: data frames follow. */
  remoteOpen: 2,
  /** There is no message in this frame. */
  noData: 4,
} as const;

export const FRAME_HEADER_BYTES = 10;

/** ttrpc's own limit; a longer frame is a breach, whoever sends it. */
export const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024;

/** One ttrpc frame: `u32be length | u32be stream | u8 type | u8 flags`, then the payload. */
export interface Frame {
  streamId: number;
  type: number;
  flags: number;
  payload: Uint8Array;
}

/** Header and payload as two buffers for a gathered write: the payload is not copied, so leave it alone until it is written. */
export function encodeFrame(frame: Frame): Buffer[] {
  const { payload } = frame;
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new WardianError(
      'INTERNAL',
      `a frame of ${payload.length} bytes is longer than the limit of ${MAX_PAYLOAD_BYTES}`,
    );
  }
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32BE(payload.length, 0);
  header.writeUInt32BE(frame.streamId, 4);
  header[8] = frame.type;
  header[9] = frame.flags;
  if (payload.length === 0) return [header];
  return [header, Buffer.from(payload.buffer, payload.byteOffset, payload.length)];
}

/** A peer that breaks the rules of framing; whoever owns the connection says which peer that was. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** What may stand where a frame could begin: its first bytes, read as a header, would pass the limit. */
export interface Interlude {
  /** The first FRAME_HEADER_BYTES of it. */
  prefix: Buffer;
  /** Length of the whole, prefix included. */
  sizeBytes: number;
}

export interface FrameReaderOptions {
  maxPayloadBytes?: number;
  /** Given out as a frame of type INTERLUDE whose payload is what follows the prefix. */
  interlude?: Interlude;
}

/** Type of the frame that stands for an interlude; it is never on the wire. */
export const INTERLUDE = 0;

interface Header {
  length: number;
  streamId: number;
  type: number;
  flags: number;
}

const ALL_FLAGS = FRAME_FLAG.remoteClosed | FRAME_FLAG.remoteOpen | FRAME_FLAG.noData;
const EMPTY = Buffer.alloc(0);

/**
 * Cuts a byte stream into frames. A payload that arrives in one chunk is a view of that chunk;
 * one that comes in pieces is copied, once, into a buffer of its own.
 * Holds at most one header and one payload of what is unfinished.
 */
export class FrameReader {
  readonly #maxPayloadBytes: number;
  readonly #interlude: Interlude | undefined;
  readonly #partialHeader = Buffer.alloc(FRAME_HEADER_BYTES);
  #partialHeaderBytes = 0;
  /** The frame whose payload is on its way, and as much of the payload as there is. */
  #header: Header | undefined;
  #payload = EMPTY;
  #payloadBytes = 0;

  constructor(options: FrameReaderOptions = {}) {
    this.#maxPayloadBytes = options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
    this.#interlude = options.interlude;
  }

  /** Returns the frames that `chunk` completes; throws FrameError when one breaks the rules. */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let position = 0;
    while (position < chunk.length) {
      if (this.#header === undefined) position = this.#readHeader(chunk, position);
      if (this.#header !== undefined)
        position = this.#readPayload(this.#header, chunk, position, frames);
    }
    return frames;
  }

  /** Takes a header, or what there is of it; returns the position behind it. */
  #readHeader(chunk: Buffer, position: number): number {
    const available = chunk.length - position;
    if (this.#partialHeaderBytes === 0 && available >= FRAME_HEADER_BYTES) {
      this.#header = this.#parseHeader(chunk, position);
      return position + FRAME_HEADER_BYTES;
    }
    const end = position + Math.min(FRAME_HEADER_BYTES - this.#partialHeaderBytes, available);
    this.#partialHeaderBytes += chunk.copy(
      this.#partialHeader,
      this.#partialHeaderBytes,
      position,
      end,
    );
    if (this.#partialHeaderBytes === FRAME_HEADER_BYTES) {
      this.#partialHeaderBytes = 0;
      this.#header = this.#parseHeader(this.#partialHeader, 0);
    }
    return end;
  }

  #parseHeader(source: Buffer, position: number): Header {
    const length = source.readUInt32BE(position);
    if (length > this.#maxPayloadBytes) return this.#parseInterlude(source, position, length);
    const streamId = source.readUInt32BE(position + 4);
    const type = source[position + 8] ?? 0;
    if (type < FRAME_TYPE.request || type > FRAME_TYPE.data) {
      throw new FrameError(`a frame of stream ${streamId} has the unknown type ${type}`);
    }
    const flags = source[position + 9] ?? 0;
    if (flags > ALL_FLAGS) throw new FrameError(`a frame has the unknown flags ${flags}`);
    if ((flags & FRAME_FLAG.noData) !== 0 && length > 0) {
      throw new FrameError(`a frame flagged as empty has ${length} bytes`);
    }
    return { length, streamId, type, flags };
  }

  #parseInterlude(source: Buffer, position: number, length: number): Header {
    const interlude = this.#interlude;
    const end = position + FRAME_HEADER_BYTES;
    if (interlude === undefined || interlude.prefix.compare(source, position, end) !== 0) {
      throw new FrameError(
        `a frame says that it has ${length} bytes, more than the limit of ${this.#maxPayloadBytes}`,
      );
    }
    const rest = interlude.sizeBytes - FRAME_HEADER_BYTES;
    return { length: rest, streamId: 0, type: INTERLUDE, flags: 0 };
  }

  /** Takes a payload, or what there is of it; returns the position behind it. */
  #readPayload(header: Header, chunk: Buffer, position: number, frames: Frame[]): number {
    const end = Math.min(position + header.length - this.#payloadBytes, chunk.length);
    const whole = this.#payloadBytes === 0 && end - position === header.length;
    if (whole) {
      this.#finish(header, chunk.subarray(position, end), frames);
      return end;
    }
    // One buffer of the announced length rather than a list of pieces: a sender of single bytes costs no more.
    if (this.#payloadBytes === 0) this.#payload = Buffer.allocUnsafeSlow(header.length);
    this.#payloadBytes += chunk.copy(this.#payload, this.#payloadBytes, position, end);
    if (this.#payloadBytes === header.length) this.#finish(header, this.#payload, frames);
    return end;
  }

  #finish({ streamId, type, flags }: Header, payload: Buffer, frames: Frame[]): void {
    frames.push({ streamId, type, flags, payload });
    this.#header = undefined;
    this.#payload = EMPTY;
    this.#payloadBytes = 0;
  }
}
