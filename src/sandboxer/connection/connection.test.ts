import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { WardianError } from '../../util/errors.ts';
import { encodeFrame, FRAME_TYPE } from '../../util/ttrpc/frame.ts';
import { STREAM_KIND } from '../api.ts';
import { ClientConnection } from './client-connection.ts';
import { encodeMessage } from './connection.ts';
import { type ServerHandlers, serveConnection } from './server-connection.ts';

let folder: string;
let server: Server;
let sockets: Socket[];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'wardian-connection-'));
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const NO_STREAMS: ServerHandlers['stream'] = () => Promise.reject(new Error('no streams'));
const NO_CALLS: ServerHandlers['unary'] = () => Promise.reject(new Error('no calls'));

async function listen(handlers: Partial<ServerHandlers>): Promise<string> {
  const socketPath = path.join(folder, 'socket');
  server = createServer((socket) => {
    sockets.push(socket);
    serveConnection(socket, { unary: NO_CALLS, stream: NO_STREAMS, ...handlers });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return socketPath;
}

async function dial(socketPath: string): Promise<{ client: ClientConnection; socket: Socket }> {
  const socket = connect(socketPath);
  sockets.push(socket);
  await new Promise<void>((resolve, reject) =>
    socket.once('connect', resolve).once('error', reject),
  );
  return { client: new ClientConnection(socket), socket };
}

function isError(code: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof WardianError && thrown.code === code;
}

test('calls are answered each with its own response, in any order', async () => {
  const socketPath = await listen({
    unary: async (method, request) => {
      const { delayMs } = request as { delayMs: number };
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return { method, delayMs };
    },
  });
  const { client } = await dial(socketPath);
  const [slow, fast] = await Promise.all([
    client.call('slow', { delayMs: 20 }),
    client.call('fast', { delayMs: 0 }),
  ]);
  assert.deepEqual(slow, { method: 'slow', delayMs: 20 });
  assert.deepEqual(fast, { method: 'fast', delayMs: 0 });
});

test('errors cross with code, hint, causes and failed undo steps', async () => {
  const socketPath = await listen({
    unary: () => {
      const error = new WardianError('IMAGE_NOT_FOUND', 'no image nix', {
        hint: 'load it',
        cause: new Error('underneath'),
      });
      error.cleanupErrors.push('folder: not empty');
      return Promise.reject(error);
    },
  });
  const { client } = await dial(socketPath);
  const error = await client.call('run', {}).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof WardianError);
  assert.equal(error.code, 'IMAGE_NOT_FOUND');
  assert.equal(error.hint, 'load it');
  assert.equal((error.cause as Error).message, 'underneath');
  assert.deepEqual(error.cleanupErrors, ['folder: not empty']);
});

test('a stream carries frames both ways and ends with its response', async () => {
  const socketPath = await listen({
    stream: (_method, _request, stream) =>
      new Promise((resolve) => {
        stream.onFrame((kind, offset, bytes) => {
          if (kind === STREAM_KIND.stdinEof) resolve({ received: offset });
          else stream.send(STREAM_KIND.stdout, offset, bytes);
        });
      }),
  });
  const { client } = await dial(socketPath);
  const received: Buffer[] = [];
  let next = 2 ** 40;
  const stream = client.openStream('attach', {}, (kind, offset, bytes) => {
    assert.equal(kind, STREAM_KIND.stdout);
    assert.equal(offset, next);
    next += bytes.length;
    received.push(Buffer.from(bytes));
  });
  const sent = Buffer.alloc(300_000, 'abcdefg');
  stream.send(STREAM_KIND.stdin, 2 ** 40, sent);
  stream.send(STREAM_KIND.stdinEof, 2 ** 40 + sent.length);
  assert.deepEqual(await stream.done, { received: 2 ** 40 + sent.length });
  assert.deepEqual(Buffer.concat(received), sent);
});

test('frames that come before the handler listens are kept for it', async () => {
  const socketPath = await listen({
    stream: async (_method, _request, stream) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const kinds: number[] = [];
      stream.onFrame((kind) => kinds.push(kind));
      return { kinds };
    },
  });
  const { client } = await dial(socketPath);
  const stream = client.openStream('attach', {}, () => {});
  stream.send(STREAM_KIND.stdin, 0, Buffer.from('x'));
  stream.send(STREAM_KIND.detach, 0);
  assert.deepEqual(await stream.done, { kinds: [STREAM_KIND.stdin, STREAM_KIND.detach] });
});

