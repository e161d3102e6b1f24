import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCpuModel, formatMachine, parseVersion } from './machine.ts';

test('the processor is named as the kernel names it', () => {
  const cpuinfo = 'processor\t: 0\nmodel name\t: Example  CPU @ 2 GHz\nprocessor\t: 1\n';
  assert.equal(findCpuModel(cpuinfo), 'Example CPU @ 2 GHz');
  assert.equal(findCpuModel(''), 'unknown');
});

test('versions are found in what programs say about themselves', () => {
  assert.equal(parseVersion('QEMU emulator version 7.2.19 (Debian 1:7.2)'), '7.2.19');
  assert.equal(parseVersion('crun version 1.8.1\ncommit: f8a0'), '1.8.1');
  assert.equal(parseVersion('runsc version 0.0~20221219.0\nspec: 1.0.2'), '20221219');
  assert.equal(parseVersion('runsc version release\n'), 'runsc version release');
});

test('the machine is described in one line, without names', () => {
  const line = formatMachine({
    cpu: 'Example',
    cores: 2,
    memoryGib: 24,
    kernel: '6.1.0',
    accelerator: 'tcg',
    qemu: '7.2.19',
    node: '20.1.0',
    loadAverage: 0.1,
  });
  assert.equal(
    line,
    '2 cores of Example, 24 GiB, Linux 6.1.0; QEMU 7.2.19 under tcg, Node 20.1.0, load 0.10',
  );
});
