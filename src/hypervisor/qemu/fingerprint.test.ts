import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computeFingerprint, type FingerprintSource } from './fingerprint.ts';

const emulated: FingerprintSource = {
  qemuFingerprint: 'a',
  hostCpu: undefined,
  accelerator: 'tcg',
  tscKhz: 2_600_000,
};

test('what a saved machine depends on changes the fingerprint', () => {
  const { hostCpu: _, ...rest } = emulated;
  const virtualized: FingerprintSource = { ...rest, hostCpu: 'one', accelerator: 'kvm' };
  const all = [
    emulated,
    { ...emulated, qemuFingerprint: 'b' },
    { ...emulated, tscKhz: 2_400_000 },
    virtualized,
    { ...virtualized, hostCpu: 'another' },
  ].map(computeFingerprint);
  assert.equal(new Set(all).size, all.length);
  assert.equal(computeFingerprint({ ...emulated }), all[0]);
});
