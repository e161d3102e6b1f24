import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHoldSink, type OutputSink, OutputStream } from './output-stream.ts';

interface RecordingSink extends OutputSink {
  position: number;
  readonly text: string;
  readonly endedAt: number | undefined;
}

function createSink(position = 0): RecordingSink {
  const chunks: string[] = [];
  let endedAt: number | undefined;
  return {
    position,
    get text() {
      return chunks.join('');
    },
    get endedAt() {
      return endedAt;
    },
    write: (_offset, bytes) => chunks.push(Buffer.from(bytes).toString()),
    end: (offset) => {
      endedAt = offset;
    },
  };
}

function createStream(start = 0): { stream: OutputStream; acknowledged: number[] } {
  const acknowledged: number[] = [];
  return { stream: new OutputStream(start, (offset) => acknowledged.push(offset)), acknowledged };
}

test('without a sink, output is acknowledged at once and dropped', () => {
  const { stream, acknowledged } = createStream();
  stream.push(0, Buffer.from('hello'), false);
  assert.deepEqual(acknowledged, [5]);
  assert.equal(stream.oldest, 5);
});

test('the slowest sink decides what is acknowledged', () => {
  const { stream, acknowledged } = createStream();
  const [fast, slow] = [createSink(), createSink()];
  stream.addSink(fast, 0);
  stream.addSink(slow, 0);
  stream.push(0, Buffer.from('hello'), false);
  fast.position = 5;
  stream.advance();
  assert.deepEqual(acknowledged, []);
  slow.position = 3;
  stream.advance();
  assert.deepEqual(acknowledged, [3]);
  stream.removeSink(slow);
  assert.deepEqual(acknowledged, [3, 5]);
});

test('a held stream keeps its bytes for the owner, who gets them from where it stood', () => {
  const { stream, acknowledged } = createStream();
  const hold = createHoldSink(0);
  stream.addSink(hold, 0);
  stream.push(0, Buffer.from('one '), false);
  stream.push(4, Buffer.from('two'), true);
  const owner = createSink();
  stream.addSink(owner, 2);
  assert.equal(owner.text, 'e two');
  assert.equal(owner.endedAt, 7);
  stream.removeSink(hold);
  assert.deepEqual(acknowledged, []);
});

test('bytes that a sink has already are not given to it again after a restart', () => {
  const { stream } = createStream(10);
  const sink = createSink(14);
  stream.addSink(sink, 14);
  stream.push(10, Buffer.from('abcdefgh'), false);
  assert.equal(sink.text, 'efgh');
});