test('cancelling a call aborts the signal of its handler and leaves the connection alone', async () => {
  let aborted = false;
  const socketPath = await listen({
    unary: (method, _request, signal) =>
      method === 'quick'
        ? Promise.resolve({})
        : new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              resolve({});
            });
          }),
  });
  const { client } = await dial(socketPath);
  const controller = new AbortController();
  const call = client.call('wait', {}, controller.signal);
  await client.call('quick', {});
  controller.abort();
  await assert.rejects(call, isError('CANCELLED'));
  await client.call('quick', {});
  assert.equal(aborted, true);
});

test('when the client goes, handlers learn of it; when the server goes, calls are rejected', async () => {
  let closed: Promise<void> | undefined;
  const socketPath = await listen({
    stream: async (_method, _request, stream) => {
      closed = stream.closed;
      stream.send(STREAM_KIND.progress, 0, Buffer.from('here'));
      await stream.closed;
      return {};
    },
  });
  const first = await dial(socketPath);
  await new Promise<void>((resolve) => {
    first.client.openStream('attach', {}, () => resolve());
  });
  first.client.close();
  await closed;

  const second = await dial(socketPath);
  const stream = second.client.openStream('attach', {}, () => {
    for (const socket of sockets) if (socket !== second.socket) socket.destroy();
  });
  await assert.rejects(stream.done, isError('SANDBOXER_UNREACHABLE'));
  await second.client.closed;
  await assert.rejects(second.client.call('hello', {}), isError('SANDBOXER_UNREACHABLE'));
});

test('a client that breaks the rules loses its connection, and only that', async () => {
  const socketPath = await listen({ unary: () => Promise.resolve({ fine: true }) });
  const breaches: Buffer[] = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.concat(
      encodeFrame(encodeMessage({ streamId: 2, kind: 'request' }, { method: 'x', request: {} })),
    ),
    Buffer.concat(encodeFrame(encodeMessage({ streamId: 1, kind: 'response' }, { response: {} }))),
  ];
  for (const breach of breaches) {
    const { client, socket } = await dial(socketPath);
    socket.write(breach);
    await client.closed;
  }
  const { client } = await dial(socketPath);
  assert.deepEqual(await client.call('hello', {}), { fine: true });
});

test('more bytes than the window before anybody listens end the connection', async () => {
  const socketPath = await listen({ stream: (_method, _request, stream) => stream.closed });
  const { client } = await dial(socketPath);
  const stream = client.openStream('attach', {}, () => {});
  const chunk = Buffer.alloc(64 * 1024);
  for (let index = 0; index < 12; index++) stream.send(STREAM_KIND.stdin, 0, chunk);
  await assert.rejects(stream.done, isError('SANDBOXER_UNREACHABLE'));
});

test('a response that is too long for a frame becomes an error', async () => {
  const socketPath = await listen({
    unary: () => Promise.resolve({ text: 'x'.repeat(5 * 1024 * 1024) }),
  });
  const { client } = await dial(socketPath);
  await assert.rejects(client.call('list', {}), isError('INTERNAL'));
});

test('a stream frame of an unknown kind ends the connection', async () => {
  const socketPath = await listen({ stream: (_method, _request, stream) => stream.closed });
  const { client, socket } = await dial(socketPath);
  const stream = client.openStream('attach', {}, () => {});
  const payload = Buffer.alloc(9, 99);
  const frame = encodeFrame({ streamId: 1, type: FRAME_TYPE.data, flags: 0, payload });
  socket.write(Buffer.concat(frame));
  await assert.rejects(stream.done, isError('SANDBOXER_UNREACHABLE'));
});

test('requests that are made together leave in one write', async () => {
  server = createServer(); // for afterEach; nobody listens here
  let writes = 0;
  const duplex = new Duplex({
    read: () => {},
    write: (_chunk, _encoding, done) => {
      writes += 1;
      done();
    },
    writev: (_chunks, done) => {
      writes += 1;
      done();
    },
  });
  const client = new ClientConnection(duplex);
  const ends = [client.call('run', {}), client.openStream('attach', {}, () => {}).done];
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(writes, 1);
  duplex.destroy();
  await Promise.allSettled(ends);
});
