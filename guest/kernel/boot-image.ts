/**
 * Takes the plain kernel out of a bzImage. QEMU can start either, but a bzImage unpacks itself inside
 * the guest: seconds of emulated decompression that the host does once, here, in less than one.
 * (Documentation/arch/x86/boot.rst: "payload_offset", "payload_length".)
 */

const SETUP_SECTORS = 0x1f1;
const MAGIC = 0x202;
const PROTOCOL_VERSION = 0x206;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR_BYTES = 512;
/** Boot protocol 2.08 was the first to say where the payload is. */
const FIRST_VERSION_WITH_PAYLOAD = 0x208;
const XZ_MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

export interface KernelPayload {
  /** The xz stream, without the kernel's trailer. */
  readonly compressed: Buffer;
  /** Length of what it unpacks to, from the trailer. */
  readonly sizeBytes: number;
}

/** Finds the compressed vmlinux in a bzImage; throws when the file is none, or not packed by xz. */
export function findKernelPayload(image: Buffer): KernelPayload {
  if (image.length < 0x250 || image.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS') {
    throw new Error('the kernel is not a bzImage');
  }
  if (image.readUInt16LE(PROTOCOL_VERSION) < FIRST_VERSION_WITH_PAYLOAD) {
    throw new Error('the kernel uses a boot protocol older than 2.08');
  }
  const setupSectors = image.readUInt8(SETUP_SECTORS) || 4;
  const start = (setupSectors + 1) * SECTOR_BYTES + image.readUInt32LE(PAYLOAD_OFFSET);
  const end = start + image.readUInt32LE(PAYLOAD_LENGTH);
  if (end > image.length || end - start < XZ_MAGIC.length + 4) {
    throw new Error('the kernel image is truncated');
  }
  if (!image.subarray(start, start + XZ_MAGIC.length).equals(XZ_MAGIC)) {
    throw new Error('the kernel is not compressed by xz');
  }
  return { compressed: image.subarray(start, end - 4), sizeBytes: image.readUInt32LE(end - 4) };
}
