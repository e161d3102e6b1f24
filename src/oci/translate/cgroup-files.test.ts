import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resources } from '../runtime-spec/types.ts';
import { translateResources } from './cgroup-files.ts';

function files(resources: Resources): Record<string, string> {
  return Object.fromEntries(translateResources(resources).map(({ key, value }) => [key, value]));
}

test('resources become files of cgroup version 2', () => {
  const cases: [Resources, Record<string, string>][] = [
    [{}, {}],
    [{ memory: { limit: 67108864n } }, { 'memory.max': '67108864' }],
    [{ memory: { limit: -1n } }, { 'memory.max': 'max' }],
    [{ memory: { limit: 0n } }, {}],
    [
      { memory: { limit: 100n, swap: 150n, reservation: 50n } },
      { 'memory.max': '100', 'memory.low': '50' },
    ],
    [{ memory: { limit: 100n, swap: 100n } }, { 'memory.max': '100' }],
    [{ memory: { swap: -1n, swappiness: 60, disableOOMKiller: false } }, {}],
    [{ cpu: { shares: 1024n } }, { 'cpu.weight': '39' }],
    [{ cpu: { shares: 2n } }, { 'cpu.weight': '1' }],
    [{ cpu: { shares: 262144n } }, { 'cpu.weight': '10000' }],
    [{ cpu: { shares: 1n << 40n } }, { 'cpu.weight': '10000' }],
    [{ cpu: { shares: 0n } }, {}],
    [{ cpu: { quota: 50000n } }, { 'cpu.max': '50000 100000' }],
    [{ cpu: { quota: -1n, period: 1000n } }, { 'cpu.max': 'max 1000' }],
    [
      { cpu: { burst: 5n, idle: 1, cpus: '0-1,3', mems: '0' } },
      {
        'cpu.max.burst': '5',
        'cpu.idle': '1',
        'cpuset.cpus': '0-1,3',
        'cpuset.mems': '0',
      },
    ],
    [{ pids: { limit: 100n } }, { 'pids.max': '100' }],
    [{ pids: { limit: -1n } }, { 'pids.max': 'max' }],
    [{ blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 8, minor: 0 }] } }, {}],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: 4n }] }, {}],
    [
      { memory: { limit: 5n }, unified: { 'memory.max': '7', 'memory.high': '6' } },
      { 'memory.max': '7', 'memory.high': '6' },
    ],
  ];
  for (const [resources, expected] of cases) {
    assert.deepEqual(files(resources), expected);
  }
});

test('what version 2 has not, or what nobody can limit, is refused', () => {
  const cases: [Resources, string][] = [
    [{ memory: { swap: 100n } }, 'SPEC_INVALID'],
    [{ memory: { limit: 100n, swap: 99n } }, 'SPEC_INVALID'],
    [{ memory: { disableOOMKiller: true } }, 'SPEC_UNSUPPORTED'],
    [{ cpu: { realtimeRuntime: 1n } }, 'SPEC_UNSUPPORTED'],
    [{ blockIO: { weight: 9 } }, 'SPEC_INVALID'],
    [{ rdma: { mlx5_1: { hcaHandles: 3 } } }, 'SPEC_UNSUPPORTED'],
    [{ network: { classID: 1 } }, 'SPEC_UNSUPPORTED'],
    [{ unified: { 'cgroup.procs': '1' } }, 'SPEC_UNSUPPORTED'],
    [{ unified: { '../memory.max': '1' } }, 'SPEC_INVALID'],
    [{ unified: { 'a/b.c': '1' } }, 'SPEC_INVALID'],
    [{ unified: { plain: '1' } }, 'SPEC_INVALID'],
  ];
  for (const [resources, code] of cases) assert.throws(() => files(resources), { code });
});
