import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeFrame,
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  FRAME_TYPE,
  type Frame,
  FrameError,
  FrameReader,
  INTERLUDE,
  MAX_PAYLOAD_BYTES,
} from './frame.ts';

const frames: Frame[] = [
  { streamId: 1, type: FRAME_TYPE.request, flags: FRAME_FLAG.remoteOpen, payload: bytes(300) },
  { streamId: 0xffffffff, type: FRAME_TYPE.data, flags: FRAME_FLAG.noData, payload: bytes(0) },
  { streamId: 3, type: FRAME_TYPE.response, flags: FRAME_FLAG.remoteClosed, payload: bytes(1) },
  { streamId: 5, type: FRAME_TYPE.data, flags: 0, payload: bytes(70_000) },
];

test('a frame is length, stream, type and flags in network order, then the payload itself', () => {
  const payload = Buffer.from('hello');
  const [header, body] = encodeFrame({ streamId: 7, type: FRAME_TYPE.request, flags: 2, payload });
  assert.equal(header?.toString('hex'), '00000005000000070102');
  assert.equal(body?.buffer, payload.buffer, 'the payload is not copied');
});

test('frames survive any way of being cut', () => {
  const wire = Buffer.concat(frames.flatMap(encodeFrame));
  for (const size of [1, 2, 9, 10, 11, 4096, wire.length]) {
    assert.deepEqual(readInPieces(new FrameReader(), wire, size), frames, `pieces of ${size}`);
  }
});

test('a payload that arrives whole is a view of its chunk', () => {
  const wire = Buffer.concat(frames.flatMap(encodeFrame));
  for (const frame of new FrameReader().push(wire)) {
    if (frame.payload.length > 0) assert.equal(frame.payload.buffer, wire.buffer);
  }
});

test('a frame over the limit is refused when its header is read, and never sent', () => {
  const header = Buffer.from('00400001000000010100', 'hex');
  assert.throws(() => new FrameReader().push(header), FrameError);
  assert.throws(() => readInPieces(new FrameReader(), header, 3), FrameError);
  assert.throws(() => new FrameReader({ maxPayloadBytes: 4 }).push(wireOf(5)), FrameError);
  assert.equal(new FrameReader({ maxPayloadBytes: 4 }).push(wireOf(4)).length, 1);
  const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
  assert.throws(() => encodeFrame({ streamId: 1, type: 1, flags: 0, payload }), /limit/);
});

test('an unknown type is refused', () => {
  for (const type of ['00', '04', 'ff']) {
    const header = Buffer.from(`0000000000000001${type}00`, 'hex');
    assert.throws(() => new FrameReader().push(header), FrameError);
  }
});

test('unknown flags, and a payload where there is to be none, are refused', () => {
  for (const header of ['00000000000000010108', '000000000000000101ff', '00000001000000010104']) {
    assert.throws(() => new FrameReader().push(Buffer.from(header, 'hex')), FrameError);
  }
});

test('an interlude is told from a frame that is too long', () => {
  const whole = Buffer.from('\x00WARDIAN-OFFER\r\n0123456789');
  const interlude = { prefix: whole.subarray(0, FRAME_HEADER_BYTES), sizeBytes: whole.length };
  const wire = Buffer.concat([wireOf(3), whole, wireOf(2)]);
  for (const size of [1, 7, wire.length]) {
    const seen = readInPieces(new FrameReader({ interlude }), wire, size);
    assert.deepEqual(
      seen.map((frame) => frame.type),
      [FRAME_TYPE.data, INTERLUDE, FRAME_TYPE.data],
    );
    assert.deepEqual(seen[1]?.payload, whole.subarray(FRAME_HEADER_BYTES));
  }
  const other = Buffer.from('\x00WARDIAN-ACCEPT\n0123456789');
  assert.throws(() => new FrameReader({ interlude }).push(other), FrameError);
});

test('a sender of single bytes costs one buffer', () => {
  const reader = new FrameReader();
  reader.push(Buffer.from('00400000000000010300', 'hex'));
  const before = process.memoryUsage();
  const one = Buffer.alloc(1);
  for (let sent = 0; sent < 200_000; sent++) reader.push(one);
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(grown < 2 * MAX_PAYLOAD_BYTES + 8 * 1024 * 1024, `grew by ${grown} bytes`);
});

function readInPieces(reader: FrameReader, wire: Buffer, size: number): Frame[] {
  const seen: Frame[] = [];
  for (let at = 0; at < wire.length; at += size) {
    seen.push(...reader.push(wire.subarray(at, at + size)));
  }
  return seen;
}

function wireOf(length: number): Buffer {
  return Buffer.concat(
    encodeFrame({ streamId: 1, type: FRAME_TYPE.data, flags: 0, payload: bytes(length) }),
  );
}

function bytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => index & 0xff));
}
