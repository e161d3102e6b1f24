import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findKernelPayload } from './boot-image.ts';

const XZ = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2, 3, 4]);

/** A bzImage with two setup sectors whose payload lies `offset` bytes into the protected-mode code. */
function bootImage({ payload = XZ, version = 0x20f, offset = 100 } = {}): Buffer {
  const image = Buffer.alloc(3 * 512 + offset + payload.length + 4);
  image.writeUInt8(2, 0x1f1);
  image.write('HdrS', 0x202);
  image.writeUInt16LE(version, 0x206);
  image.writeUInt32LE(offset, 0x248);
  image.writeUInt32LE(payload.length + 4, 0x24c);
  payload.copy(image, 3 * 512 + offset);
  image.writeUInt32LE(4096, image.length - 4);
  return image;
}

test('the payload is found, without its trailer', () => {
  assert.deepEqual(findKernelPayload(bootImage()), { compressed: XZ, sizeBytes: 4096 });
});

test('what is no bzImage, too old, truncated or packed otherwise is refused', () => {
  assert.throws(() => findKernelPayload(Buffer.alloc(4096)), /not a bzImage/);
  assert.throws(() => findKernelPayload(bootImage({ version: 0x207 })), /older than 2.08/);
  assert.throws(() => findKernelPayload(bootImage().subarray(0, 1600)), /truncated/);
  const gzip = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
  assert.throws(() => findKernelPayload(bootImage({ payload: gzip })), /not compressed by xz/);
});
