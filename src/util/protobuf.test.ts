import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, WireError } from './protobuf.ts';
import { RequestSchema, ResponseSchema } from './ttrpc/generated/ttrpc_pb.ts';

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

test('a message has the bytes that the protobuf documentation gives', () => {
  assert.deepEqual(encodeMessage(RequestSchema, { timeoutNano: 150n }), fromHex('209601'));
  assert.deepEqual(
    encodeMessage(RequestSchema, { method: 'testing' }),
    fromHex('120774657374696e67'),
  );
  assert.deepEqual(encodeMessage(ResponseSchema, { status: { code: 5 } }), fromHex('0a020805'));
  assert.equal(encodeMessage(RequestSchema, { method: '', timeoutNano: 0n }).length, 0);
});

test('fields that were not sent are zero, messages that were not sent are absent', () => {
  const { status, payload } = decodeMessage(ResponseSchema, Buffer.alloc(0));
  assert.deepEqual([status, payload.length], [undefined, 0]);
});

test('what is not such a message is refused', () => {
  const refused = [
    '20', // no value
    '2080', // a varint cut short
    '20ffffffffffffffffffffffff01', // a varint too long
    '12056162', // fewer bytes than announced
    '12ffffffffffffffff7f', // a length of 2^63
    '0b', // a group without an end
    `${'7b'.repeat(200)}`, // groups within groups
    '0f', // a wire type that there is not
    '0205', // field number 0
  ];
  for (const hex of refused) {
    assert.throws(() => decodeMessage(RequestSchema, fromHex(hex)), WireError, hex);
  }
});

test('text that is not UTF-8 does not spoil its message', () => {
  const { status } = decodeMessage(ResponseSchema, fromHex('0a07080512036ac378'));
  assert.equal(status?.code, 5);
  assert.equal(status?.message, 'j\ufffdx');
});

test('unknown fields are passed over and not kept', () => {
  const response = decodeMessage(ResponseSchema, fromHex('78011203616263'));
  assert.equal(Buffer.from(response.payload).toString(), 'abc');
  assert.equal(response.$unknown, undefined);
});

test('bytes are views of what was received', () => {
  const wire = encodeMessage(RequestSchema, { payload: Buffer.from('abc') });
  assert.equal(decodeMessage(RequestSchema, wire).payload.buffer, wire.buffer);
});

test('a number that does not fit is our own mistake', () => {
  const wrap = (code: number) => encodeMessage(ResponseSchema, { status: { code } });
  for (const code of [2 ** 31, 1.5]) assert.throws(() => wrap(code), /invalid int32/);
  const timeoutNano = 2n ** 63n;
  assert.throws(() => encodeMessage(RequestSchema, { timeoutNano }), /invalid int64/);
});
