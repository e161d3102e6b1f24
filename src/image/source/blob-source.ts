import { createHash } from 'node:crypto';
import { type Descriptor, parseDigest } from '../../oci/image-spec/manifest.ts';
import { invalidImage } from '../image-errors.ts';
import type { ByteSource } from '../tar/byte-reader.ts';

/** The files of an image as they were handed to us: a folder's or an archive's. */
export interface FileSource {
  /** Size of a file, undefined when it is not there. */
  findSize(name: string): Promise<number | undefined>;
  /** The file's bytes; the name is one that `findSize` knows. */
  open(name: string): ByteSource;
}

/** Reads a whole small file, refusing one that is too large. Undefined when it is not there. */
export async function readWhole(
  source: FileSource,
  name: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const sizeBytes = await source.findSize(name);
  if (sizeBytes === undefined) return undefined;
  if (sizeBytes > maxBytes) {
    throw invalidImage(`${name} has ${sizeBytes} bytes, more than the ${maxBytes} allowed`);
  }
  return collect(source.open(name));
}

/** Reads a blob that is a document, and checks its size and digest. */
export async function readBlob(
  source: FileSource,
  descriptor: Descriptor,
  maxBytes: number,
): Promise<Buffer> {
  if (descriptor.sizeBytes > maxBytes) {
    throw invalidImage(
      `${descriptor.digest} has ${descriptor.sizeBytes} bytes, more than the ${maxBytes} allowed`,
    );
  }
  return collect(await openBlob(source, descriptor));
}

/** Opens a blob of a layout (OCI image-spec, image-layout.md, "Blobs"); its end is an error when it is not the one meant. */
export async function openBlob(
  source: FileSource,
  descriptor: Descriptor,
): Promise<AsyncIterable<Buffer>> {
  const digest = parseDigest(descriptor.digest);
  if (digest === undefined) throw invalidImage(`${descriptor.digest} is not a digest`);
  const name = `blobs/${digest.algorithm}/${digest.hex}`;
  const sizeBytes = await source.findSize(name);
  if (sizeBytes === undefined) throw invalidImage(`the blob ${descriptor.digest} is missing`);
  if (sizeBytes !== descriptor.sizeBytes) {
    throw invalidImage(
      `the blob ${descriptor.digest} has ${sizeBytes} bytes instead of ${descriptor.sizeBytes}`,
    );
  }
  return verifyDigest(source.open(name), descriptor.digest, `the blob ${descriptor.digest}`);
}

/** Passes bytes on and throws at their end when they are not those that the digest stands for. */
export async function* verifyDigest(
  input: AsyncIterable<Uint8Array>,
  expected: string,
  what: string,
): AsyncGenerator<Buffer> {
  const algorithm = expected.slice(0, expected.indexOf(':'));
  const hash = createHash(algorithm);
  for await (const chunk of input) {
    hash.update(chunk);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  const actual = `${algorithm}:${hash.digest('hex')}`;
  if (actual !== expected) {
    throw invalidImage(`${what} does not match its digest: it is ${actual}, not ${expected}`);
  }
}

async function collect(input: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks);
}
