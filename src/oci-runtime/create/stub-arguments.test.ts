import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import { listBinds } from '../bundle/list-binds.ts';
import { buildStubArgv, type StubTarget } from './stub-arguments.ts';

const TARGET: StubTarget = {
  socketPath: '/run/w/sandboxer.sock',
  key: 'k1',
  cgroups: ['/c/memory/x', '/c/cpu/x'],
  terminal: true,
  isDetached: false,
  consoleSocket: '/t.sock',
  size: { height: 24, width: 80 },
  sandboxerArgv: ['/node', '/sandboxer.cjs'],
};

const SPEC: Spec = {
  ociVersion: '1.0.2',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/data', type: 'bind', source: 'data', options: ['ro', 'bind', 'rw'] },
    { destination: '/tree', type: 'none', source: '/srv/tree', options: ['rbind', 'ro'] },
    { destination: '/nothing', type: 'bind' },
    {
      destination: '/o',
      type: 'overlay',
      source: 'overlay',
      options: ['lowerdir=/a:/b', 'private'],
    },
  ],
  linux: {
    namespaces: [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'network', path: '/run/netns/n' },
      { type: 'uts' },
      { type: 'ipc', path: '' },
      { type: 'cgroup', path: '/proc/7/ns/cgroup' },
    ],
  },
};

test('the stub of a container is told its place and its share', () => {
  const share = {
    directory: '/r/web/share',
    folder: 'k1',
    joinedNamespace: '/proc/7/ns/mnt',
    rootfs: '/b/rootfs',
    binds: listBinds(SPEC, '/b'),
  };
  assert.deepEqual(buildStubArgv(TARGET, { share, spec: SPEC }), [
    ...['--socket', '/run/w/sandboxer.sock', '--container', 'k1'],
    ...['--cgroup', '/c/memory/x', '--cgroup', '/c/cpu/x'],
    ...['--terminal', '--console-socket', '/t.sock', '--rows', '24', '--columns', '80'],
    ...['--network-namespace', '/run/netns/n', '--new-uts', '--new-ipc'],
    ...['--cgroup-namespace', '/proc/7/ns/cgroup'],
    ...['--share', '/r/web/share', '--folder', 'k1', '--share-namespace', '/proc/7/ns/mnt'],
    ...['--rootfs', '/b/rootfs'],
    ...['--bind', 'bind1=/b/data', '--bind-recursive-readonly', 'bind2=/srv/tree'],
    ...['--overlay', 'bind4=lowerdir=/a:/b'],
    ...['--place', 'bind1=/data', '--place', 'bind2=/tree', '--place', 'bind4=/o'],
    ...['--', '/node', '/sandboxer.cjs'],
  ]);
});

test('the stub of another process has neither', () => {
  const target = {
    ...TARGET,
    execId: 'e1',
    terminal: false,
    isDetached: true,
    consoleSocket: undefined,
  };
  assert.deepEqual(buildStubArgv({ ...target, cgroups: [], size: undefined }), [
    ...['--socket', '/run/w/sandboxer.sock', '--container', 'k1', '--exec', 'e1', '--detached'],
    ...['--', '/node', '/sandboxer.cjs'],
  ]);
});
