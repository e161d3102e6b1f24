import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { getOwnIdentity } from '../../src/host/process-identity.ts';
import { type ContainerState, STATE_VERSION } from '../../src/oci-runtime/state/container-state.ts';
import { createContainerFolder } from '../../src/oci-runtime/state/state-folder.ts';
import type { Warming } from './warm-bundle.ts';

export const QUICK_WARMING: Warming = {
  commands: [
    ['exec', 'container', 'true'],
    ['run', '--rm', 'image', 'true'],
  ],
};

/** Flags with which the runtime touches nothing of the host but its working folder, which is ours. */
const FLAGS = ['--root', 'root', '--cgroup-manager', 'disabled', '--log', 'log'];
/** Says what the stub says, and ends. */
const STUB = '#!/bin/sh\necho ready >&3\nread -r line <&3\n';
const CONFIG = JSON.stringify({
  ociVersion: '1.0.2',
  root: { path: 'rootfs' },
  process: { cwd: '/', args: ['true'], env: ['PATH=/bin'] },
  mounts: [{ destination: '/data', type: 'bind', source: '/', options: ['rbind'] }],
  // Of a pod: its network is not looked for, which takes a namespace that not everybody may make.
  annotations: { 'io.wardian.sandbox': 'created' },
  linux: { namespaces: [{ type: 'mount' }, { type: 'network' }] },
});

/** What engines call for each container. */
export const RUNTIME_WARMING: Warming = {
  commands: [
    [...FLAGS, 'create', '--bundle', 'bundle', '--pid-file', 'pid', 'made'],
    [...FLAGS, 'state', 'created'],
    [...FLAGS, 'start', 'created'],
    [...FLAGS, 'exec', '--detach', '--pid-file', 'pid', 'created', 'true'],
    [...FLAGS, 'kill', 'created', '9'],
    [...FLAGS, 'delete', 'stopped'],
  ],
  prepare(folder) {
    mkdirSync(path.join(folder, 'bundle/rootfs/bin'), { recursive: true });
    mkdirSync(path.join(folder, 'sandboxes/one'), { recursive: true });
    writeFileSync(path.join(folder, 'bundle/config.json'), CONFIG);
    writeFileSync(path.join(folder, 'bundle/rootfs/bin/true'), '', { mode: 0o755 });
    writeFileSync(path.join(folder, 'stub'), STUB, { mode: 0o755 });
    // Ours is the only process of which it is sure that it lives; nothing above kills what runs.
    const own = getOwnIdentity();
    const dead = { ...own, startTime: '1' };
    const root = path.join(folder, 'root');
    createContainerFolder(root, describe('created', own), CONFIG);
    createContainerFolder(root, describe('stopped', dead), CONFIG);
  },
};

function describe(id: string, stub: ContainerState['stub'] & object): ContainerState {
  return {
    ...{ version: STATE_VERSION, id, key: '0'.repeat(64), phase: 'created', isPaused: false },
    ...{ creator: stub, stub, bundle: '/b', rootfs: '/b/rootfs', created: '', owner: '' },
    ...{ annotations: {}, cgroups: { directories: [], made: [] } },
    ...{ hooks: { poststart: [], poststop: [] } },
  };
}
