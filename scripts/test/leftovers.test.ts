import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findLeftovers, observeMachine, RUN_VARIABLE } from './leftovers.ts';

const runId = `leftovers-test-${process.pid}`;
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-leftovers-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function find(patienceMs = 0, before = observeMachine()): Promise<string[]> {
  return findLeftovers({ runId, directory, before }, patienceMs);
}

test('empty folders are no leftovers, files and sockets are', async () => {
  mkdirSync(path.join(directory, 'run'));
  assert.deepEqual(await find(), []);
  writeFileSync(path.join(directory, 'run/state.json'), '{}');
  assert.deepEqual(await find(), [`file: ${directory}/run/state.json`]);
});

test('a process is known by its environment', async () => {
  const child = spawn('sleep', ['60'], { env: { ...process.env, [RUN_VARIABLE]: runId } });
  await once(child, 'spawn');
  try {
    assert.deepEqual(await find(), [`process ${child.pid}: sleep 60`]);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
  assert.deepEqual(await find(), []);
});

test('a process is known by a path on its command line', async () => {
  const fifo = `${directory}/absent`;
  const child = spawn('tail', ['-F', fifo], { stdio: 'ignore' });
  await once(child, 'spawn');
  try {
    assert.deepEqual(await find(), [`process ${child.pid}: tail -F ${fifo}`]);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
});

test('a process that is about to leave is waited for', async () => {
  const child = spawn('sleep', ['0.3'], { env: { ...process.env, [RUN_VARIABLE]: runId } });
  await once(child, 'spawn');
  assert.deepEqual(await find(5000), []);
});

test('what the machine had before is not left over', async () => {
  const left = await find(0, { ...observeMachine(), interfaces: [] });
  assert.ok(left.includes('network interface: lo'));
  assert.deepEqual(await find(), []);
});
