import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Resources } from '../../oci/runtime-spec/types.ts';
import { listHostLimits } from './host-limits.ts';
import { addMemoryOverhead, LEAST_PIDS } from './overhead.ts';

const GIBIBYTE = 1024n ** 3n;

function list(resources: Resources, version: 1 | 2): Record<string, string> {
  const writes = listHostLimits(resources, version);
  return Object.fromEntries(writes.map(({ files, value }) => [files[0], value]));
}

describe('limits on the host', () => {
  const resources: Resources = {
    memory: { limit: GIBIBYTE, swap: 2n * GIBIBYTE, reservation: GIBIBYTE / 2n },
    cpu: { shares: 512n, quota: 150_000n, period: 100_000n, cpus: '0-1', mems: '0' },
    pids: { limit: 100n },
    blockIO: { weight: 500 },
    hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
    unified: { 'memory.high': '1000', 'cpu.weight': '7', 'pids.max': '5' },
  };

  it('have room for the machine, in version 1', () => {
    assert.deepEqual(list(resources, 1), {
      'cpu.shares': '512',
      'cpu.cfs_period_us': '100000',
      'cpu.cfs_quota_us': '150000',
      'cpuset.cpus': '0-1',
      'cpuset.mems': '0',
      'memory.limit_in_bytes': String(addMemoryOverhead(GIBIBYTE)),
      'memory.memsw.limit_in_bytes': String(addMemoryOverhead(2n * GIBIBYTE)),
      'memory.soft_limit_in_bytes': String(addMemoryOverhead(GIBIBYTE / 2n)),
      'pids.max': String(LEAST_PIDS),
      'blkio.weight': '500',
      'hugetlb.2MB.limit_in_bytes': '0',
    });
  });

  it('have room for the machine, in version 2', () => {
    assert.deepEqual(list(resources, 2), {
      'cpu.weight': '7',
      'cpu.max': '150000 100000',
      'cpuset.cpus': '0-1',
      'cpuset.mems': '0',
      'memory.max': String(addMemoryOverhead(GIBIBYTE)),
      'memory.swap.max': String(GIBIBYTE),
      'memory.low': String(addMemoryOverhead(GIBIBYTE / 2n)),
      'memory.high': String(addMemoryOverhead(1000n)),
      'pids.max': String(LEAST_PIDS),
      'io.weight': 'default 4950',
      'hugetlb.2MB.max': '0',
    });
    assert.ok(addMemoryOverhead(GIBIBYTE) > GIBIBYTE);
  });

  it('are not set where engines say nothing', () => {
    const nothing: Resources = {
      memory: { limit: 0n, swap: 0n, reservation: 0n, disableOOMKiller: false },
      cpu: { shares: 0n, quota: 0n, period: 0n, cpus: '', mems: '' },
      pids: { limit: 0n },
      blockIO: { weight: 0 },
    };
    assert.deepEqual([list(nothing, 1), list(nothing, 2)], [{}, {}]);
  });

  it('can be none', () => {
    const none: Resources = {
      memory: { limit: -1n, swap: -1n },
      cpu: { quota: -1n },
      pids: { limit: -1n },
    };
    assert.deepEqual(list(none, 1), {
      'cpu.cfs_quota_us': '-1',
      'memory.limit_in_bytes': '-1',
      'memory.memsw.limit_in_bytes': '-1',
      'pids.max': 'max',
    });
    assert.deepEqual(list(none, 2), {
      'cpu.max': 'max 100000',
      'memory.max': 'max',
      'memory.swap.max': 'max',
      'pids.max': 'max',
    });
  });

  it('of processes are what the engine asked for, unless a machine has no room in that', () => {
    const maximum = (limit: bigint) => list({ pids: { limit } }, 1)['pids.max'];
    assert.deepEqual([maximum(1000n), maximum(10n)], ['1000', String(LEAST_PIDS)]);
  });

  it('are no other negative numbers', () => {
    for (const name of ['limit', 'swap', 'reservation']) {
      for (const version of [1, 2] as const) {
        assert.throws(() => list({ memory: { [name]: -2n } }, version), { code: 'SPEC_INVALID' });
      }
    }
  });

  it('scale shares and weights to their ends', () => {
    const weights = (shares: bigint, weight: number) =>
      Object.values(list({ cpu: { shares }, blockIO: { weight } }, 2));
    assert.deepEqual(weights(2n, 10), ['1', 'default 1']);
    assert.deepEqual(weights(262_144n, 1000), ['10000', 'default 10000']);
    assert.deepEqual(weights(10_000_000n, 1), ['10000', 'default 1']);
  });
});
