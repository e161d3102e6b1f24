import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type BundleOptions, RuntimeHost } from '../support/runtime-host.ts';

let host: RuntimeHost;

before(() => {
  host = new RuntimeHost();
});
after(() => host.close());

/** Boots of one kernel have one id. */
const BOOT_ID = ['cat', '/proc/sys/kernel/random/boot_id'];

async function start(id: string, options: BundleOptions): Promise<void> {
  const bundle = host.makeBundle(id, options);
  await host.succeed('run', '-d', '-b', bundle, id);
}

/** What a container of containerd's CRI plugin says about itself. */
function inPod(sandbox: string): { spec: object } {
  return {
    spec: {
      annotations: {
        'io.kubernetes.cri.container-type': 'container',
        'io.kubernetes.cri.sandbox-id': sandbox,
      },
    },
  };
}

function listSandboxes(): string[] {
  return readdirSync(path.join(host.host.runtimeDirectory, 'sandboxes'));
}

test('containers of a pod run in one machine, each with files and an end of its own', async () => {
  await start('pod', { args: ['sleep', '1000'] });
  const bundle = host.makeBundle('member', { args: ['sh', '-c', 'cat; exit 9'], ...inPod('pod') });
  const member = await host.run(['run', '-b', bundle, 'member'], { stdin: 'in\n' });
  assert.deepEqual([member.exitCode, member.stdout], [9, 'in\n']);
  await start('other', { args: ['sleep', '1000'], ...inPod('pod') });
  const [first, second] = await Promise.all(
    ['pod', 'other'].map((id) => host.succeed('exec', id, ...BOOT_ID)),
  );
  assert.equal(first, second);
  assert.match(await host.succeed('exec', 'other', 'ls', '/bin'), /busybox/);
  await host.succeed('delete', '--force', 'other');
  assert.equal((await host.getState('pod')).status, 'running');
  await host.succeed('delete', '--force', 'pod');
  assert.deepEqual(host.listLeftovers(), []);
});

test('who has the ipc namespace of a container has its machine', async () => {
  await start('holder', { args: ['sleep', '1000'] });
  const { pid } = await host.getState('holder');
  const namespaces = ['mount', 'pid', 'uts'].map((type) => ({ type }));
  const shared = ['ipc', 'network'].map((type) => ({
    type,
    path: `/proc/${pid}/ns/${type === 'network' ? 'net' : type}`,
  }));
  await start('guest', {
    args: ['sleep', '1000'],
    linux: { namespaces: [...namespaces, ...shared] },
  });
  const [first, second] = await Promise.all(
    ['holder', 'guest'].map((id) => host.succeed('exec', id, ...BOOT_ID)),
  );
  assert.equal(first, second);
  await host.succeed('delete', '--force', 'guest');
  await host.succeed('delete', '--force', 'holder');
});

test('with the first container ends the machine, and so all of a pod', async () => {
  await start('first', { args: ['sleep', '1000'] });
  await start('second', { args: ['sleep', '1000'], ...inPod('first') });
  await host.succeed('kill', 'first', 'KILL');
  await host.waitForStatus('first', 'stopped');
  await host.waitForStatus('second', 'stopped');
  const bundle = host.makeBundle('late', inPod('first'));
  await host.fail(/the sandbox "first" is stopped/, 'create', '-b', bundle, 'late');
  const nobody = host.makeBundle('nobody', inPod('nowhere'));
  await host.fail(/container "nowhere" does not exist/, 'create', '-b', nobody, 'nobody');
  await host.succeed('delete', 'first');
  await host.succeed('delete', 'second');
  assert.deepEqual(listSandboxes(), []);
});

test('the files of a container whose stub was killed do not stay with its pod', async () => {
  await start('lasting', { args: ['sleep', '1000'] });
  const { pid } = await host.getState('lasting');
  const readMounts = (): string => readFileSync(`/proc/${pid}/mounts`, 'utf8');
  const before = readMounts();
  await start('killed', { args: ['sleep', '1000'], ...inPod('lasting') });
  process.kill((await host.getState('killed')).pid, 'SIGKILL');
  await host.waitForStatus('killed', 'stopped');
  assert.notEqual(readMounts(), before);
  await host.succeed('delete', 'killed');
  assert.equal(readMounts(), before);
  await host.succeed('delete', '--force', 'lasting');
  assert.deepEqual(host.listLeftovers(), []);
});
