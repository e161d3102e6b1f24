import { FrameError } from '../../util/ttrpc/frame.ts';
import { STREAM_KIND, type StreamKind } from '../api.ts';

/** What a data frame carries: bytes of a standard stream at an offset, or word about one. */
export interface StreamFrame {
  kind: StreamKind;
  offset: number;
  bytes: Buffer;
}

const STREAM_HEADER_BYTES = 9;

/** Longer runs of bytes are cut, so that one stream does not hold up another for long. */
const MAX_STREAM_BYTES = 64 * 1024;

const EMPTY = Buffer.alloc(0);
const KINDS: ReadonlySet<number> = new Set(Object.values(STREAM_KIND));
/** Kinds whose bytes stand at an offset, so that cutting them moves it. */
const DATA_KINDS: ReadonlySet<number> = new Set([
  STREAM_KIND.stdin,
  STREAM_KIND.stdout,
  STREAM_KIND.stderr,
]);

/** Payload of a data frame, a copy: the caller may use `bytes` again at once. */
function encodeStreamFrame(kind: StreamKind, offset: number, bytes: Uint8Array = EMPTY): Buffer {
  const payload = Buffer.allocUnsafe(STREAM_HEADER_BYTES + bytes.length);
  payload[0] = kind;
  payload.writeUInt32BE(Math.floor(offset / 2 ** 32), 1);
  payload.writeUInt32BE(offset % 2 ** 32, 5);
  payload.set(bytes, STREAM_HEADER_BYTES);
  return payload;
}

/** Like encodeStreamFrame, as many frames as `bytes` needs. */
export function encodeStreamFrames(kind: StreamKind, offset: number, bytes?: Uint8Array): Buffer[] {
  if (bytes === undefined || bytes.length <= MAX_STREAM_BYTES) {
    return [encodeStreamFrame(kind, offset, bytes)];
  }
  const payloads: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += MAX_STREAM_BYTES) {
    const part = bytes.subarray(start, start + MAX_STREAM_BYTES);
    payloads.push(encodeStreamFrame(kind, DATA_KINDS.has(kind) ? offset + start : offset, part));
  }
  return payloads;
}

/** Reads the payload of a data frame; `bytes` is a view of it. Throws FrameError. */
export function decodeStreamFrame(payload: Uint8Array): StreamFrame {
  const buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const kind = buffer[0];
  if (buffer.length < STREAM_HEADER_BYTES || kind === undefined) {
    throw new FrameError(`a stream frame of ${buffer.length} bytes is too short`);
  }
  if (!KINDS.has(kind)) throw new FrameError(`a stream frame has the unknown kind ${kind}`);
  const offset = buffer.readUInt32BE(1) * 2 ** 32 + buffer.readUInt32BE(5);
  if (!Number.isSafeInteger(offset)) {
    throw new FrameError(`a stream frame has the impossible offset ${offset}`);
  }
  return { kind: kind as StreamKind, offset, bytes: buffer.subarray(STREAM_HEADER_BYTES) };
}
