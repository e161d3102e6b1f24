import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadGuest } from './guest.ts';

describe('the guest in the cache', () => {
  let cache = '';
  beforeEach(() => {
    cache = mkdtempSync(path.join(tmpdir(), 'wardian-guest-'));
    mkdirSync(path.join(cache, 'guest'));
    for (const name of ['kernel', 'initramfs', 'busybox'])
      writeFileSync(path.join(cache, name), name);
  });
  afterEach(() => rmSync(cache, { recursive: true }));

  function write(changes: object = {}): void {
    const at = (name: string): string => path.join(cache, name);
    const distro = {
      kernel: at('kernel'),
      initramfs: at('initramfs'),
      busybox: at('busybox'),
      kernelRelease: '6.1.0-1-amd64',
      acpi: true,
      parameters: [],
      sha256: { kernel: 'a'.repeat(64), initramfs: 'b'.repeat(64) },
      ...changes,
    };
    writeFileSync(at('guest/manifest.json'), JSON.stringify({ version: 1, distro }));
  }

  it('is found by its manifest', async () => {
    write();
    const guest = await loadGuest(cache);
    assert.equal(guest.boot.kernelPath, path.join(cache, 'kernel'));
    assert.equal(guest.kernelRelease, '6.1.0-1-amd64');
    write({ parameters: ['debug'] });
    assert.notEqual((await loadGuest(cache)).fingerprint, guest.fingerprint);
  });

  it('says what to do when it is not there', async () => {
    const expected = { code: 'HOST_SETUP_MISSING', hint: /wardian check/ };
    await assert.rejects(loadGuest(cache), expected);
    write();
    rmSync(path.join(cache, 'initramfs'));
    await assert.rejects(loadGuest(cache), { code: 'HOST_SETUP_MISSING' });
  });

  it('refuses a manifest that is something else', async () => {
    for (const changes of [
      { kernel: 'relative' },
      { acpi: 'yes' },
      { parameters: [1] },
      { sha256: {} },
    ]) {
      write(changes);
      await assert.rejects(loadGuest(cache), { code: 'STATE_CORRUPT' });
    }
  });
});
