import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireError } from '../../util/protobuf.ts';
import { FRAME_HEADER_BYTES, FrameReader } from '../../util/ttrpc/frame.ts';
import { type SeededRandom, seededRandom } from '../testing/random.ts';
import { decodeInput, encodeOutput } from '../testing/stdio-codec.ts';
import { decodeStdioOutput, encodeStdioInputFrame } from './stdio-message.ts';

const ROUNDS = 300;

function randomOffset(random: SeededRandom): number {
  return Math.floor(2 ** random.below(54)) - 1;
}

function maybe<Value>(random: SeededRandom, value: Value): Value | undefined {
  return random.below(2) === 0 ? value : undefined;
}

test('the generated code reads the frames that are sent', () => {
  const random = seededRandom(3);
  for (let round = 0; round < ROUNDS; round++) {
    const input = {
      data: random.bytes(random.below(3) * random.below(300)),
      offset: randomOffset(random),
      eof: random.below(2) === 1,
      stdoutAcknowledged: maybe(random, randomOffset(random)),
      stderrAcknowledged: maybe(random, randomOffset(random)),
    };
    const wire = Buffer.concat(encodeStdioInputFrame(7, input));
    const [frame] = new FrameReader().push(wire);
    const read = decodeInput(frame?.payload ?? Buffer.from('ff'));
    assert.equal(frame?.streamId, 7);
    assert.deepEqual(Buffer.from(read.data), input.data);
    assert.deepEqual(
      [read.offset, read.eof, read.stdoutAcknowledged, read.stderrAcknowledged],
      [
        BigInt(input.offset),
        input.eof,
        big(input.stdoutAcknowledged),
        big(input.stderrAcknowledged),
      ],
    );
  }
});

test('what the generated code writes is read', () => {
  const random = seededRandom(4);
  for (let round = 0; round < ROUNDS; round++) {
    const output = {
      stream: random.below(3),
      offset: randomOffset(random),
      data: random.bytes(random.below(300)),
      eof: random.below(2) === 1,
      stdinAcknowledged: maybe(random, randomOffset(random)),
      stdinClosed: random.below(2) === 1,
    };
    assert.deepEqual(decodeStdioOutput(encodeOutput(output)), output);
  }
});

test('the bytes that are carried are not copied', () => {
  const data = Buffer.alloc(65_536, 'x');
  const [head, body] = encodeStdioInputFrame(1, { data, offset: 0, eof: false });
  assert.equal(head?.length, FRAME_HEADER_BYTES + 4);
  assert.equal(body?.buffer, data.buffer);
  const payload = encodeOutput({ stream: 1, data });
  assert.equal(decodeStdioOutput(payload).data.buffer, payload.buffer);
});

test('unknown fields are passed over; cut, mistyped and oversized ones are refused', () => {
  const good = decodeStdioOutput(Buffer.from('080178013a01611005', 'hex'));
  assert.deepEqual([good.stream, good.offset], [1, 5]);
  const refused = ['08', '0a0161', '1801', '1a056162', '10ffffffffffffff7f', '2b', '0205', '1a'];
  for (const hex of refused) {
    assert.throws(() => decodeStdioOutput(Buffer.from(hex, 'hex')), WireError, hex);
  }
});

function big(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}
