import assert from 'node:assert/strict';
import { mkdtempSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Cleanup } from '../../src/util/cleanup.ts';
import { buildBundleConfig } from './bundle.ts';
import { buildCtrCommand, buildCtrCommands, buildDaemonConfig } from './containerd.ts';
import { makePeerImage } from './image.ts';
import { buildRuntimeCommands } from './oci-runtime.ts';
import { listPeerPackages, openPeers } from './open-peers.ts';
import { buildPodmanCommand, buildPodmanCommands } from './podman.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'wardian-bench-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('a runtime is given its bundle and its id', () => {
  const commands = buildRuntimeCommands(['crun', '--root', '/r'], { once: '/o', idle: '/i' });
  assert.deepEqual(commands.run('a'), ['crun', '--root', '/r', 'run', '--bundle', '/o', 'a']);
  assert.deepEqual(commands.start('a').slice(3), ['run', '--detach', '--bundle', '/i', 'a']);
  assert.deepEqual(commands.exec('a').slice(3), ['exec', 'a', 'true']);
  assert.deepEqual(commands.remove('a'), [['crun', '--root', '/r', 'delete', '--force', 'a']]);
});

test('podman keeps to its own folders, runs without network and removes what it ran', () => {
  const podman = buildPodmanCommand('/own');
  const commands = buildPodmanCommands(podman, { image: 'abc', controlGroup: 'bench' });
  const run = commands.run('a').join(' ');
  assert.match(run, /^podman --root \/own --runroot \/run\/bench-podman /);
  assert.match(run, / run --network none --cgroup-parent \/bench --rm --name a abc true$/);
  assert.match(commands.start('a').join(' '), / --detach --name a abc sleep 100000$/);
});

test('ctr speaks to our own containerd, and never reuses the name of a process', () => {
  const ctr = buildCtrCommand('bench');
  const commands = buildCtrCommands(ctr);
  assert.deepEqual(commands.run('a').slice(ctr.length), [
    'run',
    '--rm',
    'localhost/busybox:latest',
    'a',
    'true',
  ]);
  assert.notDeepEqual(commands.exec('a'), commands.exec('a'));
  const address = ctr[ctr.indexOf('--address') + 1] as string;
  assert.ok(buildDaemonConfig('/own').includes(`address = "${address}"`));
});

test('the bundle isolates what engines isolate', () => {
  const config = JSON.parse(
    JSON.stringify(buildBundleConfig({ rootfs: '/r', args: ['true'], cgroupsPath: '/g' })),
  );
  assert.equal(config.root.path, '/r');
  assert.deepEqual(config.process.args, ['true']);
  assert.equal(config.linux.cgroupsPath, '/g');
  assert.equal(config.linux.namespaces.length, 5);
});

test('the image has the program under the names that are run', async () => {
  const image = await makePeerImage(directory, process.execPath);
  assert.equal(readlinkSync(path.join(image.rootfs, 'bin/true')), 'busybox');
  const size = statSync(path.join(image.rootfs, 'bin/busybox')).size;
  assert.equal(size, statSync(process.execPath).size);
});

test('without a namespace of our own no peer takes part, each for a reason', async () => {
  const cleanup = new Cleanup();
  const { present, absent } = await openPeers(undefined, cleanup);
  assert.equal(present.size, 0);
  assert.equal(absent.length, 5);
  for (const { reason } of absent) assert.match(reason, /^(not installed|needs root)/);
});

test('every peer can be installed from Debian', () => {
  assert.deepEqual(listPeerPackages(), [
    'conmon',
    'containerd',
    'crun',
    'podman',
    'runc',
    'runsc',
    'umoci',
  ]);
});
