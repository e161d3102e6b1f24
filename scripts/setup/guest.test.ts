import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  KERNEL_PARAMETERS,
  type KernelKind,
  kernelRecipe,
} from '../../guest/kernel/build-kernel.ts';
import { parseGuestManifest } from '../../src/template/guest-manifest.ts';
import { writeResult } from '../guest/build-results.ts';
import {
  assembleGuest,
  ingredientsKey,
  isGuestCurrent,
  listGuestFiles,
  loadGuestManifest,
} from './guest.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
let cache = '';
let agent = '';

beforeEach(() => {
  cache = mkdtempSync('/tmp/wardian-guest-');
  agent = write('agent', 'the agent');
  const ingredients = {
    recipe: ingredientsKey(),
    kernelRelease: '6.1.0-1-amd64',
    kernel: write('guest/vmlinux-1', 'a kernel'),
    kernelPackage: 'linux-image-6.1.0-1-amd64 6.1.1',
    busybox: write('guest/busybox-1', 'tools'),
    busyboxPackage: 'busybox-static 1',
    modules: [{ name: 'virtio', file: write('guest/module-virtio', 'a module') }],
  };
  write('guest/ingredients.json', JSON.stringify(ingredients));
});
afterEach(() => rmSync(cache, { recursive: true }));

test('without builds there is the distribution’s kernel alone', () => {
  assembleGuest(cache, agent);
  const manifest = loadGuestManifest(cache);
  assert.equal(manifest?.version, 2);
  assert.equal(manifest?.mini, undefined);
  assert.equal(manifest?.qemu, undefined);
  assert.equal(parse()?.distro.kernelRelease, '6.1.0-1-amd64');
  assert.equal(isGuestCurrent(cache, agent), true);
});

test('a kernel that was built is named, with an initramfs that has the agent and no modules', () => {
  assembleGuest(cache, agent);
  placeKernel('tcg');
  assert.equal(isGuestCurrent(cache, agent), false);
  assembleGuest(cache, agent);
  assert.equal(isGuestCurrent(cache, agent), true);
  const mini = parse()?.mini;
  assert.equal(mini?.kvm, undefined);
  assert.equal(mini?.tcg?.kernelRelease, '6.1.1-wardian-tcg');
  assert.equal(mini?.tcg?.acpi, false);
  assert.deepEqual(mini?.tcg?.parameters, KERNEL_PARAMETERS.tcg);
  assert.equal(readFileSync(mini?.tcg?.kernel ?? '', 'utf8'), 'our kernel for tcg');
  const initramfs = readFileSync(mini?.tcg?.initramfs ?? '', 'latin1');
  assert.ok(initramfs.includes('the agent') && !initramfs.includes('a module'));
  assert.equal(statSync(mini?.tcg?.initramfs ?? '').mode & 0o044, 0o044);
});

test('every file is listed, and one that has gone makes the manifest invalid', () => {
  placeKernel('tcg');
  placeKernel('kvm');
  assembleGuest(cache, agent);
  const manifest = loadGuestManifest(cache);
  assert.ok(manifest !== undefined);
  const files = listGuestFiles(manifest);
  assert.equal(files.length, 6);
  rmSync(manifest.mini?.kernels.kvm?.kernel ?? '');
  assert.equal(loadGuestManifest(cache), undefined);
  assembleGuest(cache, agent);
  assert.deepEqual(Object.keys(loadGuestManifest(cache)?.mini?.kernels ?? {}), ['tcg']);
});

test('a kernel of other options is not taken', () => {
  placeKernel('tcg', ['other options']);
  assembleGuest(cache, agent);
  assert.equal(loadGuestManifest(cache)?.mini, undefined);
});

function placeKernel(kind: KernelKind, ingredients?: readonly string[]): void {
  const recipe = { ...kernelRecipe(ROOT, kind), ...(ingredients && { ingredients }) };
  const directory = path.join(cache, `guest/build/kernel-${kind}-0123456789abcdef`);
  write(path.relative(cache, path.join(directory, 'vmlinux')), `our kernel for ${kind}`);
  const built = {
    files: { kernel: 'vmlinux' },
    facts: { kernelRelease: `6.1.1-wardian-${kind}` },
  };
  writeResult({ recipe, built, version: '6.1.1-1', directory });
}

function parse() {
  return parseGuestManifest(
    JSON.parse(readFileSync(path.join(cache, 'guest/manifest.json'), 'utf8')),
  );
}

function write(name: string, content: string): string {
  const file = path.join(cache, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}
