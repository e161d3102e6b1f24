import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { KERNEL_FRAGMENTS } from './build-kernel.ts';
import { findUnmet, mergeFragments, parseFragment, renderOptions } from './kernel-options.ts';

const folder = path.join(import.meta.dirname, 'fragments');
const load = (name: string) =>
  parseFragment(readFileSync(path.join(folder, `${name}.config`), 'utf8'), name);

test('every option of every fragment has a reason, and every fragment is in a kernel', () => {
  const names = readdirSync(folder).map((file) => path.basename(file, '.config'));
  for (const name of names) assert.ok(load(name).length > 0, name);
  assert.deepEqual(new Set(names), new Set(Object.values(KERNEL_FRAGMENTS).flat()));
});

test('no kernel asks for an option twice', () => {
  for (const fragments of Object.values(KERNEL_FRAGMENTS)) {
    assert.ok(mergeFragments(fragments.map(load)).length > 200);
  }
});

test('the kernel for KVM defends itself, and the one for emulation has nothing of KVM', () => {
  const findValue = (fragments: readonly string[], name: string) =>
    mergeFragments(fragments.map(load)).find((option) => option.name === name)?.value;
  for (const name of ['PAGE_TABLE_ISOLATION', 'RETPOLINE', 'KVM_GUEST', 'STACKPROTECTOR_STRONG']) {
    assert.equal(findValue(KERNEL_FRAGMENTS.kvm, name), 'y', name);
  }
  assert.equal(findValue(KERNEL_FRAGMENTS.tcg, 'PARAVIRT'), 'n');
  assert.equal(findValue(KERNEL_FRAGMENTS.tcg, 'CPU_MITIGATIONS'), 'n');
});

test('a line without a reason is refused, with its place', () => {
  assert.throws(() => parseFragment('# storage\n\nEXT4_FS=y\n', 'disk'), /^Error: disk:3 is not/);
  assert.throws(() => parseFragment('EXT4_FS=y #\n', 'disk'), /disk:1/);
  assert.throws(() => parseFragment('CONFIG EXT4_FS # files\n', 'disk'), /disk:1/);
});

test('an option in two fragments is refused', () => {
  const one = parseFragment('SMP=y # processors\n', 'one');
  assert.throws(() => mergeFragments([one, one]), /SMP is asked for twice/);
});

test('options become what Kconfig reads, in an order of their own', () => {
  const options = parseFragment('SMP=y # a\nPCI=n # b\nLSM="x,y" # c\nHZ=100 # d\n', 'one');
  assert.equal(
    renderOptions(options),
    '# CONFIG_PCI is not set\nCONFIG_HZ=100\nCONFIG_LSM="x,y"\nCONFIG_SMP=y\n',
  );
});

test('what did not take effect is named', () => {
  const options = parseFragment('SMP=y # a\nPCI=n # b\nTUN=y # c\nHZ=100 # d\n', 'one');
  assert.deepEqual(findUnmet(options, 'CONFIG_SMP=y\n# CONFIG_PCI is not set\nCONFIG_HZ=250\n'), [
    'CONFIG_TUN is n, not y',
    'CONFIG_HZ is 250, not 100',
  ]);
  assert.deepEqual(findUnmet(options, 'CONFIG_PCI=y\nCONFIG_SMP=y\nCONFIG_TUN=y\nCONFIG_HZ=100'), [
    'CONFIG_PCI is y, not n',
  ]);
});
