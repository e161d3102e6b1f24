import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MS } from './mount-options.ts';
import { translateMounts } from './mounts.ts';
import { translateSharedMemory } from './shared-memory.ts';

const ipc = { namespace: 0x08000000n, containerId: 'c0' };
const pid = { namespace: 0x20000000n, containerId: 'c0' };
const options = ['bind', 'rprivate', 'nosuid', 'noexec', 'nodev'];
const shared = { destination: '/dev/shm', type: 'bind', source: '/engine/shm', options };
const other = { ...shared, destination: '/data' };
const mounts = translateMounts([other, shared], (_, index) => `/run/wardian/share/c/bind${index}`);

test('a tmpfs of the guest takes the place of the engine’s', () => {
  const joins = [pid];
  const [first, second] = translateSharedMemory(mounts, { joins, sharedMemoryBytes: 65536n });
  assert.equal(first, mounts[0]);
  assert.deepEqual(second, {
    ...mounts[1],
    type: 'tmpfs',
    source: 'shm',
    flags: MS.NOSUID | MS.NOEXEC | MS.NODEV,
    data: 'mode=1777,size=65536',
  });
});

test('whoever joins an ipc namespace shares memory, too', () => {
  const [, second] = translateSharedMemory(mounts, { joins: [pid, ipc], sharedMemoryBytes: 1n });
  assert.deepEqual(second, { ...mounts[1], source: '/run/wardian/shm' });
});

test('what else is bound there stays', () => {
  const choice = { joins: [ipc], sharedMemoryBytes: undefined };
  assert.deepEqual(translateSharedMemory(mounts, choice), mounts);
});
