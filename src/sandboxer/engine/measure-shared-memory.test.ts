import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { test } from 'node:test';
import { measureSharedMemory } from './measure-shared-memory.ts';

const mounts = [{ destination: '/data' }, { destination: '/dev//shm' }];

/** Its bind is the host's folder of this path. */
function measure(folder: string, name: string, mount = 1) {
  return measureSharedMemory(mounts, { directory: '', folder, binds: [{ mount, name }] });
}

test('a tmpfs that is bound to /dev/shm has a size', () => {
  const { bsize, blocks } = statfsSync('/dev/shm', { bigint: true });
  assert.equal(measure('dev', 'shm'), bsize * blocks);
});

test('what is no tmpfs, or bound elsewhere, has none', () => {
  assert.equal(measure('proc', 'self'), undefined);
  assert.equal(measure('dev', 'shm', 0), undefined);
  const share = { directory: '', folder: 'dev', binds: [] };
  assert.equal(measureSharedMemory(mounts, share), undefined);
});

test('a stub that has gone is an error', () => {
  assert.throws(() => measure('proc', 'no-such-stub'), { code: 'ENOENT' });
});
