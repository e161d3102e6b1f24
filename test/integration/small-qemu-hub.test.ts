import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { type BuiltQemu, findQemu } from '../../scripts/setup/built-guest.ts';
import { findDirectories } from '../../src/host/directories.ts';

const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
const qemu = findQemu(path.join(cache, 'guest/build'));
const skip = qemu === undefined && 'no small QEMU of this recipe: run `wardian guest build qemu`';

const DEVICE = ['-netdev', 'hubport,id=net0,hubid=0', '-device', 'virtio-net-device,netdev=net0'];
/** A client that knows nothing of headers. */
const USER = ['-netdev', 'user,id=user', '-netdev', 'hubport,id=port,hubid=0,netdev=user'];
const CHECKSUMS = 'VIRTIO_NET_F_CSUM';
const SEGMENTS = 'VIRTIO_NET_F_HOST_TSO4';

describe('a hub of the small QEMU', { skip }, () => {
  /** Answers of a QEMU that has these devices and does not run. */
  async function ask(devices: readonly string[], commands: readonly object[]): Promise<string[]> {
    const { path: program, firmwareDirectory } = qemu as BuiltQemu;
    const machine = ['-L', firmwareDirectory, '-M', 'microvm', '-nodefaults', '-display', 'none'];
    const child = spawn(program, [...machine, '-S', '-qmp', 'stdio', ...devices], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      await lines.next(); // the greeting
      const answers: string[] = [];
      for (const command of [{ execute: 'qmp_capabilities' }, ...commands]) {
        child.stdin.write(`${JSON.stringify(command)}\n`);
        answers.push(String((await lines.next()).value));
      }
      return answers.slice(1);
    } finally {
      child.kill('SIGKILL');
    }
  }

  async function listFeatures(devices: readonly string[]): Promise<string> {
    const [list = ''] = await ask(devices, [{ execute: 'x-query-virtio' }]);
    const [{ path: device }] = (JSON.parse(list) as { return: [{ path: string }] }).return;
    const status = { execute: 'x-query-virtio-status', arguments: { path: device } };
    const [answer = ''] = await ask(devices, [status]);
    const { return: found } = JSON.parse(answer) as { return: { 'host-features': object } };
    return JSON.stringify(found['host-features']);
  }

  it('lets a device offer checksums and large segments before it leads anywhere', async () => {
    const features = await listFeatures(DEVICE);
    assert.ok(features.includes(CHECKSUMS) && features.includes(SEGMENTS), features);
  });

  it('offers neither where a client is that could not carry them', async () => {
    const features = await listFeatures([...USER, ...DEVICE]);
    assert.ok(!features.includes(CHECKSUMS) && !features.includes(SEGMENTS), features);
  });

  it('refuses such a client when a device has offered them', async () => {
    const [, connected] = await ask(DEVICE, [
      { execute: 'netdev_add', arguments: { type: 'user', id: 'user' } },
      {
        execute: 'netdev_add',
        arguments: { type: 'hubport', id: 'port', hubid: 0, netdev: 'user' },
      },
    ]);
    assert.match(String(connected), /netdev 'user' has no virtio-net header/);
  });
});
