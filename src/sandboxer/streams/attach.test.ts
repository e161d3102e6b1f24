import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessIo, STREAM_START } from '../../sandbox/process-io.ts';
import { type AttachRequest, STREAM_KIND, STREAM_WINDOW_BYTES, type StreamKind } from '../api.ts';
import type { ServerStream } from '../connection/server-connection.ts';
import { attachClient } from './attach.ts';

const REQUEST: AttachRequest = { container: 'x', stdin: true, owner: true, from: 'start' };

/** A client's end in memory: what was sent to it, and how it sends. */
function makeStream() {
  const sent: string[] = [];
  const gone = new AbortController();
  let listener: (kind: StreamKind, offset: number, bytes: Buffer) => void = () => {};
  const stream: ServerStream = {
    send: (kind, offset, bytes) => {
      sent.push(`${kind}@${offset}:${bytes === undefined ? '' : Buffer.from(bytes)}`);
    },
    drained: () => Promise.resolve(),
    onFrame: (take) => {
      listener = take;
    },
    signal: gone.signal,
    closed: new Promise((resolve) => gone.signal.addEventListener('abort', () => resolve())),
  };
  return {
    stream,
    sent,
    say: (kind: StreamKind, offset: number, text = '') => listener(kind, offset, Buffer.from(text)),
    leave: () => gone.abort(),
  };
}

function makeProcess(): ProcessIo {
  const io = new ProcessIo({ containerId: 'x', execId: '' }, STREAM_START);
  io.holdForOwner();
  return io;
}

test('an owner gets all that came before it, and holds back what it has not written', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  io.stdout.push(0, Buffer.from('early '), false);
  const end = attachClient({ io }, REQUEST, client.stream);
  io.stdout.push(6, Buffer.from('late'), false);
  assert.deepEqual(client.sent, ['1@0:early ', '1@6:late']);
  assert.equal(io.stdout.oldest, 0);
  client.say(STREAM_KIND.stdoutAcknowledged, 6);
  assert.equal(io.stdout.oldest, 6);
  client.say(STREAM_KIND.stdoutAcknowledged, 1_000_000);
  assert.equal(io.stdout.oldest, 10);
  io.end({ exitCode: 3, signal: 0, outOfMemory: false });
  assert.deepEqual(await end, {
    kind: 'exited',
    report: { exitCode: 3, signal: 0, outOfMemory: false },
  });
});

test('a client that comes back goes on where it was', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  io.stdout.push(0, Buffer.from('0123456789'), false);
  const from = { stdout: 4, stderr: 0, stdin: 0 };
  const end = attachClient({ io }, { ...REQUEST, from }, client.stream);
  assert.deepEqual(client.sent, ['1@4:456789']);
  client.leave();
  assert.deepEqual(await end, { kind: 'lost' });
});

test('one who looks on sees only what comes, and its stdin is not taken unless it asked', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  const taken: string[] = [];
  io.stdin.connect({ writeStdin: (bytes) => taken.push(String(bytes)), endStdin: () => {} });
  io.stdout.push(0, Buffer.from('before'), false);
  const request = { ...REQUEST, owner: false, stdin: false, from: 'now' as const };
  const end = attachClient({ io }, request, client.stream);
  client.say(STREAM_KIND.stdin, 0, 'ignored');
  io.stdout.push(6, Buffer.from('after'), false);
  // The empty ones say where it stands, for the case that it has to come back.
  assert.deepEqual([client.sent, taken], [['1@6:', '2@0:', '1@6:after'], []]);
  client.say(STREAM_KIND.detach, 0);
  assert.deepEqual(await end, { kind: 'detached' });
  io.stdout.push(11, Buffer.from('unseen'), false);
  assert.equal(client.sent.length, 3);
});

test('stdin goes to the process, and its acknowledgements come back', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  const taken: string[] = [];
  io.stdin.connect({
    writeStdin: (bytes, offset) => taken.push(`${offset}:${Buffer.from(bytes)}`),
    endStdin: (offset) => taken.push(`end@${offset}`),
  });
  const end = attachClient({ io }, REQUEST, client.stream);
  client.say(STREAM_KIND.stdin, 0, 'abc');
  client.say(STREAM_KIND.stdinEof, 3);
  assert.deepEqual(taken, ['0:abc', 'end@3']);
  io.stdin.onAcknowledged(3);
  assert.deepEqual(client.sent, ['4@3:']);
  client.leave();
  await end;
});

test('an owner that lost its sandboxer before it heard of anything does not double its stdin', async () => {
  const io = new ProcessIo({ containerId: 'x', execId: '' }, { stdin: 3, stdout: 0, stderr: 0 });
  const client = makeStream();
  const taken: string[] = [];
  io.stdin.connect({
    writeStdin: (bytes, offset) => taken.push(`${offset}:${Buffer.from(bytes)}`),
    endStdin: () => {},
  });
  const end = attachClient({ io }, REQUEST, client.stream);
  client.say(STREAM_KIND.stdin, 0, 'abcdef');
  assert.deepEqual([client.sent, taken], [['4@3:'], ['3:def']]);
  client.leave();
  await end;
});

test('stdin with a gap or beyond the window is a breach', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  const end = attachClient({ io }, REQUEST, client.stream);
  assert.throws(() => client.say(STREAM_KIND.stdin, 1, 'b'), /missing before offset 1/);
  const piece = 'x'.repeat(STREAM_WINDOW_BYTES / 4);
  for (let index = 0; index < 4; index += 1) {
    client.say(STREAM_KIND.stdin, index * piece.length, piece);
  }
  assert.throws(() => client.say(STREAM_KIND.stdin, STREAM_WINDOW_BYTES, 'x'), /beyond the window/);
  client.leave();
  await end;
});

test('a client whose first frames are a breach does not hold the output back', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  const stream: ServerStream = {
    ...client.stream,
    onFrame: (take) => take(STREAM_KIND.stdin, 5, Buffer.from('x')),
  };
  await assert.rejects(attachClient({ io }, REQUEST, stream), /missing before offset 5/);
  io.stdout.push(0, Buffer.from('out'), false);
  assert.equal(io.stdout.oldest, 3);
});

test('an owner for whom output is kept is told of the end when it has everything', async () => {
  const [io, client] = [makeProcess(), makeStream()];
  const end = attachClient({ io, keepsOutput: true }, REQUEST, client.stream);
  let isOver = false;
  void end.then(() => {
    isOver = true;
  });
  io.stdout.push(0, Buffer.from('last words'), true);
  io.end({ exitCode: 3, signal: 0, outOfMemory: false });
  client.say(STREAM_KIND.stdoutAcknowledged, 5);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  client.say(STREAM_KIND.stdoutAcknowledged, 10);
  assert.equal((await end).kind, 'exited');
  await io.taken;
});

test('an owner for whom output is kept, and that was lost, misses nothing when it comes back', async () => {
  const [io, first, second] = [makeProcess(), makeStream(), makeStream()];
  const lost = attachClient({ io, keepsOutput: true }, REQUEST, first.stream);
  io.stdout.push(0, Buffer.from('0123'), false);
  first.say(STREAM_KIND.stdoutAcknowledged, 2);
  first.leave();
  assert.equal((await lost).kind, 'lost');
  io.stdout.push(4, Buffer.from('456'), false);
  assert.equal(io.stdout.oldest, 2);
  const from = { stdout: 2, stderr: 0, stdin: 0 };
  const end = attachClient({ io, keepsOutput: true }, { ...REQUEST, from }, second.stream);
  assert.deepEqual(second.sent, ['1@2:23', '1@4:456']);
  second.leave();
  await end;
});
