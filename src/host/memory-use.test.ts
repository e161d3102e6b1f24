import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAvailableMemory, readPrivateMemory } from './memory-use.ts';

const BYTES = 64 * 2 ** 20;

test('memory that a process has written to is its own', async () => {
  const before = (await readPrivateMemory(process.pid)) ?? 0;
  const filled = Buffer.alloc(BYTES, 1);
  const after = (await readPrivateMemory(process.pid)) ?? 0;
  assert.ok(after - before > BYTES * 0.8, `${before} became ${after}`);
  assert.equal(filled[0], 1);
});

test('a process that has ended has none', async () => {
  assert.equal(await readPrivateMemory(2 ** 22 + 1), undefined);
});

test('the host has some to spare', async () => {
  assert.ok((await readAvailableMemory()) > 0);
});
