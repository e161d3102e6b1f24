import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connectToUnknownAgent } from '../../src/agent/connect.ts';
import { findDirectories } from '../../src/host/directories.ts';
import type { HypervisorDriver } from '../../src/hypervisor/driver.ts';
import { bootSandboxMachine, cloneSandboxMachine } from '../../src/template/clone.ts';
import { GUEST_NAMES, type Guest, type GuestName } from '../../src/template/guest.ts';
import { GuestPairs } from '../../src/template/guest-pairs.ts';
import { chooseSizeClass } from '../../src/template/size-class.ts';
import { computeGeneration, type Template } from '../../src/template/template.ts';
import { TemplateCatalog } from '../../src/template/template-catalog.ts';
import { TemplateStore } from '../../src/template/template-store.ts';

const launcherPath = path.resolve(import.meta.dirname, '../../dist/launcher');
const { cache: builtCache } = findDirectories(process.env, process.getuid?.() ?? 0);
const isSetUp =
  existsSync(launcherPath) && existsSync(path.join(builtCache, 'guest/manifest.json'));
const size = chooseSizeClass({ memoryBytes: 64 * 1024 * 1024 });

for (const name of GUEST_NAMES) {
  const skip = isSetUp ? false : 'run scripts/setup first';
  describe(`templates and clones of the ${name} guest`, { skip }, () => testTemplates(name));
}

