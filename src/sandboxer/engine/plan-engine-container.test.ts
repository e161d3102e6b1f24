import assert from 'node:assert/strict';
import { availableParallelism, totalmem } from 'node:os';
import { test } from 'node:test';
import { findMostMemory } from '../../template/size-class.ts';
import type { CreateContainerRequest } from '../engine-api.ts';
import { checkGrowth } from './check-growth.ts';
import { findLimits, planEngineContainer } from './plan-engine-container.ts';

const ID = 'a'.repeat(64);
const FIRST = 'b'.repeat(64);
const MEBIBYTE = 1024 * 1024;
const CLONE_NEWPID = 0x20000000n;
const CLONE_NEWIPC = 0x08000000n;
const CLONE_NEWUTS = 0x04000000n;

interface SpecParts {
  readonly mounts?: object[];
  readonly linux?: object;
  readonly hostname?: string;
}

function makeRequest(
  { mounts = [], linux = {}, hostname }: SpecParts = {},
  changes: Partial<CreateContainerRequest> = {},
): CreateContainerRequest {
  const spec = {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['true'] },
    ...(hostname !== undefined && { hostname }),
    mounts,
    linux: { namespaces: [{ type: 'pid' }], ...linux },
  };
  return {
    id: ID,
    name: 'web',
    spec: JSON.stringify(spec),
    share: {
      directory: '/proc/7/root/share',
      folder: 'web',
      binds: [{ mount: 1, name: 'bind-1' }],
    },
    stub: { pid: 7, startTicks: '70' },
    cgroupDirectories: ['/sys/fs/cgroup/web'],
    hookState: '{}',
    ...changes,
  };
}

function plan(parts?: SpecParts, changes?: Partial<CreateContainerRequest>) {
  return planEngineContainer(makeRequest(parts, changes), (pid) => (pid === 9 ? FIRST : undefined));
}

test('its root and what it binds are folders of the share', () => {
  const mounts = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/data', type: 'bind', source: '/srv/data', options: ['bind'] },
  ];
  const { guest, host } = plan({ mounts });
  assert.equal(guest.rootfs.folder, 'web/rootfs');
  assert.deepEqual(guest.rootfs.layers, []);
  assert.equal(guest.mounts[1]?.source, '/run/wardian/share/web/bind-1');
  assert.deepEqual(host.share, { path: '/proc/7/root/share', writable: true });
  assert.deepEqual(host.cgroupDirectories, ['/sys/fs/cgroup/web']);
});

test('a bind that the share does not have is refused', () => {
  const mounts = [{ destination: '/data', type: 'bind', source: '/srv', options: ['bind'] }];
  assert.throws(() => plan({ mounts }), { code: 'SPEC_UNSUPPORTED' });
});

test('the machine has the name of its container, and its network', () => {
  assert.equal(plan().hostname, 'localhost');
  assert.equal(plan({ hostname: 'pod' }).hostname, 'pod');
  const backend = { kind: 'tap', namespacePath: '/proc/7/ns/net', name: 'tap0' } as const;
  const named = { macAddress: '02:00:00:00:00:01', mtuBytes: 1500, addresses: [], settings: [] };
  const interfaces = ['eth0', 'eth1'].map((name) => ({ name, ...named, backend }));
  const network = { interfaces, routes: [], neighbours: [] };
  const two = plan({}, { network });
  assert.deepEqual(two.host.taps, [backend, backend]);
  assert.equal(two.fromTemplate, false);
  assert.equal(two.network?.interfaces.length, 2);
  const one = plan({}, { network: { ...network, interfaces: interfaces.slice(0, 1) } });
  assert.equal(one.fromTemplate, true);
});

test('namespaces of a stub in the same sandbox are joined, and no others', () => {
  const path = '/proc/9/ns';
  const linux = {
    namespaces: [
      { type: 'mount' },
      { type: 'pid', path: `${path}/pid` },
      { type: 'ipc', path: `${path}/ipc` },
      { type: 'uts' },
    ],
  };
  const { guest, engine } = plan({ linux }, { sandbox: FIRST });
  assert.deepEqual(guest.joins, [
    { namespace: CLONE_NEWPID, containerId: FIRST },
    { namespace: CLONE_NEWIPC, containerId: FIRST },
  ]);
  assert.equal(guest.namespaces & CLONE_NEWPID, 0n);
  assert.equal(guest.namespaces & CLONE_NEWUTS, CLONE_NEWUTS); // the sandbox's own is another container's
  assert.equal(engine?.sandbox, FIRST);
  const foreign = { namespaces: [{ type: 'pid', path: '/proc/8/ns/pid' }] };
  assert.throws(() => plan({ linux: foreign }), { code: 'SPEC_UNSUPPORTED' });
});

test('limits make the machine’s size; numbers of the host’s CPUs mean nothing in it', () => {
  const memory = { limit: 300 * MEBIBYTE };
  const cpu = { quota: 150_000, period: 100_000, cpus: '0-63', mems: '0' };
  const { size, guest } = plan({ linux: { resources: { memory, cpu } } });
  assert.equal(size.memoryBytes, 512 * MEBIBYTE);
  assert.equal(size.cpus, Math.min(2, availableParallelism()));
  const files = guest.cgroupFiles.map(({ key }) => key);
  assert.ok(files.includes('memory.max') && files.includes('cpu.max'));
  assert.ok(!files.some((name) => name.startsWith('cpuset.')));
});

test('what is beyond this host is no limit, and neither are 0 and -1', () => {
  assert.deepEqual(findLimits({}), {});
  assert.deepEqual(findLimits({ memory: { limit: -1n }, cpu: { quota: -1n } }), {});
  assert.deepEqual(findLimits({ memory: { limit: 2n ** 62n } }), {
    memoryBytes: findMostMemory(totalmem()),
  });
  assert.deepEqual(findLimits({ cpu: { quota: 50_000n } }), { cpus: 0.5 });
  assert.deepEqual(findLimits({ cpu: { cpus: '1' } }), { cpus: 1 });
  assert.deepEqual(findLimits({ cpu: { cpus: '0-99999' } }), { cpus: availableParallelism() });
});

test('a machine does not grow', () => {
  const record = { driver: 'fake', id: 'm', pid: 1, pidStartTicks: '1', directory: '/' };
  const described = { accelerator: 'tcg', templateKey: '', kernelRelease: '' };
  const machine = { record, ...described, cpus: 1, memoryBytes: 256 * MEBIBYTE };
  checkGrowth({ memory: { limit: BigInt(100 * MEBIBYTE) }, cpu: { quota: 100_000n } }, machine);
  assert.throws(() => checkGrowth({ memory: { limit: BigInt(512 * MEBIBYTE) } }, machine), {
    code: 'SPEC_UNSUPPORTED',
    message: /^512 MiB of memory is more .* it has 1 CPU and 256 MiB$/,
  });
  // What this host could not give either is named as it was asked for.
  const huge = { memory: { limit: BigInt(2 ** 50) } };
  assert.throws(() => checkGrowth(huge, machine), /^WardianError: 1073741824 MiB of memory/);
  if (availableParallelism() === 1) return;
  assert.throws(() => checkGrowth({ cpu: { quota: 200_000n } }, machine), /^WardianError: 2 CPUs/);
});
