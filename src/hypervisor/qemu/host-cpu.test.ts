import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeCpu } from './host-cpu.ts';

const processor = (mhz: string, flags: string, microcode = '0x1'): string =>
  [
    'processor\t: 0',
    'vendor_id\t: AuthenticAMD',
    'cpu family\t: 25',
    'model\t\t: 1',
    `microcode\t: ${microcode}`,
    `cpu MHz\t\t: ${mhz}`,
    `flags\t\t: ${flags}`,
  ].join('\n');

test('a CPU is the same at any speed, whatever the other processors are', () => {
  const one = describeCpu(`${processor('2600.1', 'fpu svm')}\n\n${processor('2600.1', 'fpu svm')}`);
  assert.equal(describeCpu(processor('1500.0', 'fpu svm')), one);
  assert.match(one, /vendor_id.*AuthenticAMD\n(.*\n)*flags.*svm$/);
});

test('another feature or another microcode makes it another CPU', () => {
  const one = describeCpu(processor('2600', 'fpu svm'));
  assert.notEqual(describeCpu(processor('2600', 'fpu svm avx')), one);
  assert.notEqual(describeCpu(processor('2600', 'fpu svm', '0x2')), one);
});
