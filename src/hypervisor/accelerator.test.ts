import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AcceleratorQuestion, chooseAccelerator } from './accelerator.ts';

describe('the choice of the accelerator', () => {
  let folder = '';
  let probes = 0;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'wardian-accelerator-'));
    probes = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function ask(changes: {
    flags?: string;
    kvm?: boolean;
    obstacle?: string;
    requested?: string;
    vmm?: string;
  }) {
    const cpuInfoPath = path.join(folder, 'cpuinfo');
    const kvmPath = path.join(folder, 'kvm');
    writeFileSync(cpuInfoPath, `processor\t: 0\nflags\t\t: fpu ${changes.flags ?? 'svm'} sse\n`);
    if (changes.kvm ?? true) writeFileSync(kvmPath, '');
    const question: AcceleratorQuestion = {
      requested: changes.requested,
      cacheDirectory: folder,
      vmmFingerprint: changes.vmm ?? 'build 1',
      probe: async () => {
        probes += 1;
        return changes.obstacle;
      },
      host: { cpuInfoPath, kvmPath },
    };
    return chooseAccelerator(question);
  }

  it('takes KVM when a guest ran, and asks only once', async () => {
    assert.equal((await ask({})).accelerator, 'kvm');
    assert.equal((await ask({ flags: 'vmx' })).accelerator, 'kvm');
    assert.equal(probes, 1);
  });

  it('asks once for each VMM', async () => {
    for (const vmm of ['build 1', 'build 2', 'build 1', 'build 2']) {
      const obstacle = vmm === 'build 2' ? 'it hung' : '';
      const { accelerator } = await ask({ vmm, ...(obstacle !== '' && { obstacle }) });
      assert.equal(accelerator, vmm === 'build 1' ? 'kvm' : 'tcg');
    }
    assert.equal(probes, 2);
  });

  it('believes no device file where the CPU offers nothing', async () => {
    const choice = await ask({ flags: 'hypervisor' });
    assert.equal(choice.accelerator, 'tcg');
    assert.match(choice.reason, /vmx or svm/);
    assert.equal(probes, 0);
  });

  it('goes without when the device is missing or the guest did not run', async () => {
    assert.match((await ask({ kvm: false })).reason, /is not there/);
    assert.match((await ask({ obstacle: 'it hung' })).reason, /it hung/);
  });

  it('obeys, and fails when it cannot', async () => {
    assert.equal((await ask({ requested: 'tcg' })).accelerator, 'tcg');
    await assert.rejects(ask({ requested: 'kvm', flags: '' }), { code: 'ACCELERATOR_UNUSABLE' });
    await assert.rejects(ask({ requested: 'hvf' }), { code: 'CONFIG_INVALID' });
  });

  it('proves anew when the record is damaged', async () => {
    writeFileSync(path.join(folder, 'accelerator.json'), '{"version":1,');
    assert.equal((await ask({})).accelerator, 'kvm');
    assert.equal(probes, 1);
  });
});
