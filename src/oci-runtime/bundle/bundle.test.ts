import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { getOwnIdentity } from '../../host/process-identity.ts';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import { type ContainerState, STATE_VERSION } from '../state/container-state.ts';
import { createContainerFolder } from '../state/state-folder.ts';
import { findSandbox } from './find-sandbox.ts';
import { loadBundle } from './load-bundle.ts';

let folder = '';

before(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'wardian-')));
});

after(() => rmSync(folder, { recursive: true }));

function makeBundle(name: string, config: string): string {
  const bundle = path.join(folder, name);
  mkdirSync(path.join(bundle, 'rootfs'), { recursive: true });
  writeFileSync(path.join(bundle, 'config.json'), config);
  return bundle;
}

test('a bundle is read with paths that lead there from everywhere', () => {
  const bundle = makeBundle('good', '{"ociVersion":"1.0.2","root":{"path":"rootfs"}}');
  symlinkSync(bundle, path.join(folder, 'link'));
  const loaded = loadBundle(path.join(folder, 'link'));
  assert.equal(loaded.directory, bundle);
  assert.equal(loaded.rootfs, path.join(bundle, 'rootfs'));
  assert.equal(loadBundle(bundle, path.join(bundle, 'config.json')).spec.ociVersion, '1.0.2');
});

test('what is missing or wrong is named', () => {
  const wrong: [string, string, RegExp][] = [
    ['nowhere', 'PATH_NOT_FOUND', /the bundle ".*nowhere": no such file or directory/],
    [makeName('{}', 'empty'), 'SPEC_INVALID', /ociVersion is missing/],
    [makeName('{"ociVersion":"1.0.2"}', 'rootless'), 'SPEC_INVALID', /root.path is missing/],
    [
      makeName('{"ociVersion":"1.0.2","root":{"path":"no"}}', 'no-root'),
      'PATH_NOT_FOUND',
      /root.path ".*no": no such file or directory/,
    ],
    [
      makeName('{"ociVersion":"1.0.2","root":{"path":"config.json"}}', 'file-root'),
      'SPEC_INVALID',
      /is not a folder/,
    ],
  ];
  for (const [name, code, message] of wrong) {
    assert.throws(() => loadBundle(path.join(folder, name)), { code, message }, name);
  }
  rmSync(path.join(folder, 'empty/config.json'));
  assert.throws(() => loadBundle(path.join(folder, 'empty')), {
    code: 'PATH_NOT_FOUND',
    message: /config.json: no such file or directory/,
  });
  mkdirSync(path.join(folder, 'empty/config.json'));
  assert.throws(() => loadBundle(path.join(folder, 'empty')), { message: /is no file/ });
});

test('a container of a pod joins the sandbox of its first one', () => {
  const root = path.join(folder, 'root');
  createContainerFolder(root, makeState('pod'), '{}');
  createContainerFolder(root, makeState('member', { sandbox: 'pod', stub: STRANGER }), '{}');
  createContainerFolder(root, makeState('dead', { stub: DEAD }), '{}');
  const find = (spec: Partial<Spec>) =>
    findSandbox(root, 'new', { ociVersion: '1.0.2', ...spec })?.id;
  const cri = (kind: string, sandbox: string) => ({
    annotations: {
      'io.kubernetes.cri.container-type': kind,
      'io.kubernetes.cri.sandbox-id': sandbox,
    },
  });
  assert.equal(find(cri('container', 'pod')), 'pod');
  assert.equal(find(cri('sandbox', 'new')), undefined);
  assert.equal(find({ annotations: { 'io.wardian.sandbox': 'member' } }), 'pod');
  assert.throws(() => find(cri('container', 'dead')), { code: 'CONTAINER_NOT_RUNNING' });
  assert.throws(() => find(cri('container', 'none')), { code: 'CONTAINER_NOT_FOUND' });
  assert.throws(() => find(cri('container', '../pod')), { code: 'NAME_INVALID' });
  const podman = (sandbox: string) => ({
    annotations: {
      'io.kubernetes.cri-o.ContainerType': 'container',
      'io.kubernetes.cri-o.SandboxID': sandbox,
    },
  });
  assert.equal(find(podman('pod')), 'pod');
  assert.equal(find(podman('pod-without-a-first-container')), undefined);
  const namespaces = (type: 'ipc' | 'network' | 'uts', pid: number) => ({
    linux: { namespaces: [{ type, path: `/proc/${pid}/ns/${type}` }] },
  });
  assert.equal(find(namespaces('ipc', process.pid)), 'pod');
  assert.equal(find(namespaces('network', process.pid)), 'pod');
  assert.equal(find(namespaces('uts', process.pid)), undefined);
  assert.equal(find(namespaces('ipc', 1)), undefined);
  assert.equal(find({}), undefined);
});

const DEAD = { ...getOwnIdentity(), startTime: '1' };
/** Another living process than that of the pod's stub. */
const STRANGER = { ...getOwnIdentity(), pid: process.ppid, startTime: '2' };

function makeName(config: string, name: string): string {
  makeBundle(name, config);
  return name;
}

function makeState(id: string, change: Partial<ContainerState> = {}): ContainerState {
  return {
    ...{ version: STATE_VERSION, id, key: 'ab'.repeat(32), phase: 'started', isPaused: false },
    ...{ creator: getOwnIdentity(), stub: getOwnIdentity(), bundle: '/b', rootfs: '/b/rootfs' },
    ...{ created: '', owner: 'root', annotations: {}, cgroups: { directories: [], made: [] } },
    ...{ hooks: { poststart: [], poststop: [] } },
    ...change,
  };
}
