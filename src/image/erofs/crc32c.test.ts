import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from './crc32c.ts';

test('gives the check value of CRC-32C', () => {
  const inverted = ~crc32c(0xffff_ffff, Buffer.from('123456789')) >>> 0;
  assert.equal(inverted, 0xe3069283);
});
