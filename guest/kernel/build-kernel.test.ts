import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { BuildTree } from '../../scripts/guest/recipe.ts';
import { describeStep, kernelRecipe } from './build-kernel.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** A tree in which make does no more than `configure` says. */
async function withTree(
  configure: (folder: string, wanted: string) => void,
  action: (tree: BuildTree, calls: string[]) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync('/tmp/wardian-kernel-');
  const calls: string[] = [];
  const at = (name: string) => path.join(folder, name);
  for (const name of ['source/include/config', 'work', 'output']) {
    mkdirSync(at(name), { recursive: true });
  }
  const tree: BuildTree = {
    source: at('source'),
    work: at('work'),
    output: at('output'),
    sourceDateSeconds: 1_700_000_000,
    jobs: 3,
    report: (detail) => calls.push(detail),
    run: async (argv, { environment = {}, onLine } = {}) => {
      calls.push([...argv, ...Object.entries(environment).map((pair) => pair.join('='))].join(' '));
      if (argv.includes('allnoconfig'))
        configure(at('source'), environment['KCONFIG_ALLCONFIG'] ?? '');
      if (argv.includes('vmlinux')) onLine?.('  CC      fs/erofs/zdata.o');
    },
  };
  try {
    await action(tree, calls);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function answerAll(folder: string, wanted: string): void {
  writeFileSync(path.join(folder, '.config'), readFileSync(wanted));
  writeFileSync(path.join(folder, 'System.map'), '');
  writeFileSync(path.join(folder, 'include/config/kernel.release'), '6.1.1-wardian-tcg\n');
}

test('a kernel is configured from nothing, compiled for everywhere the same, and stripped', async () => {
  await withTree(answerAll, async (tree, calls) => {
    const built = await kernelRecipe(ROOT, 'tcg').build(tree);
    assert.deepEqual(built.facts, { kernelRelease: '6.1.1-wardian-tcg' });
    assert.equal(built.files['kernel'], 'vmlinux');
    const compile = calls.find((call) => call.includes(' vmlinux ')) ?? '';
    assert.match(compile, /^make ARCH=x86 -j3 vmlinux /);
    assert.match(compile, /KBUILD_BUILD_TIMESTAMP=Tue, 14 Nov 2023 22:13:20 GMT /);
    assert.match(
      compile,
      /KBUILD_BUILD_USER=wardian KBUILD_BUILD_HOST=wardian KBUILD_BUILD_VERSION=1/,
    );
    assert.ok(calls.includes('0 %  CC fs/erofs/zdata.o'));
    assert.ok(calls.some((call) => call.startsWith('strip -o ')));
  });
});

test('an option that Kconfig drops fails the build, by name, before anything is compiled', async () => {
  const dropOne = (folder: string, wanted: string) => {
    answerAll(folder, wanted);
    const text = readFileSync(wanted, 'utf8').replace('CONFIG_TUN=y\n', '');
    writeFileSync(path.join(folder, '.config'), text);
  };
  await withTree(dropOne, async (tree, calls) => {
    await assert.rejects(kernelRecipe(ROOT, 'kvm').build(tree), /CONFIG_TUN is n, not y/);
    assert.ok(!calls.some((call) => call.includes('vmlinux')));
  });
});

test('the two kernels are different builds of the same source', () => {
  const [tcg, kvm] = [kernelRecipe(ROOT, 'tcg'), kernelRecipe(ROOT, 'kvm')];
  assert.deepEqual(tcg.source, kvm.source);
  assert.notEqual(tcg.name, kvm.name);
  assert.notDeepEqual(tcg.ingredients, kvm.ingredients);
});

test('an interrupted build goes on where its percentage was', async () => {
  await withTree(answerAll, async (tree, calls) => {
    for (let count = 0; count < 1000; count++)
      writeFileSync(path.join(tree.source, `${count}.o`), '');
    await kernelRecipe(ROOT, 'tcg').build(tree);
    const percent = Number.parseInt(calls.find((call) => call.includes(' %  ')) ?? '', 10);
    assert.ok(percent > 40 && percent < 99, `${percent} %`);
  });
});

test('steps are told from the rest of what make says', () => {
  assert.equal(describeStep('  CC      fs/erofs/zdata.o'), 'CC fs/erofs/zdata.o');
  assert.equal(describeStep('  LD      vmlinux'), 'LD vmlinux');
  assert.equal(describeStep('make[1]: Entering directory'), undefined);
  assert.equal(describeStep('fs/a.c:1: warning: x'), undefined);
});
