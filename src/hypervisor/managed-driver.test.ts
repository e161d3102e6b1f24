import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { MachineConfig } from '../machine/machine-config.ts';
import type { HypervisorDriver, VirtualMachine, VirtualMachineExit } from './driver.ts';
import { manageDriver } from './managed-driver.ts';

class FakeMachine implements VirtualMachine {
  readonly record = { driver: 'fake', id: 'a', pid: 1, pidStartTicks: '1', directory: '/' };
  readonly calls: string[] = [];
  end: (exit: VirtualMachineExit) => void = () => {};
  readonly exited = new Promise<VirtualMachineExit>((resolve) => {
    this.end = resolve;
  });

  async openAgentChannel() {
    return new PassThrough();
  }
  async attachDisk({ lun }: { lun: number }) {
    this.calls.push(`attach ${lun}`);
    if (lun === 9) throw new Error('refused');
  }
  async detachDisk(lun: number) {
    this.calls.push(`detach ${lun}`);
  }
  async exchangeRootDisk(path: string) {
    this.calls.push(`root disk ${path}`);
  }
  async pause() {}
  async resume() {}
  async snapshot(): Promise<never> {
    throw new Error('refused');
  }
  async kill() {
    this.calls.push('kill');
    this.end({ exitCode: undefined, signal: 'SIGKILL', reason: 'it was ended' });
    await this.exited;
  }
  release() {
    this.calls.push('release');
  }
}

const config: MachineConfig = {
  cpus: 1,
  memoryBytes: 1,
  boot: { kernelPath: '', initramfsPath: '', acpi: true, parameters: [] },
  devices: [],
};

function setUp() {
  const fake = new FakeMachine();
  const driver: HypervisorDriver = {
    name: 'fake',
    accelerator: 'tcg',
    capabilities: {
      cloning: true,
      forking: true,
      diskHotplug: true,
      rootDiskExchange: true,
      pause: true,
    },
    fingerprint: '',
    boot: async () => fake,
    clone: async () => fake,
    fork: async () => fake,
    adopt: async () => fake,
  };
  const managed = manageDriver(driver);
  const boot = (id = 'a', signal?: AbortSignal) =>
    managed.boot({ id, config, directory: '/', snapshotable: false, ...(signal && { signal }) });
  return { fake, managed, boot };
}

describe('a managed driver', () => {
  it('lets only ids through that are safe as names', async () => {
    const { boot } = setUp();
    for (const id of ['', '../x', 'a b', '-a', 'a'.repeat(129)]) {
      await assert.rejects(boot(id), { code: 'NAME_INVALID' });
    }
  });

  it('leaves nothing behind when the start is cancelled', async () => {
    const { fake, boot } = setUp();
    const controller = new AbortController();
    const starting = boot('a', controller.signal);
    controller.abort();
    await assert.rejects(starting, { code: 'CANCELLED' });
    assert.deepEqual(fake.calls, ['kill']);
  });

  it('holds forks to the same rules', async () => {
    const { fake, managed } = setUp();
    const request = { config, directory: '/', stem: fake.record };
    await assert.rejects(managed.fork({ ...request, id: '../x' }), { code: 'NAME_INVALID' });
    const controller = new AbortController();
    const forking = managed.fork({ ...request, id: 'a', signal: controller.signal });
    controller.abort();
    await assert.rejects(forking, { code: 'CANCELLED' });
    assert.deepEqual(fake.calls, ['kill']);
  });

  it('ends a machine once, and asks nothing of it afterwards', async () => {
    const { fake, boot } = setUp();
    const machine = await boot();
    await Promise.all([machine.kill(), machine.kill()]);
    await machine.kill();
    assert.deepEqual(fake.calls, ['kill']);
    await assert.rejects(machine.openAgentChannel(), {
      code: 'SANDBOX_DIED',
      message: /it was ended/,
    });
  });

  it('gives a disk number once, and again after it was refused or detached', async () => {
    const { boot } = setUp();
    const machine = await boot();
    const disk = { path: '/d', readOnly: true };
    await machine.attachDisk({ ...disk, lun: 0 });
    await assert.rejects(machine.attachDisk({ ...disk, lun: 0 }), /has a disk 0 already/);
    await machine.detachDisk(0);
    await machine.attachDisk({ ...disk, lun: 0 });
    await assert.rejects(machine.attachDisk({ ...disk, lun: 9 }), /refused/);
    await assert.rejects(machine.attachDisk({ ...disk, lun: 9 }), /refused/);
    await assert.rejects(machine.attachDisk({ ...disk, lun: 256 }), { code: 'INTERNAL' });
  });

  it('can still end a machine that could not be saved', async () => {
    const { fake, boot } = setUp();
    const machine = await boot();
    await assert.rejects(machine.snapshot('/s'), /refused/);
    await machine.kill();
    assert.deepEqual(fake.calls, ['kill']);
  });

  it('lets go once', async () => {
    const { fake, boot } = setUp();
    const machine = await boot();
    machine.release();
    machine.release();
    assert.deepEqual(fake.calls, ['release']);
    await assert.rejects(machine.pause(), { code: 'INTERNAL' });
  });

  it('adopts only what is its own', async () => {
    const { fake, managed } = setUp();
    await assert.rejects(managed.adopt({ ...fake.record, driver: 'other' }), {
      code: 'STATE_CORRUPT',
    });
    assert.equal((await managed.adopt(fake.record)).record.id, 'a');
  });
});
