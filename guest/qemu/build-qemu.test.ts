import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { listPatches, recipeHash } from '../../scripts/guest/build-results.ts';
import { describeNinjaStep, findUnmetDevices, qemuRecipe } from './build-qemu.ts';
import { configureOptions } from './configure-options.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

describe('the recipe of the small QEMU', () => {
  it('depends on patches, devices and options, not on where it is built', () => {
    const recipe = qemuRecipe(ROOT);
    const text = recipe.ingredients.join('\n');
    assert.match(text, /CONFIG_VIRTIO_9P=y/);
    assert.match(text, /--enable-seccomp/);
    assert.doesNotMatch(text, new RegExp(ROOT));
    const fewer = { ...recipe, patches: path.join(ROOT, 'no-such-folder') };
    assert.notEqual(recipeHash(recipe), recipeHash(fewer));
  });

  it('has patches that say why they are', () => {
    const patches = listPatches(qemuRecipe(ROOT).patches);
    assert.ok(patches.length > 0);
    assert.deepEqual(
      patches.filter((file) => !/^\d{4}-[a-z0-9-]+\.patch$/.test(path.basename(file))),
      [],
    );
  });

  it('keeps what protects it against its guest, and hides the folder of the build', () => {
    const options = configureOptions('/some/where');
    assert.ok(options.includes('--enable-stack-protector'));
    assert.ok(options.includes('--enable-seccomp'));
    assert.ok(!options.some((option) => option.includes('disable-pie')));
    assert.match(options.join(' '), /-z,relro,-z,now/);
    assert.match(options.join(' '), /-ffile-prefix-map=\/some\/where=\./);
  });
});

describe('findUnmetDevices', () => {
  const chosen = 'CONFIG_MICROVM=y\nCONFIG_USB=y\n';

  it('finds nothing when all came about', () => {
    assert.deepEqual(
      findUnmetDevices('# why\nCONFIG_MICROVM=y\nCONFIG_PCI_DEVICES=n\n', chosen),
      [],
    );
  });

  it('names what is missing, and what is there though it was not to be', () => {
    const wanted = 'CONFIG_VIRTIO_MISSPELT=y\nCONFIG_USB=n\n';
    assert.deepEqual(findUnmetDevices(wanted, chosen), [
      'CONFIG_VIRTIO_MISSPELT=y',
      'CONFIG_USB=n',
    ]);
  });
});

describe('describeNinjaStep', () => {
  it('reads the count and the file', () => {
    const line = '[91/1290] Compiling C object libcommon.fa.p/hw_virtio_virtio.c.o';
    assert.equal(describeNinjaStep(line), '7 %  hw_virtio_virtio.c.o');
    assert.equal(
      describeNinjaStep('[1/1] Linking target qemu-system-x86_64'),
      '100 %  qemu-system-x86_64',
    );
  });

  it('passes over everything else', () => {
    for (const line of ['', 'ninja: no work to do.', '[x/1290] y', '[1/2]', 'warning: [1/2] no'])
      assert.equal(describeNinjaStep(line), undefined);
  });
});
