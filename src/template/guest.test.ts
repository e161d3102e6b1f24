import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadGuests } from './guest.ts';
import { GuestCache } from './testing/guest-cache.ts';

describe('the guests in the cache', () => {
  let cache: GuestCache;
  beforeEach(() => {
    cache = new GuestCache();
  });
  afterEach(() => cache.remove());

  const load = () => loadGuests(cache.directory);

  function write(changes: object = {}, others: object = {}): void {
    cache.write({ version: 2, distro: cache.describeDistro(changes), ...others });
  }

  it('are found by a manifest of either version', async () => {
    cache.write({ version: 1, distro: cache.describeDistro() });
    const old = await load();
    assert.equal(old.distro.boot.kernelPath, cache.at('kernel'));
    assert.equal(old.distro.kernelRelease, '6.1.0-1-amd64');
    assert.equal(old.busyboxPath, cache.at('busybox'));
    assert.deepEqual([old.mini, old.qemu], [{}, undefined]);
    write();
    assert.deepEqual(await load(), old);
    write({ parameters: ['debug'] });
    assert.notEqual((await load()).distro.fingerprint, old.distro.fingerprint);
  });

  it('are what was built, too', async () => {
    write({}, { mini: cache.describeMini(['tcg', 'kvm']), qemu: cache.describeQemu() });
    const { mini, qemu } = await load();
    assert.deepEqual(mini.tcg?.boot, {
      kernelPath: cache.at('mini-tcg'),
      initramfsPath: cache.at('agent'),
      acpi: false,
      parameters: ['for=tcg'],
    });
    assert.deepEqual([mini.tcg?.name, mini.kvm?.kernelRelease], ['mini', '6.1.1-kvm']);
    assert.notEqual(mini.tcg?.fingerprint, mini.kvm?.fingerprint);
    assert.deepEqual(qemu, { path: cache.at('qemu'), firmwareDirectory: '/usr/share/qemu' });
  });

  it('are not those that have gone since', async () => {
    write({}, { mini: cache.describeMini(['tcg', 'kvm']), qemu: cache.describeQemu() });
    rmSync(cache.at('mini-kvm'));
    rmSync(cache.at('qemu'));
    const { mini, qemu } = await load();
    assert.deepEqual([Object.keys(mini), qemu], [['tcg'], undefined]);
    rmSync(cache.at('agent'));
    assert.deepEqual((await load()).mini, {});
  });

  it('say what to do when they are not there', async () => {
    const expected = { code: 'HOST_SETUP_MISSING', hint: /wardian check/ };
    await assert.rejects(load(), expected);
    write();
    rmSync(cache.at('initramfs'));
    await assert.rejects(load(), { code: 'HOST_SETUP_MISSING' });
  });

  it('are not read from a manifest that is something else', async () => {
    const refused = { code: 'STATE_CORRUPT' };
    for (const changes of [
      { kernel: 'relative' },
      { acpi: 'yes' },
      { parameters: [1] },
      { sha256: {} },
    ]) {
      write(changes);
      await assert.rejects(load(), refused);
    }
    for (const others of [
      { version: 3 },
      { mini: { kernels: { tcg: {} }, sha256: {}, acpi: false } },
      { mini: cache.describeMini(['tcg'], { acpi: 'no' }) },
      { mini: cache.describeMini(['tcg'], { sha256: { initramfs: 'short' } }) },
      { qemu: { path: 'relative', firmwareDirectory: '/' } },
      { qemu: null },
    ]) {
      write({}, others);
      await assert.rejects(load(), refused, JSON.stringify(others));
    }
  });
});
