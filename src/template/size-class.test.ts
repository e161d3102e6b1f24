import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseSizeClass, findMostMemory } from './size-class.ts';

const MEBIBYTE = 1024 * 1024;
const memoryOf = (mebibytes: number): number =>
  chooseSizeClass({ memoryBytes: mebibytes * MEBIBYTE }).memoryBytes / MEBIBYTE;

describe('the size class of a sandbox', () => {
  it('has a default', () => {
    assert.deepEqual(chooseSizeClass({}), { cpus: 1, memoryBytes: 1024 * MEBIBYTE });
  });

  it('rounds CPUs up to whole ones', () => {
    assert.deepEqual(
      [0.01, 1, 1.01, 4].map((cpus) => chooseSizeClass({ cpus }).cpus),
      [1, 1, 2, 4],
    );
  });

  it('has room for the guest beside the container', () => {
    assert.deepEqual(
      [1, 128, 256, 512, 900, 1024, 4096].map(memoryOf),
      [256, 256, 512, 1024, 1024, 2048, 8192],
    );
  });

  it('fits into its host', () => {
    for (const hostMebibytes of [300, 1024, 3900, 24_000]) {
      const most = findMostMemory(hostMebibytes * MEBIBYTE);
      assert.ok(memoryOf(most / MEBIBYTE) <= hostMebibytes, String(hostMebibytes));
      assert.ok(memoryOf(most / MEBIBYTE + 1) > hostMebibytes, String(hostMebibytes));
    }
  });

  it('refuses what no machine has', () => {
    for (const cpus of [0, -1, Number.NaN, 1000]) {
      assert.throws(() => chooseSizeClass({ cpus }), { code: 'USAGE' });
    }
    for (const memoryBytes of [0, -1, Number.NaN, 2 ** 60]) {
      assert.throws(() => chooseSizeClass({ memoryBytes }), { code: 'USAGE' });
    }
  });
});
