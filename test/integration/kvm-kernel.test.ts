import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { findDirectories } from '../../src/host/directories.ts';
import type { HypervisorDriver } from '../../src/hypervisor/driver.ts';
import { loadDriver } from '../../src/hypervisor/registry.ts';
import { ImageStore } from '../../src/image/image-store.ts';
import type { RunRequest } from '../../src/sandboxer/api.ts';
import { Sandboxer } from '../../src/sandboxer/sandboxer.ts';
import { type Guest, loadGuests } from '../../src/template/guest.ts';
import type { GuestPair, PairSource } from '../../src/template/guest-pair.ts';
import { TemplateStore } from '../../src/template/template-store.ts';

/*
 * The kernel that was configured for KVM, under emulation: hosts without KVM test it, too. Only the choice of the pair is the
 * test's own; template, clone and container are made as ever.
 */

const launcherPath = path.resolve(import.meta.dirname, '../../dist/launcher');
const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);

let folder = '';
let kernel: Guest;
let templates: TemplateStore;
let sandboxer: Sandboxer;
let starts = 0;

before(async () => {
  const { mini, qemu, busyboxPath } = await loadGuests(cache);
  assert.ok(mini.kvm, 'first run: wardian guest build kernel --accelerator all');
  kernel = mini.kvm;
  folder = mkdtempSync('/tmp/wardian-test-');
  const dataDirectory = path.join(folder, 'data');
  const runtimeDirectory = path.join(folder, 'run');
  for (const made of [dataDirectory, runtimeDirectory]) mkdirSync(made, { mode: 0o711 });
  const { driver, version } = await loadDriver('qemu', {
    launcherPath,
    cacheDirectory: cache,
    diskDirectories: [path.join(dataDirectory, 'images')],
    accelerator: 'tcg',
    ...(qemu !== undefined && { vmm: qemu }),
  });
  templates = new TemplateStore({
    cacheDirectory: path.join(folder, 'cache'),
    runtimeDirectory,
    driver,
    guest: kernel,
    launcherPath,
  });
  const pair: GuestPair = {
    guest: kernel,
    vmm: qemu === undefined ? 'distro' : 'small',
    vmmVersion: version,
    driver,
    templates,
  };
  const services = { pairs: alwaysChoose(pair, driver, busyboxPath), runtimeDirectory };
  sandboxer = new Sandboxer({ services, images: new ImageStore(dataDirectory), dataDirectory });
});

after(async () => {
  for (const { state } of sandboxer?.registry.entries ?? [])
    await sandboxer.remove(state.id, true, 0);
  await templates?.close();
  rmSync(folder, { recursive: true, force: true });
});

function alwaysChoose(pair: GuestPair, driver: HypervisorDriver, busyboxPath: string): PairSource {
  return { busyboxPath, choose: async () => pair, adopt: (record) => driver.adopt(record) };
}

/** Runs a script in a container of its own and gives its exit code. */
async function run(script: string, changes: Partial<RunRequest> = {}): Promise<number> {
  starts += 1;
  const id = starts.toString(16).padStart(64, '0');
  await sandboxer.run({
    id,
    image: 'busybox',
    command: ['sh', '-c', script],
    env: [],
    terminal: false,
    interactive: false,
    autoRemove: false,
    detached: true,
    readOnly: false,
    tmpfs: [],
    network: 'none',
    labels: {},
    limits: {},
    template: true,
    ...changes,
  });
  const exitCode = await sandboxer.wait(id);
  await sandboxer.remove(id, true, 0);
  return exitCode;
}

test('a clone of it runs a container', async () => {
  assert.equal(await run(`test "$(uname -r)" = ${kernel.kernelRelease} && exit 42`), 42);
});

test('it boots without a template, with two CPUs and a limit', async () => {
  const limits = { cpus: 2, memoryBytes: 64 * 2 ** 20 };
  const script =
    'test "$(nproc)" = 2 && test "$(cat /sys/fs/cgroup/memory.max)" = 67108864 && exit 43';
  assert.equal(await run(script, { template: false, limits }), 43);
});
