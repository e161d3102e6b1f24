import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { ServerStream } from '../connection/server-connection.ts';
import type { ContainerEntry } from '../container-registry.ts';
import { attachEnded } from './attach-ended.ts';

const EXIT = { exitCode: 3, signal: 0, outOfMemory: false };

test('an owner gets the rest of the output from the log, and the exit code even without one', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'wardian-ended-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const logPath = path.join(folder, 'log');
  writeFileSync(logPath, '0 stdout 0 4\nold \n0 stdout 4 3\nnew\n');
  const sent: string[] = [];
  const stream = {
    send: (_kind: number, offset: number, bytes?: Uint8Array) =>
      sent.push(`${offset}:${Buffer.from(bytes ?? [])}`),
    drained: () => Promise.resolve(),
    onFrame: () => {},
    signal: new AbortController().signal,
  } as unknown as ServerStream;
  const state = { exit: EXIT, name: 'web' };
  const entry = { state, done: Promise.resolve() } as unknown as ContainerEntry;
  const from = { stdout: 2, stderr: 0, stdin: 0 };
  const request = { container: 'web', stdin: false, owner: true, from, logPath };
  assert.deepEqual(await attachEnded(entry, request, stream), EXIT);
  assert.deepEqual(sent, ['2:d ', '4:new']);
  const absent = { ...request, logPath: path.join(folder, 'absent') };
  assert.deepEqual(await attachEnded(entry, absent, stream), EXIT);
});
