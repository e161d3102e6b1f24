import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeMessage,
  encodeMessage,
  list,
  message,
  nested,
  optional,
  repeated,
  scalar,
} from './message.ts';
import { WireError } from './wire.ts';

const Inner = message('Inner', { name: scalar('string', 1) });
const Outer = message('Outer', {
  count: scalar('uint32', 1),
  data: scalar('bytes', 2),
  inner: nested(Inner, 3),
  inners: list(Inner, 4),
  numbers: repeated('uint32', 5),
  mask: optional('uint32', 6),
  big: scalar('uint64', 7),
  change: optional('sint32', 8),
});

test('a message has the bytes that the protobuf documentation gives', () => {
  assert.equal(encodeMessage(Outer, { count: 150 }).toString('hex'), '089601');
  assert.equal(encodeMessage(Inner, { name: 'testing' }).toString('hex'), '0a0774657374696e67');
  assert.equal(encodeMessage(Outer, { inner: { name: 'a' } }).toString('hex'), '1a030a0161');
  const numbers = encodeMessage(Outer, { numbers: [3, 270, 86942] });
  assert.equal(numbers.toString('hex'), '2a06038e029ea705');
  assert.equal(encodeMessage(Outer, { change: -2 }).toString('hex'), '4003');
});

test('zero is left out, unless its presence counts', () => {
  assert.equal(encodeMessage(Outer, { count: 0, big: 0n, numbers: [] }).length, 0);
  assert.equal(encodeMessage(Outer, { mask: 0 }).toString('hex'), '3000');
  const empty = decodeMessage(Outer, Buffer.alloc(0));
  assert.equal(empty.count, 0);
  assert.equal(empty.big, 0n);
  assert.deepEqual(empty.inners, []);
  assert.equal(empty.mask, undefined);
  assert.equal(empty.inner, undefined);
});

test('a nested message of any length has the right length before it', () => {
  for (const length of [0, 1, 125, 126, 127, 128, 5000, 16_382, 16_383, 16_384, 300_000]) {
    const name = 'x'.repeat(length);
    const wire = encodeMessage(Outer, { count: 1, inner: { name }, mask: 5 });
    const decoded = decodeMessage(Outer, wire);
    assert.equal(decoded.inner?.name, name);
    assert.equal(decoded.mask, 5);
  }
});

test('repeated numbers are read packed and unpacked, unknown fields are passed over', () => {
  const wire = Buffer.from(
    '28012a020203fa0702abcd850800000000810800000000000000009008051004',
    'hex',
  );
  assert.throws(() => decodeMessage(Outer, wire), WireError, 'field 2 is not a number');
  const good = wire.subarray(0, wire.length - 2);
  assert.deepEqual(decodeMessage(Outer, good).numbers, [1, 2, 3]);
});

test('what is not such a message is refused', () => {
  const refused = [
    '08', // no value
    '0880', // a varint cut short
    '08ffffffffffffffffffffffff01', // a varint too long
    '12056162', // fewer bytes than announced
    '12ffffffffffffffff7f', // a length of 2^63
    '1a020a05', // an inner field longer than its message
    '0b', // a group
    '0d00000000', // another wire type
  ];
  for (const hex of refused) {
    assert.throws(() => decodeMessage(Outer, Buffer.from(hex, 'hex')), WireError, hex);
  }
});

test('few bytes do not become many objects', () => {
  const wire = Buffer.alloc(2 * 100_000);
  for (let at = 0; at < wire.length; at += 2) wire[at] = 0x22;
  assert.throws(() => decodeMessage(Outer, wire), /too many elements/);
});

test('a number that does not fit is our own mistake, and does not spoil the next message', () => {
  assert.throws(() => encodeMessage(Outer, { count: 1, mask: -1 }), RangeError);
  assert.throws(() => encodeMessage(Outer, { big: 2n ** 64n }), RangeError);
  assert.throws(() => encodeMessage(Outer, { big: 1.5 }), RangeError);
  assert.equal(encodeMessage(Outer, { count: 150 }).toString('hex'), '089601');
});

test('bytes are views of what was received', () => {
  const wire = encodeMessage(Outer, { data: Buffer.from('abc') });
  assert.equal(decodeMessage(Outer, wire).data.buffer, wire.buffer);
});
