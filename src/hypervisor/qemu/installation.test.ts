import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { findQemu } from './installation.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'wardian-qemu-'));
after(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string, mode = 0o755): string {
  const file = path.join(folder, name);
  writeFileSync(file, content, { mode });
  return file;
}

test('a QEMU that is not there is missing, with the command that installs it', async () => {
  const missing = { code: 'HYPERVISOR_MISSING', hint: /^apt-get install .*qemu-system-x86/ };
  await assert.rejects(findQemu(path.join(folder, 'none')), missing);
});

test('what cannot be run, or fails, is no QEMU', async () => {
  const failed = { code: 'HYPERVISOR_FAILED' };
  await assert.rejects(findQemu(write('plain', 'text', 0o644)), failed);
  await assert.rejects(findQemu(write('fails', '#!/bin/sh\nexit 1\n')), failed);
});

test('another build at the same place has another fingerprint', async () => {
  const script = (version: string): string => `#!/bin/sh\necho QEMU ${version}\n`;
  const first = await findQemu(write('qemu', script('7.2')));
  assert.equal(first.version, 'QEMU 7.2');
  const second = await findQemu(write('qemu', script('8.0')));
  assert.notEqual(second.fingerprint, first.fingerprint);
});

test('a QEMU of our own says that machines can be forked', async () => {
  const plain = await findQemu(write('plain-qemu', '#!/bin/sh\necho QEMU 7.2\n'));
  assert.equal(plain.hasStems, false);
  const script = "#!/bin/sh\necho QEMU 7.2\necho 'Machines can be forked from a stem.'\n";
  assert.equal((await findQemu(write('own-qemu', script))).hasStems, true);
});
