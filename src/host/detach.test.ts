import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startDetached } from './detach.ts';

/** Says that it is ready, and lives until its other end hangs up. */
const PROGRAM = `
const socket = require('node:net').connect(process.argv[1]);
socket.on('connect', () => require('node:fs').writeSync(3, 'ready ' + process.pid + '\\n'));
socket.on('close', () => process.exit());
`;

test('a program that has started outlives the timeout of its start', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'wardian-detach-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = path.join(folder, 'socket');
  const server = createServer().listen(socketPath);
  t.after(() => server.close());
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const abort = new AbortController();
  const line = await startDetached(
    {
      file: process.execPath,
      arguments: ['-e', PROGRAM, socketPath],
      environment: {},
      logPath: path.join(folder, 'log'),
    },
    abort.signal,
  );
  const [socket] = await connected;
  const closed = once(socket.resume(), 'close').then(() => 'killed');
  abort.abort();
  const outcome = await Promise.race([closed, delay(200, 'alive')]);
  socket.destroy();
  assert.match(line ?? '', /^ready \d+$/);
  assert.equal(outcome, 'alive');
});
