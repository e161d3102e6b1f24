import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StdinRelay, type StdinWriter } from './stdin-relay.ts';

function createTarget() {
  const sent: { offset: number; text: string }[] = [];
  const ends: number[] = [];
  return {
    sent,
    ends,
    writeStdin: (bytes: Uint8Array, offset: number) =>
      sent.push({ offset, text: Buffer.from(bytes).toString() }),
    endStdin: (offset: number) => ends.push(offset),
  };
}

function createWriter(): StdinWriter & { acknowledged: number[] } {
  const acknowledged: number[] = [];
  return { acknowledged, onAcknowledged: (offset) => acknowledged.push(offset) };
}

test('bytes go on in order, and each writer hears of its own', () => {
  const relay = new StdinRelay(0);
  const [target, first, second] = [createTarget(), createWriter(), createWriter()];
  relay.connect(target);
  relay.addWriter(first, 0);
  relay.addWriter(second, 0);
  relay.write(first, 0, Buffer.from('abc'));
  relay.write(second, 0, Buffer.from('de'));
  assert.deepEqual(target.sent, [
    { offset: 0, text: 'abc' },
    { offset: 3, text: 'de' },
  ]);
  relay.onAcknowledged(5);
  assert.deepEqual([first.acknowledged, second.acknowledged], [[3], [2]]);
});

test('what was not acknowledged is sent again to a new session, and the end behind it', () => {
  const relay = new StdinRelay(0);
  const writer = createWriter();
  relay.addWriter(writer, 0);
  relay.connect(createTarget());
  relay.write(writer, 0, Buffer.from('abc'));
  relay.write(writer, 3, Buffer.from('def'));
  relay.end();
  relay.onAcknowledged(3);
  const again = createTarget();
  relay.connect(again);
  assert.deepEqual(again.sent, [{ offset: 3, text: 'def' }]);
  assert.deepEqual(again.ends, [6]);
});

test('bytes that a returning writer sends twice are dropped', () => {
  const relay = new StdinRelay(4);
  const [target, writer] = [createTarget(), createWriter()];
  relay.connect(target);
  relay.addWriter(writer, 4);
  relay.write(writer, 2, Buffer.from('cdef'));
  assert.deepEqual(target.sent, [{ offset: 4, text: 'ef' }]);
  assert.deepEqual(writer.acknowledged, [4]);
});

test('never more than the window is on its way', () => {
  const relay = new StdinRelay(0);
  const [target, writer] = [createTarget(), createWriter()];
  relay.connect(target);
  relay.addWriter(writer, 0);
  const piece = Buffer.alloc(64 * 1024, 'x');
  for (let index = 0; index < 6; index += 1) relay.write(writer, index * piece.length, piece);
  assert.equal(target.sent.length, 4);
  relay.onAcknowledged(2 * piece.length);
  assert.equal(target.sent.length, 6);
});

test('a process that closed its stdin does not hold its writers up', () => {
  const relay = new StdinRelay(0);
  const [target, writer] = [createTarget(), createWriter()];
  relay.connect(target);
  relay.addWriter(writer, 0);
  relay.write(writer, 0, Buffer.from('abc'));
  relay.onClosed();
  relay.write(writer, 3, Buffer.from('def'));
  assert.deepEqual(writer.acknowledged, [3, 6]);
  assert.equal(target.sent.length, 1);
});
