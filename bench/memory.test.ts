import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  findProcessName,
  listProcesses,
  measureMemoryFileBytes,
  measurePrivateBytes,
  parsePrivateBytes,
} from './memory.ts';

test('private memory is what the kernel counts as private: clean, dirty and huge', () => {
  const rollup = [
    '55d0c0000000-7ffd00000000 ---p 00000000 00:00 0    [rollup]',
    'Rss:               42000 kB',
    'Shared_Clean:      30000 kB',
    'Private_Clean:      1000 kB',
    'Private_Dirty:      2000 kB',
    'Private_Hugetlb:       3 kB',
    '',
  ].join('\n');
  assert.equal(parsePrivateBytes(rollup), 3003 * 1024);
});

test('a process that grows is seen to grow', () => {
  const before = measurePrivateBytes(process.pid);
  const ballast = Buffer.alloc(32 * 2 ** 20, 1);
  const grown = measurePrivateBytes(process.pid) - before;
  assert.ok(grown > 0.8 * ballast.length, `${grown} bytes`);
});

test('this process is listed, has a name and no memory files', () => {
  assert.ok(listProcesses().has(process.pid));
  assert.match(findProcessName(process.pid), /./);
  assert.equal(measureMemoryFileBytes([process.pid]), 0);
});

test('a process that is gone takes no memory', () => {
  const pid = 2 ** 22 + 1; // above the kernel's largest pid
  assert.equal(measurePrivateBytes(pid), 0);
  assert.equal(measureMemoryFileBytes([pid]), 0);
  assert.equal(findProcessName(pid), '');
});