function testTemplates(name: GuestName): void {
  let folder = '';
  let driver: HypervisorDriver;
  let guest: Guest;
  let store: TemplateStore;
  let template: Template;
  let machines = 0;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'wt-'));
    mkdirSync(path.join(folder, 'cache'));
    mkdirSync(path.join(folder, 'disks'));
    symlinkSync(path.join(builtCache, 'guest'), path.join(folder, 'cache/guest'));
    const pairs = await GuestPairs.open({
      cacheDirectory: path.join(folder, 'cache'),
      runtimeDirectory: path.join(folder, 'run'),
      launcherPath,
      diskDirectories: [path.join(folder, 'disks')],
      preference: name,
    });
    ({ driver, guest } = await pairs.choose());
    store = createStore();
    template = await store.obtain(size);
  });

  after(async () => {
    await store?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function createStore(): TemplateStore {
    const cacheDirectory = path.join(folder, 'cache');
    const runtimeDirectory = path.join(folder, 'run');
    return new TemplateStore({ cacheDirectory, runtimeDirectory, driver, guest, launcherPath });
  }

  function place() {
    machines += 1;
    const id = `m${machines}`;
    const directory = path.join(folder, id);
    mkdirSync(directory, { mode: 0o711 });
    return { driver, id, directory };
  }

  it('clones answer, and each by itself', async () => {
    const clones = await Promise.all(
      [1, 2, 3].map(() => cloneSandboxMachine({ template, ...place() })),
    );
    for (const { agent } of clones) {
      assert.equal((await agent.ping()).kernelRelease, guest.kernelRelease);
    }
    await clones[0]?.machine.kill();
    assert.equal((await clones[1]?.agent.ping())?.kernelRelease, guest.kernelRelease);
    for (const { agent, machine } of clones) {
      agent.close();
      await machine.kill();
    }
  });

  it('says who ended a machine', async () => {
    const { machine, agent } = await cloneSandboxMachine({ template, ...place() });
    await agent.ping();
    process.kill(machine.record.pid, 'SIGKILL');
    const exit = await machine.exited;
    assert.equal(exit.signal, 'SIGKILL');
    assert.match(exit.reason, /QEMU was ended by SIGKILL/);
    await assert.rejects(machine.openAgentChannel(), { code: 'SANDBOX_DIED' });
    agent.close();
  });

  it('attaches and detaches disks, and explains those it cannot', async () => {
    const { machine, agent } = await cloneSandboxMachine({ template, ...place() });
    const image = path.join(folder, 'disks/image');
    writeFileSync(image, Buffer.alloc(1024 * 1024), { mode: 0o644 });
    await agent.ping();
    await machine.attachDisk({ lun: 0, path: image, readOnly: true });
    await machine.detachDisk(0);
    await machine.attachDisk({ lun: 0, path: image, readOnly: true });
    const missing = { lun: 1, path: path.join(folder, 'disks/none'), readOnly: true };
    await assert.rejects(machine.attachDisk(missing), { code: 'PATH_NOT_FOUND' });
    if (process.getuid?.() === 0) {
      const secret = path.join(folder, 'disks/secret');
      writeFileSync(secret, Buffer.alloc(4096), { mode: 0o600 });
      const disk = { lun: 1, path: secret, readOnly: true };
      await assert.rejects(machine.attachDisk(disk), { code: 'HOST_PERMISSION' });
    }
    agent.close();
    await machine.kill();
  });

  it('is taken over by another process', async () => {
    const { machine, agent } = await cloneSandboxMachine({ template, ...place() });
    await agent.ping();
    agent.close();
    machine.release();
    const adopted = await driver.adopt(machine.record);
    const again = await connectToUnknownAgent(() => adopted.openAgentChannel());
    assert.equal((await again.ping()).kernelRelease, guest.kernelRelease);
    again.close();
    await adopted.kill();
    await assert.rejects(driver.adopt(machine.record), { code: 'SANDBOX_DIED' });
  });

  it('pauses and resumes', async () => {
    const { machine, agent } = await cloneSandboxMachine({ template, ...place() });
    await agent.ping();
    await machine.pause();
    await assert.rejects(agent.ping({ timeoutMs: 300 }), { code: 'AGENT_TIMEOUT' });
    await machine.resume();
    await agent.ping();
    agent.close();
    await machine.kill();
  });

  it('shows a sandbox the interface that it is given, with its MAC address', async () => {
    const mac = Buffer.from('020a0b0c0d0e', 'hex');
    const interfaces = [{ name: 'eth0', mac }];
    const fromTemplate = await cloneSandboxMachine({ template, ...place() });
    const booted = await bootSandboxMachine({ guest, size, ...place() });
    for (const { machine, agent } of [fromTemplate, booted]) {
      await agent.personalize({ entropy: randomBytes(32), interfaces });
      await assert.rejects(
        agent.personalize({ entropy: randomBytes(32), interfaces: [{ name: 'eth9', mac }] }),
        /eth9/,
      );
      agent.close();
      await machine.kill();
    }
  });

  it('boots without a template', async () => {
    const { machine, agent } = await bootSandboxMachine({ guest, size, ...place() });
    assert.equal((await agent.ping()).kernelRelease, guest.kernelRelease);
    await agent.shutdown({ graceMilliseconds: 0 }).catch(() => {}); // it may be gone before it has answered
    assert.equal((await machine.exited).reason, 'the guest powered off');
    agent.close();
  });

  it('quotes a kernel that panics', async () => {
    const broken: Guest = {
      ...guest,
      boot: { ...guest.boot, parameters: ['rdinit=/none', 'root='] },
    };
    const { machine, agent } = await bootSandboxMachine({ guest: broken, size, ...place() });
    assert.match((await machine.exited).reason, /the guest kernel panicked: /);
    agent.close();
  });

  it('loads what is in the cache, and makes anew what is damaged', async () => {
    const second = createStore();
    await second.obtain(size, { onProgress: (line) => assert.fail(line) });
    await second.close();
    truncateSync(template.snapshot.statePath, 1000);
    const third = createStore();
    const lines: string[] = [];
    const made = await third.obtain(size, { onProgress: (line) => lines.push(line) });
    assert.match(lines[0] ?? '', /anew: .*state is damaged/);
    // Whoever empties the cache meanwhile takes nothing from those who hold the template.
    rmSync(path.dirname(readlinkSync(made.snapshot.statePath)), { recursive: true });
    const { machine, agent } = await cloneSandboxMachine({ template: made, ...place() });
    await agent.ping();
    agent.close();
    await machine.kill();
    await third.close();
  });

  it('is made once by two at the same time', async () => {
    const cacheDirectory = path.join(folder, 'cache');
    const catalog = new TemplateCatalog({
      cacheDirectory,
      generations: [computeGeneration(driver, guest)],
    });
    await catalog.prune({ all: true });
    const stores = [createStore(), createStore()];
    const progress: string[] = [];
    const onProgress = (line: string): void => void progress.push(line);
    await Promise.all(stores.map((one) => one.obtain(size, { onProgress })));
    assert.equal(progress.filter((line) => line.startsWith('booting')).length, 1);
    const [summary] = await catalog.list();
    assert.equal(summary?.key, template.key);
    assert.equal(summary?.isCurrent, true);
    assert.deepEqual(await catalog.prune({ all: false }), []);
    for (const one of stores) await one.close();
  });
}
