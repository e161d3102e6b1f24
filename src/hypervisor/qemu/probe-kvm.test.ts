import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { chooseAccelerator } from '../accelerator.ts';
import { probeKvm } from './probe-kvm.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'wardian-kvm-'));
after(() => rmSync(folder, { recursive: true }));

/** A host whose CPU promises virtualisation and whose /dev/kvm opens, with a QEMU that is this script. */
function choose(name: string, script: string, requested?: string) {
  const qemu = path.join(folder, name);
  writeFileSync(qemu, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const cpuInfoPath = path.join(folder, 'cpuinfo');
  writeFileSync(cpuInfoPath, 'flags\t\t: fpu vmx\n');
  const host = { cpuInfoPath, kvmPath: '/dev/null' };
  const cacheDirectory = path.join(folder, `${name}-cache`);
  const probe = () => probeKvm(qemu);
  return chooseAccelerator({ requested, cacheDirectory, vmmFingerprint: name, probe, host });
}

test('KVM that hangs leads to TCG within seconds, with the reason', async () => {
  const startedAt = Date.now();
  const { accelerator, reason } = await choose('hangs', 'exec sleep 60');
  assert.equal(accelerator, 'tcg');
  assert.match(reason, /KVM does not work here: \S/);
  assert.ok(Date.now() - startedAt < 5_000);
  await assert.rejects(choose('hangs', 'exec sleep 60', 'kvm'), { code: 'ACCELERATOR_UNUSABLE' });
});

test('KVM that complains leads to TCG, in its words', async () => {
  const { accelerator, reason } = await choose('complains', 'echo no such luck >&2; exit 1');
  assert.equal(accelerator, 'tcg');
  assert.match(reason, /no such luck/);
});

test('a guest that runs proves KVM', async () => {
  assert.equal((await choose('runs', 'exit 3')).accelerator, 'kvm');
});
