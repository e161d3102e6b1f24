import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Accelerator, HypervisorDriver } from '../hypervisor/driver.ts';
import type { DriverOptions, LoadedDriver } from '../hypervisor/driver-options.ts';
import { WardianError } from '../util/errors.ts';
import type { GuestPreference } from './guest-pair.ts';
import { GuestPairs } from './guest-pairs.ts';
import { GuestCache } from './testing/guest-cache.ts';

describe('pairs of kernel and VMM', () => {
  let cache: GuestCache;
  let accelerator: Accelerator;
  let loadedPaths: string[];
  let brokenPath: string;

  beforeEach(() => {
    cache = new GuestCache();
    accelerator = 'tcg';
    loadedPaths = [];
    brokenPath = '';
  });
  afterEach(() => cache.remove());

  async function load(_: string, { vmm }: DriverOptions): Promise<LoadedDriver> {
    const path = vmm?.path ?? 'installed';
    loadedPaths.push(path);
    if (path === brokenPath) throw new WardianError('HYPERVISOR_FAILED', 'no such library');
    const driver = { name: 'fake', accelerator, fingerprint: path } as HypervisorDriver;
    return { driver, choice: { accelerator, reason: '' }, version: `version of ${path}` };
  }

  function write(others: object = {}, changes: object = {}): void {
    cache.write({ version: 2, distro: cache.describeDistro(changes), ...others });
  }

  const all = () => ({ mini: cache.describeMini(['tcg', 'kvm']), qemu: cache.describeQemu() });

  function open(preference: GuestPreference = 'auto'): Promise<GuestPairs> {
    return GuestPairs.open({
      cacheDirectory: cache.directory,
      runtimeDirectory: cache.at('run'),
      launcherPath: '/none',
      diskDirectories: [],
      preference,
      load,
    });
  }

  async function name(pairs: GuestPairs, wanted?: 'distro' | 'mini'): Promise<string> {
    const { guest, vmm } = await pairs.choose(wanted);
    return `${guest.kernelRelease} in ${vmm}`;
  }

  it('are the distribution’s until something is built, and say so', async () => {
    write();
    const pairs = await open();
    assert.equal(await name(pairs), '6.1.0-1-amd64 in distro');
    await assert.rejects(pairs.choose('mini'), {
      code: 'HOST_SETUP_MISSING',
      message: 'the mini-OS kernel for tcg is not built',
      hint: /^wardian guest build kernel;/,
    });
    const { kernel, vmm } = await pairs.describe();
    assert.deepEqual(kernel, {
      name: 'distro',
      release: '6.1.0-1-amd64',
      reason: 'the mini-OS kernel for tcg is not built',
      remedy: 'wardian guest build kernel',
    });
    assert.deepEqual(vmm, {
      name: 'distro',
      version: 'version of installed',
      reason: 'the small QEMU is not built',
      remedy: 'wardian guest build qemu',
    });
  });

  it('say that what was built is out of date', async () => {
    write();
    for (const result of ['kernel-tcg', 'qemu']) {
      mkdirSync(cache.at(`guest/build/${result}-0123456789abcdef`));
    }
    const { kernel, vmm } = await (await open()).describe();
    assert.match(kernel.reason, /out of date/);
    assert.match(vmm.reason, /out of date/);
  });

  it('are of what was built, each by itself', async () => {
    write({ mini: cache.describeMini(['tcg']) });
    assert.equal(await name(await open()), '6.1.1-tcg in distro');
    write({ qemu: cache.describeQemu() });
    assert.equal(await name(await open()), '6.1.0-1-amd64 in small');
    write(all());
    assert.equal(await name(await open()), '6.1.1-tcg in small');
  });

  it('have the kernel of the accelerator', async () => {
    accelerator = 'kvm';
    write(all());
    assert.equal(await name(await open()), '6.1.1-kvm in small');
    write({ mini: cache.describeMini(['tcg']) });
    const pairs = await open();
    assert.equal(await name(pairs), '6.1.0-1-amd64 in distro');
    await assert.rejects(pairs.choose('mini'), { message: /kernel for kvm is not built/ });
  });

  it('are those that are asked for, and a VMM is loaded once, when it is needed', async () => {
    write(all());
    const pairs = await open();
    await Promise.all([pairs.choose(), pairs.choose('mini')]);
    assert.deepEqual(loadedPaths, [cache.at('qemu')]);
    const [one, other] = await Promise.all([pairs.choose('distro'), pairs.choose('distro')]);
    assert.equal(one, other);
    assert.equal(await name(pairs, 'distro'), '6.1.0-1-amd64 in distro');
    assert.deepEqual(loadedPaths, [cache.at('qemu'), 'installed']);
    const preferring = await open('distro');
    assert.equal(await name(preferring), '6.1.0-1-amd64 in distro');
    assert.equal(await name(preferring, 'mini'), '6.1.1-tcg in small');
    assert.equal((await preferring.describe()).kernel.reason, 'asked for');
  });

  it('share their templates only where kernel and VMM are the same', async () => {
    write(all());
    const pairs = await open();
    const [preferred, mini, distro] = [
      await pairs.choose(),
      await pairs.choose('mini'),
      await pairs.choose('distro'),
    ];
    assert.equal(preferred.templates, mini.templates);
    assert.notEqual(preferred.templates, distro.templates);
    assert.equal((await pairs.listGenerations()).length, 2);
  });

  it('do without a small VMM that does not run, and say why', async () => {
    write(all());
    brokenPath = cache.at('qemu');
    const pairs = await open();
    assert.equal(await name(pairs), '6.1.1-tcg in distro');
    const { vmm } = await pairs.describe();
    assert.equal(vmm.name, 'distro');
    assert.equal(vmm.reason, 'the small QEMU does not run: no such library');
  });

  it('cannot be opened where no VMM runs', async () => {
    write();
    brokenPath = 'installed';
    await assert.rejects(open(), { code: 'HYPERVISOR_FAILED' });
  });

  it('are opened where the preferred kernel is not built: what runs must be adopted', async () => {
    write();
    const pairs = await open('mini');
    await assert.rejects(pairs.choose(), { code: 'HOST_SETUP_MISSING' });
    assert.deepEqual((await pairs.describe()).kernel.release, '');
    assert.equal((await pairs.listGenerations()).length, 1);
  });

  it('are of what is built meanwhile', async () => {
    write();
    const pairs = await open();
    assert.equal(await name(pairs), '6.1.0-1-amd64 in distro');
    write(all());
    const names = await Promise.all([name(pairs), name(pairs), name(pairs, 'mini')]);
    assert.deepEqual(new Set(names), new Set(['6.1.1-tcg in small']));
    writeFileSync(cache.at('guest/manifest.json'), 'half a manif');
    assert.equal(await name(pairs), '6.1.1-tcg in small');
    rmSync(cache.at('guest/manifest.json'));
    assert.equal(await name(pairs), '6.1.1-tcg in small');
  });

  it('keep their agent: one that was built meanwhile may speak another protocol', async () => {
    write();
    const pairs = await open();
    write(all(), { sha256: { kernel: 'a'.repeat(64), initramfs: 'c'.repeat(64) } });
    assert.equal(await name(pairs), '6.1.0-1-amd64 in distro');
  });
});
