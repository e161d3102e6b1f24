import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ByteSource } from '../tar/byte-reader.ts';

const CHUNK_BYTES = 256 * 1024;

/** A part of a file as a stream that can leave bytes out without reading them. The file is open while it is iterated. */
export class FileRange implements ByteSource {
  readonly #filePath: string;
  #position: number;
  readonly #end: number;

  constructor(filePath: string, start: number, end: number) {
    this.#filePath = filePath;
    this.#position = start;
    this.#end = end;
  }

  skip(count: number): void {
    this.#position += count;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    // Without waiting for anybody when the name turns out to be a pipe's.
    const handle = await open(this.#filePath, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      for (let chunk = await this.#read(handle); chunk.length > 0; ) {
        yield chunk;
        chunk = await this.#read(handle);
      }
    } finally {
      await handle.close();
    }
  }

  async #read(handle: FileHandle): Promise<Buffer> {
    const length = Math.max(0, Math.min(CHUNK_BYTES, this.#end - this.#position));
    const chunk = Buffer.allocUnsafe(length);
    const { bytesRead } = await handle.read(chunk, 0, length, this.#position);
    this.#position += bytesRead;
    return chunk.subarray(0, bytesRead);
  }
}
